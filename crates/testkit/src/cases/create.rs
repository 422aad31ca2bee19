//! `create`: a new record, never in place of another.

use std::time::Duration;

use sessile_core::{Lookup, StorageErrorKind, Stored, Timestamp};

use crate::cases::alias::chain;
use crate::cases::rotate::rotated;
use crate::kit::{Context, refused};

pub(crate) async fn keeps_the_record_as_it_is(ctx: Context) {
    let key = Context::key();
    let mut record = ctx.record("a cart");
    record.meta.created_at = Timestamp::from_millis(1_700_000_000_001);
    record.meta.last_active = Timestamp::from_millis(1_700_000_000_023);
    ctx.create(&key, record.clone()).await;
    assert_eq!(ctx.read(&key).await, Lookup::Found(Stored::new(key, record)));
}

pub(crate) async fn keeps_a_record_without_a_deadline(ctx: Context) {
    let key = Context::key();
    let mut record = ctx.record("a cart");
    record.meta.deadline = None;
    ctx.create(&key, record.clone()).await;
    assert_eq!(ctx.found(&key).await, record);
    ctx.destroy(&key).await;
}

pub(crate) async fn refuses_a_live_key(ctx: Context) {
    let key = ctx.created("the first").await;
    let before = ctx.found(&key).await;
    let again = ctx.storage().create(&key, ctx.record("the second")).await;
    refused(again, StorageErrorKind::Exists, "create under a key that is live");
    assert_eq!(ctx.found(&key).await, before, "a refused create changed the record");
}

pub(crate) async fn refuses_a_locked_key_and_leaves_the_lock(ctx: Context) {
    let (key, mut locked) = ctx.locked("the first").await;
    let again = ctx.storage().create(&key, ctx.record("the second")).await;
    refused(again, StorageErrorKind::Exists, "create under a key that is locked");
    ctx.assert_held(&key).await;
    ctx.commit(&mut locked, "the third").await;
}

pub(crate) async fn refuses_a_tombstone(ctx: Context) {
    let [old, new] = rotated(&ctx).await;
    let again = ctx.storage().create(&old, ctx.record("back")).await;
    refused(again, StorageErrorKind::Exists, "create under a tombstone");
    ctx.assert_superseded(&old).await;
    assert_eq!(ctx.found(&new).await.payload, "moved");
}

pub(crate) async fn refuses_an_alias(ctx: Context) {
    if !ctx.profile().aliases {
        return super::rotate::aliases_are_refused(&ctx).await;
    }
    let [old, _] = chain(&ctx).await;
    let again = ctx.storage().create(&old, ctx.record("back")).await;
    refused(again, StorageErrorKind::Exists, "create under an alias");
    assert_eq!(ctx.found(&old).await.payload, "moved");
}

pub(crate) async fn an_expired_record_is_no_obstacle(ctx: Context) {
    let key = Context::key();
    let deadline = ctx.now() + Duration::from_millis(200);
    ctx.create(&key, ctx.record_until(deadline, "the first")).await;
    ctx.pass_surely(Duration::from_millis(200)).await;
    ctx.create(&key, ctx.record("the second")).await;
    // A timer for the removal of the first record must not remove the second.
    ctx.pass(Duration::from_millis(200)).await;
    if ctx.profile().sweep != crate::Sweep::Unsupported {
        ctx.storage().sweep(100).await.expect("sweep");
    }
    ctx.assert_free(&key, b"the second").await;
}

pub(crate) async fn a_deadline_that_has_come_is_never_seen(ctx: Context) {
    let key = Context::key();
    let passed = Timestamp::from_millis(ctx.now().as_millis() - 60_000);
    // Some backends refuse an expired record, others accept and drop it. No read may find it.
    drop(ctx.storage().create(&key, ctx.record_until(passed, "late")).await);
    ctx.assert_missing(&key).await;
}

pub(crate) async fn a_new_record_is_not_locked(ctx: Context) {
    let key = ctx.created("new").await;
    ctx.assert_free(&key, b"new").await;
}
