//! `destroy`: final and immediate, even if the session is locked.

use std::time::Duration;

use sessile_core::{Lookup, StorageErrorKind};

use crate::cases::rotate::rotated;
use crate::kit::{Context, refused, successor};

pub(crate) async fn removes_the_session(ctx: Context) {
    let key = ctx.created("x").await;
    assert_eq!(ctx.destroy(&key).await, Lookup::Found(()));
    ctx.assert_missing(&key).await;
    let lock = ctx.storage().lock(&key, ctx.lease().await * 10);
    let lock = ctx.immediate("lock of a destroyed session", lock).await.expect("lock");
    assert!(
        matches!(lock, Lookup::Missing),
        "lock of a destroyed session returned {lock:?}"
    );
}

pub(crate) async fn can_be_repeated(ctx: Context) {
    let key = ctx.created("x").await;
    assert_eq!(ctx.destroy(&key).await, Lookup::Found(()));
    assert_eq!(ctx.destroy(&key).await, Lookup::Missing);
    assert_eq!(ctx.destroy(&key).await, Lookup::Missing);
}

pub(crate) async fn an_unknown_key_is_missing(ctx: Context) {
    assert_eq!(ctx.destroy(&Context::key()).await, Lookup::Missing);
}

pub(crate) async fn an_expired_record_is_missing(ctx: Context) {
    let key = Context::key();
    let deadline = ctx.now() + Duration::from_millis(200);
    ctx.create(&key, ctx.record_until(deadline, "expired")).await;
    ctx.pass_surely(Duration::from_millis(200)).await;
    assert_eq!(ctx.destroy(&key).await, Lookup::Missing);
}

pub(crate) async fn waits_for_no_lock(ctx: Context) {
    let (key, locked) = ctx.locked("x").await;
    let destroyed = ctx.immediate("destroy of a locked session", ctx.destroy(&key)).await;
    assert_eq!(destroyed, Lookup::Found(()));
    ctx.assert_missing(&key).await;
    drop(locked);
}

/// `destroy` is final: no call that began earlier restores the session.
pub(crate) async fn nothing_late_brings_it_back(ctx: Context) {
    let [key, other] = Context::keys();
    ctx.create(&key, ctx.record("alive")).await;
    let mut locked = ctx.lock(&key).await;
    ctx.destroy(&key).await;
    let record = successor(&locked.record, "undead");
    let gone = StorageErrorKind::Gone;
    let storage = ctx.storage();

    let result = storage.renew(&locked.lock.id()).await;
    refused(result, gone, "renew after destroy");
    let result = storage.commit(&mut locked.lock, record.clone()).await;
    refused(result, gone, "commit after destroy");
    ctx.assert_missing(&key).await;
    let result = storage.rotate(&mut locked.lock, &other, record, Duration::ZERO).await;
    refused(result, gone, "rotate after destroy");
    ctx.assert_missing(&key).await;
    ctx.assert_missing(&other).await;
    let result = storage.touch(&key, 1, None, ctx.now()).await;
    refused(result, gone, "touch after destroy");
    ctx.release(locked.lock).await;
    ctx.assert_missing(&key).await;
}

pub(crate) async fn takes_the_lock_away_with_the_record(ctx: Context) {
    let (key, mut locked) = ctx.locked("the first").await;
    ctx.destroy(&key).await;
    // Ids are not reused in practice. Here one is, to find a lock that stayed behind.
    ctx.create(&key, ctx.record("the second")).await;
    let second = ctx.lock(&key).await;
    let late = successor(&locked.record, "late");
    let result = ctx.storage().commit(&mut locked.lock, late).await;
    refused(
        result,
        StorageErrorKind::LockLost,
        "commit under a lock that destroy took away",
    );
    drop(locked);
    ctx.assert_held(&key).await;
    ctx.release(second.lock).await;
    ctx.assert_free(&key, b"the second").await;
}

/// While the tombstone exists, the old id can end the session, and do nothing else.
pub(crate) async fn of_a_tombstone_ends_the_session(ctx: Context) {
    let [old, new] = rotated(&ctx).await;
    for storage in [ctx.storage(), ctx.second()] {
        let read = storage.read(&new).await.expect("read");
        assert!(read.is_found(), "the session lives under its new key");
    }
    let mut locked = ctx.lock(&new).await;
    let destroyed = ctx.immediate("destroy of a tombstone", ctx.destroy(&old)).await;
    assert_eq!(destroyed, Lookup::Found(()));
    for storage in [ctx.storage(), ctx.second()] {
        let read = storage.read(&new).await.expect("read");
        assert_eq!(read, Lookup::Missing, "a session was ended by its old key, and lives");
    }
    let late = successor(&locked.record, "late");
    let result = ctx.storage().commit(&mut locked.lock, late).await;
    refused(result, StorageErrorKind::Gone, "commit after destroy");
    drop(locked);

    // The tombstone stays, and the next `destroy` finds no session.
    ctx.assert_superseded(&old).await;
    assert_eq!(ctx.destroy(&old).await, Lookup::Superseded);
    ctx.assert_superseded(&old).await;
    ctx.assert_missing(&new).await;
}

pub(crate) async fn of_a_tombstone_takes_the_lock_away(ctx: Context) {
    let [old, new] = rotated(&ctx).await;
    let first = ctx.lock(&new).await;
    assert_eq!(ctx.destroy(&old).await, Lookup::Found(()));
    // Ids are not reused in practice. Here one is, to find a lock that stayed behind.
    ctx.create(&new, ctx.record("the second")).await;
    let second = ctx.lock(&new).await;
    drop(first);
    ctx.release(second.lock).await;
}

pub(crate) async fn of_a_tombstone_follows_every_move(ctx: Context) {
    for from in 0..3 {
        let keys: [_; 4] = Context::keys();
        ctx.create(&keys[0], ctx.record("moved")).await;
        for step in keys.windows(2) {
            let mut locked = ctx.lock(&step[0]).await;
            ctx.rotate(&mut locked, &step[1], Duration::ZERO).await;
        }
        let [left @ .., last] = &keys;
        assert_eq!(ctx.destroy(&left[from]).await, Lookup::Found(()), "{} moves", 3 - from);
        ctx.assert_missing(last).await;
        for key in left {
            ctx.assert_superseded(key).await;
            assert_eq!(ctx.destroy(key).await, Lookup::Superseded);
        }
        assert_eq!(ctx.destroy(last).await, Lookup::Missing);
    }
}

/// A moved session that has ended cannot be ended again, and nothing restores it.
pub(crate) async fn of_a_tombstone_finds_nothing_that_has_ended(ctx: Context) {
    let [old, new] = rotated(&ctx).await;
    assert_eq!(ctx.destroy(&new).await, Lookup::Found(()));
    assert_eq!(ctx.destroy(&old).await, Lookup::Superseded);
    ctx.assert_superseded(&old).await;
    ctx.assert_missing(&new).await;

    let [old, new] = Context::keys();
    ctx.create(&old, ctx.record("moved")).await;
    let mut locked = ctx.lock(&old).await;
    let mut record = successor(&locked.record, "short");
    record.meta.deadline = Some(ctx.now() + Duration::from_millis(200));
    let rotated = ctx.storage().rotate(&mut locked.lock, &new, record, Duration::ZERO);
    rotated.await.expect("rotate");
    ctx.pass_surely(Duration::from_millis(200)).await;
    assert_eq!(ctx.destroy(&old).await, Lookup::Superseded);
    ctx.assert_missing(&new).await;
}

pub(crate) async fn of_a_tombstone_that_is_over_finds_nothing(ctx: Context) {
    let [old, new] = rotated(&ctx).await;
    ctx.pass_surely(ctx.profile().tombstone).await;
    assert_eq!(ctx.destroy(&old).await, Lookup::Missing);
    ctx.assert_free(&new, b"moved").await;
}

pub(crate) async fn leaves_nothing_behind(ctx: Context) {
    let Some(before) = ctx.footprint().await else {
        return removes_the_session(ctx).await;
    };
    let (key, locked) = ctx.locked("x").await;
    ctx.destroy(&key).await;
    drop(locked);
    ctx.settle().await;
    let after = ctx.footprint().await;
    assert_eq!(after, Some(before), "something of a destroyed session is left");
}
