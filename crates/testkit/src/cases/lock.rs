//! `lock`: the lock together with the record, exclusive, and nothing for keys that are not live.

use std::time::Duration;

use sessile_core::{Lookup, StorageErrorKind};

use crate::cases::rotate::rotated;
use crate::kit::{Context, forged, refused, successor};

pub(crate) async fn returns_the_record_and_its_lock(ctx: Context) {
    let key = ctx.created("x").await;
    let stored = ctx.found(&key).await;
    let locked = ctx.lock(&key).await;
    assert_eq!(locked.record, stored);
    assert_eq!(locked.lock.key(), &key);
    assert!(!locked.lock.lease().is_zero(), "a lease of nothing protects nothing");
    ctx.release(locked.lock).await;
}

pub(crate) async fn excludes_others(ctx: Context) {
    let (key, mut locked) = ctx.locked("x").await;
    ctx.assert_held(&key).await;
    let result = ctx.second().lock(&key, Duration::ZERO).await;
    refused(result, StorageErrorKind::LockTimeout, "lock by a second handle");
    ctx.commit(&mut locked, "y").await;
    let second = ctx.second().lock(&key, ctx.lease().await / 2).await;
    let second = second
        .expect("lock by a second handle")
        .found()
        .expect("a live session");
    ctx.assert_held(&key).await;
    ctx.second().release(second.lock).await.expect("release");
    ctx.assert_free(&key, b"y").await;
}

pub(crate) async fn sessions_do_not_exclude_each_other(ctx: Context) {
    let keys: [_; 3] = Context::keys();
    let mut locks = Vec::new();
    for key in &keys {
        ctx.create(key, ctx.record("x")).await;
        locks.push(ctx.lock(key).await);
    }
    for mut locked in locks {
        ctx.commit(&mut locked, "y").await;
    }
}

/// A missing session is reported immediately, even with a long wait.
pub(crate) async fn an_unknown_key_is_missing_at_once(ctx: Context) {
    let key = Context::key();
    let wait = ctx.lease().await * 10;
    let lock = ctx
        .immediate("lock of an unknown session", ctx.storage().lock(&key, wait))
        .await;
    assert!(
        matches!(lock, Ok(Lookup::Missing)),
        "lock of an unknown session returned {lock:?}"
    );
}

pub(crate) async fn an_unknown_key_leaves_nothing_behind(ctx: Context) {
    ctx.lease().await;
    let before = ctx.footprint().await;
    let keys: [_; 8] = Context::keys();
    for key in &keys {
        let lock = ctx.storage().lock(key, Duration::ZERO).await;
        assert!(
            matches!(lock, Ok(Lookup::Missing)),
            "lock of an unknown session returned {lock:?}"
        );
    }
    assert_eq!(
        ctx.footprint().await,
        before,
        "asking for an unknown session left something behind"
    );
    // A lock that stayed behind would block this one.
    for key in &keys {
        ctx.create(key, ctx.record("x")).await;
        let lock = ctx.storage().lock(key, Duration::ZERO).await;
        assert!(
            matches!(lock, Ok(Lookup::Found(_))),
            "lock of a new session returned {lock:?}"
        );
    }
}

pub(crate) async fn an_expired_record_is_missing_at_once(ctx: Context) {
    let key = Context::key();
    let deadline = ctx.now() + Duration::from_millis(200);
    ctx.create(&key, ctx.record_until(deadline, "expired")).await;
    let wait = ctx.lease().await * 10;
    ctx.pass_surely(Duration::from_millis(200)).await;
    let lock = ctx
        .immediate("lock of an expired session", ctx.storage().lock(&key, wait))
        .await;
    assert!(
        matches!(lock, Ok(Lookup::Missing)),
        "lock of an expired session returned {lock:?}"
    );
}

pub(crate) async fn a_tombstone_is_superseded_at_once(ctx: Context) {
    let [old, _] = rotated(&ctx).await;
    let wait = ctx.lease().await * 10;
    let lock = ctx
        .immediate("lock of a tombstone", ctx.storage().lock(&old, wait))
        .await;
    assert!(
        matches!(lock, Ok(Lookup::Superseded)),
        "lock of a tombstone returned {lock:?}"
    );
}

pub(crate) async fn each_has_a_token_of_its_own(ctx: Context) {
    let key = ctx.created("x").await;
    let mut tokens = Vec::new();
    for _ in 0..8 {
        let locked = ctx.lock(&key).await;
        tokens.push(*locked.lock.id().token.as_bytes());
        ctx.release(locked.lock).await;
    }
    tokens.sort_unstable();
    tokens.dedup();
    assert_eq!(tokens.len(), 8, "a token was used twice");
}

pub(crate) async fn release_gives_it_up_and_writes_nothing(ctx: Context) {
    let (key, locked) = ctx.locked("x").await;
    let before = ctx.found(&key).await;
    ctx.release(locked.lock).await;
    let again = ctx.storage().lock(&key, Duration::ZERO).await;
    let again = again.ok().and_then(Lookup::found);
    let again = again.expect("when release has returned, the lock is free");
    assert_eq!(again.record, before);
    ctx.release(again.lock).await;
}

/// Only the lock's own token releases it.
pub(crate) async fn release_without_the_right_token_does_nothing(ctx: Context) {
    let (key, mut locked) = ctx.locked("x").await;
    ctx.release(forged(key)).await;
    ctx.assert_held(&key).await;
    ctx.commit(&mut locked, "y").await;
    ctx.release(forged(Context::key())).await;
}

pub(crate) async fn renew_without_the_right_token_is_refused(ctx: Context) {
    let (key, mut locked) = ctx.locked("x").await;
    let result = ctx.storage().renew(&forged(key).id()).await;
    refused(
        result,
        StorageErrorKind::LockLost,
        "renew with a wrong token, beside the holder",
    );
    ctx.commit(&mut locked, "y").await;
    let result = ctx.storage().renew(&forged(key).id()).await;
    refused(
        result,
        StorageErrorKind::LockLost,
        "renew with a wrong token on an unlocked session",
    );
    let result = ctx.storage().renew(&locked.lock.id()).await;
    refused(result, StorageErrorKind::LockLost, "renew of a lock that was given up");
    ctx.assert_free(&key, b"y").await;

    let unknown = Context::key();
    let result = ctx.storage().renew(&forged(unknown).id()).await;
    refused(result, StorageErrorKind::Gone, "renew for an unknown session");
    ctx.assert_missing(&unknown).await;
}

pub(crate) async fn dropping_it_gives_it_up(ctx: Context) {
    let (key, locked) = ctx.locked("x").await;
    drop(locked);
    ctx.assert_free(&key, b"x").await;
}

pub(crate) async fn a_holder_that_panics_gives_it_up(ctx: Context) {
    let (key, locked) = ctx.locked("x").await;
    let holder = tokio::spawn(async move {
        let _locked = locked;
        // Unwinds like a panic, without its message.
        std::panic::resume_unwind(Box::new("a holder panics"));
    });
    assert!(holder.await.is_err_and(|error| error.is_panic()));
    ctx.assert_free(&key, b"x").await;
}

pub(crate) async fn a_holder_that_is_aborted_gives_it_up(ctx: Context) {
    let (key, locked) = ctx.locked("x").await;
    let holder = tokio::spawn(async move {
        let _locked = locked;
        std::future::pending::<()>().await;
    });
    tokio::task::yield_now().await;
    holder.abort();
    assert!(holder.await.is_err_and(|error| error.is_cancelled()));
    ctx.assert_free(&key, b"x").await;
}

pub(crate) async fn dropping_a_disarmed_lock_does_nothing(ctx: Context) {
    let (key, mut first) = ctx.locked("x").await;
    let next = successor(&first.record, "y");
    ctx.storage().commit(&mut first.lock, next).await.expect("commit");
    let second = ctx.lock(&key).await;
    drop(first);
    // Time for the background work of a wrong release.
    tokio::time::sleep(Duration::from_millis(20)).await;
    ctx.assert_held(&key).await;
    ctx.release(second.lock).await;
}
