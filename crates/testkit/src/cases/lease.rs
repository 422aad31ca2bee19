//! Leases: they end by themselves, can be renewed, and late holders are refused.

use std::time::Duration;

use sessile_core::{Lookup, StorageErrorKind};

use crate::kit::{Context, refused, successor};

pub(crate) async fn keeps_others_out_until_its_end(ctx: Context) {
    let begun = ctx.now();
    let (key, locked) = ctx.locked("x").await;
    let lease = locked.lock.lease();
    ctx.pass(lease * 3 / 4).await;
    let second = ctx.storage().lock(&key, Duration::ZERO).await;
    if !ctx.is_late(begun + lease) {
        refused(
            second,
            StorageErrorKind::LockTimeout,
            "lock of a session that is locked",
        );
    }
    drop(locked);
}

pub(crate) async fn frees_the_session_at_its_end(ctx: Context) {
    let (key, mut late) = ctx.locked("x").await;
    ctx.pass_surely(late.lock.lease()).await;
    ctx.assert_free(&key, b"x").await;
    let result = ctx
        .storage()
        .commit(&mut late.lock, successor(&late.record, "late"))
        .await;
    refused(result, StorageErrorKind::LockLost, "commit after the lease");
}

/// A dead holder delays waiters for one lease at most.
pub(crate) async fn lets_waiters_in_at_its_end(ctx: Context) {
    let (key, locked) = ctx.locked("x").await;
    let lease = locked.lock.lease();
    let start = ctx.now();
    if !ctx.waits_follow_the_clock() {
        ctx.pass_surely(lease).await;
    }
    let second = ctx.storage().lock(&key, lease * 10).await;
    let second = second
        .expect("the lease is over, the wait is not")
        .found()
        .expect("a live session");
    let waited = start.until(ctx.now());
    assert!(
        waited >= lease * 9 / 10,
        "the lock was given away {waited:?} into a lease of {lease:?}"
    );
    assert!(
        waited < lease * 2,
        "the lock was free only {waited:?} after it was taken for {lease:?}"
    );
    drop(locked);
    ctx.assert_held(&key).await;
    ctx.release(second.lock).await;
}

pub(crate) async fn runs_anew_when_renewed(ctx: Context) {
    let (key, mut locked) = ctx.locked("x").await;
    let lease = locked.lock.lease();
    for _ in 0..3 {
        ctx.pass(lease * 3 / 5).await;
        ctx.storage()
            .renew(&locked.lock.id())
            .await
            .expect("renew of a held lock");
        ctx.assert_held(&key).await;
    }
    ctx.commit(&mut locked, "y").await;
    ctx.assert_free(&key, b"y").await;
}

pub(crate) async fn is_not_added_up_by_renewals(ctx: Context) {
    let (key, locked) = ctx.locked("x").await;
    for _ in 0..5 {
        ctx.storage()
            .renew(&locked.lock.id())
            .await
            .expect("renew of a held lock");
    }
    ctx.pass_surely(locked.lock.lease()).await;
    ctx.assert_free(&key, b"x").await;
}

pub(crate) async fn cannot_be_renewed_after_its_end(ctx: Context) {
    let (key, late) = ctx.locked("x").await;
    ctx.pass_surely(late.lock.lease()).await;
    let result = ctx.storage().renew(&late.lock.id()).await;
    refused(result, StorageErrorKind::LockLost, "renew after the lease");
    let second = ctx.storage().lock(&key, Duration::ZERO).await;
    let second = second.expect("the lease is over").found().expect("a live session");
    let result = ctx.storage().renew(&late.lock.id()).await;
    refused(result, StorageErrorKind::LockLost, "renew of a lock that is another's");
    ctx.release(second.lock).await;
}

pub(crate) async fn cannot_be_renewed_for_a_session_that_is_gone(ctx: Context) {
    let (key, destroyed) = ctx.locked("x").await;
    ctx.destroy(&key).await;
    let result = ctx.storage().renew(&destroyed.lock.id()).await;
    refused(result, StorageErrorKind::Gone, "renew for a destroyed session");
    ctx.assert_missing(&key).await;

    let [old, new] = Context::keys();
    ctx.create(&old, ctx.record("moved")).await;
    let mut locked = ctx.lock(&old).await;
    let lock_id = locked.lock.id();
    ctx.rotate(&mut locked, &new, Duration::ZERO).await;
    let result = ctx.storage().renew(&lock_id).await;
    refused(
        result,
        StorageErrorKind::Superseded,
        "renew for a session that has moved",
    );
    ctx.assert_free(&new, b"moved").await;
}

/// No operation of a late holder affects the current holder.
pub(crate) async fn over_means_nothing_is_changed(ctx: Context) {
    let [key, new] = Context::keys();
    ctx.create(&key, ctx.record("x")).await;
    let mut late = ctx.lock(&key).await;
    ctx.pass_surely(late.lock.lease()).await;
    let mut second = ctx.lock(&key).await;
    let record = successor(&late.record, "late");
    let result = ctx.storage().commit(&mut late.lock, record.clone()).await;
    refused(result, StorageErrorKind::LockLost, "commit after the lease");
    let result = ctx.storage().rotate(&mut late.lock, &new, record, Duration::ZERO).await;
    refused(result, StorageErrorKind::LockLost, "rotate after the lease");
    ctx.assert_missing(&new).await;
    ctx.release(late.lock).await;
    ctx.assert_held(&key).await;
    ctx.commit(&mut second, "y").await;
    ctx.assert_free(&key, b"y").await;
}

pub(crate) async fn over_dropping_the_lock_frees_no_other(ctx: Context) {
    let (key, late) = ctx.locked("x").await;
    ctx.pass_surely(late.lock.lease()).await;
    let second = ctx.lock(&key).await;
    drop(late);
    tokio::time::sleep(Duration::from_millis(20)).await;
    ctx.assert_held(&key).await;
    ctx.release(second.lock).await;
}

pub(crate) async fn over_the_session_is_as_it_was(ctx: Context) {
    let (key, late) = ctx.locked("x").await;
    let before = ctx.found(&key).await;
    ctx.pass_surely(late.lock.lease()).await;
    assert_eq!(ctx.found(&key).await, before);
    let again = ctx.storage().lock(&key, Duration::ZERO).await;
    assert!(
        matches!(again, Ok(Lookup::Found(_))),
        "lock after the lease returned {again:?}"
    );
    drop(late);
}
