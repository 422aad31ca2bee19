//! Waiting for a lock: in order of arrival, with limits on time and number, and with a result for every fate of the
//! session.

use std::time::Duration;

use sessile_core::{Lookup, StorageErrorKind};
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::cases::alias::chain;
use crate::cases::rotate::rotated;
use crate::cases::waiter::{granted, result, waiter};
use crate::kit::{Context, refused};

pub(crate) async fn ends_when_the_wait_is_over(ctx: Context) {
    let (key, locked) = ctx.locked("x").await;
    let wait = (ctx.lease().await / 4).min(Duration::from_millis(300));
    let start = Instant::now();
    let result = ctx.immediate("a short wait", ctx.storage().lock(&key, wait)).await;
    refused(
        result,
        StorageErrorKind::LockTimeout,
        "lock of a session that stays locked",
    );
    // One millisecond allows for the rounding of timers.
    let waited = start.elapsed() + Duration::from_millis(1);
    assert!(waited >= wait, "gave up after {waited:?} of a wait of {wait:?}");
    ctx.release(locked.lock).await;
    ctx.assert_free(&key, b"x").await;
}

pub(crate) async fn of_zero_is_not_waited(ctx: Context) {
    let (key, locked) = ctx.locked("x").await;
    let start = Instant::now();
    ctx.assert_held(&key).await;
    assert!(
        start.elapsed() < ctx.lease().await / 4,
        "a wait of zero took {:?}",
        start.elapsed()
    );
    ctx.release(locked.lock).await;
    let free = ctx.storage().lock(&key, Duration::ZERO).await;
    assert!(
        matches!(free, Ok(Lookup::Found(_))),
        "a free lock needs no wait, and lock returned {free:?}"
    );
}

pub(crate) async fn of_any_length_is_accepted(ctx: Context) {
    let (key, mut locked) = ctx.locked("x").await;
    let waiter = waiter(&ctx, key, Duration::MAX).await;
    ctx.commit(&mut locked, "y").await;
    let second = granted(&ctx, "a wait without end", waiter).await;
    ctx.release(second.lock).await;
}

pub(crate) async fn ends_with_a_commit_and_sees_it(ctx: Context) {
    let (key, mut locked) = ctx.locked("old").await;
    let waiter = waiter(&ctx, key, ctx.lease().await * 10).await;
    ctx.commit(&mut locked, "new").await;
    let second = granted(&ctx, "after a commit", waiter).await;
    assert_eq!(
        second.record.payload, "new",
        "a waiter got the record as it was when the wait began"
    );
    ctx.release(second.lock).await;
}

pub(crate) async fn ends_with_a_release(ctx: Context) {
    let (key, locked) = ctx.locked("x").await;
    let waiter = waiter(&ctx, key, ctx.lease().await * 10).await;
    ctx.release(locked.lock).await;
    let second = granted(&ctx, "after a release", waiter).await;
    ctx.release(second.lock).await;
}

pub(crate) async fn ends_with_a_dropped_lock(ctx: Context) {
    let (key, locked) = ctx.locked("x").await;
    let waiter = waiter(&ctx, key, ctx.lease().await * 10).await;
    drop(locked);
    let second = granted(&ctx, "after the lock was dropped", waiter).await;
    ctx.release(second.lock).await;
}

pub(crate) async fn ends_with_destroy(ctx: Context) {
    let (key, locked) = ctx.locked("x").await;
    let first = waiter(&ctx, key, ctx.lease().await * 10).await;
    let second = waiter(&ctx, key, ctx.lease().await * 10).await;
    ctx.destroy(&key).await;
    for waiter in [first, second] {
        let result = result(&ctx, "waiting for a session that is destroyed", waiter).await;
        assert!(
            matches!(result, Ok(Lookup::Missing)),
            "a waiter for a destroyed session got {result:?}"
        );
    }
    drop(locked);
}

pub(crate) async fn ends_with_destroy_of_a_tombstone(ctx: Context) {
    let [old, new] = rotated(&ctx).await;
    let locked = ctx.lock(&new).await;
    let waiter = waiter(&ctx, new, ctx.lease().await * 10).await;
    ctx.destroy(&old).await;
    let result = result(&ctx, "waiting for a session that is destroyed by its old key", waiter).await;
    assert!(
        matches!(result, Ok(Lookup::Missing)),
        "a waiter for a destroyed session got {result:?}"
    );
    drop(locked);
}

pub(crate) async fn ends_with_the_end_of_the_record(ctx: Context) {
    let key = Context::key();
    let lease = ctx.lease().await;
    let life = (lease / 4).min(Duration::from_millis(400));
    ctx.create(&key, ctx.record_until(ctx.now() + life, "short")).await;
    let locked = ctx.lock(&key).await;
    if !ctx.waits_follow_the_clock() {
        ctx.pass_surely(life).await;
    }
    let waiter = waiter(&ctx, key, lease * 10).await;
    // The storage must check again when the lease ends at the latest, and find nothing.
    let result = tokio::time::timeout(lease * 2, waiter).await;
    let result = result
        .expect("waiting for a session that expires: no result")
        .expect("a waiter panicked");
    assert!(
        matches!(result, Ok(Lookup::Missing)),
        "a waiter for an expired session got {result:?}"
    );
    drop(locked);
}

pub(crate) async fn ends_with_rotation(ctx: Context) {
    let [old, new] = Context::keys();
    ctx.create(&old, ctx.record("moved")).await;
    let mut locked = ctx.lock(&old).await;
    let waiter = waiter(&ctx, old, ctx.lease().await * 10).await;
    ctx.rotate(&mut locked, &new, Duration::ZERO).await;
    let result = result(&ctx, "waiting for a session that moves", waiter).await;
    assert!(
        matches!(result, Ok(Lookup::Superseded)),
        "a waiter for a session that moved got {result:?}"
    );
    ctx.assert_free(&new, b"moved").await;
}

pub(crate) async fn follows_rotation_with_a_grace(ctx: Context) {
    if !ctx.profile().aliases {
        return super::rotate::aliases_are_refused(&ctx).await;
    }
    let [old, new] = Context::keys();
    ctx.create(&old, ctx.record("moved")).await;
    let mut locked = ctx.lock(&old).await;
    let first = waiter(&ctx, old, ctx.lease().await * 10).await;
    let second = waiter(&ctx, old, ctx.lease().await * 10).await;
    ctx.rotate(&mut locked, &new, Duration::from_secs(600)).await;
    // The order of arrival at the new key is not specified.
    let mut both = tokio::task::JoinSet::new();
    for waiter in [first, second] {
        let ctx = ctx.clone();
        both.spawn(async move {
            let locked = granted(&ctx, "waiting for a session that moves with a grace", waiter).await;
            assert_eq!(
                locked.lock.key(),
                &new,
                "the lock is on the key the session has moved to"
            );
            assert_eq!(locked.record.payload, "moved");
            ctx.assert_held(&new).await;
            ctx.release(locked.lock).await;
        });
    }
    both.join_all().await;
}

/// A waiter that came through an alias gets the result for that alias.
pub(crate) async fn through_an_alias_ends_with_the_session(ctx: Context) {
    if !ctx.profile().aliases {
        return super::rotate::aliases_are_refused(&ctx).await;
    }
    let [old, new] = chain(&ctx).await;
    let _held = ctx.lock(&new).await;
    let waiter = waiter(&ctx, old, ctx.lease().await * 10).await;
    assert_eq!(ctx.destroy(&new).await, Lookup::Found(()));
    let result = result(&ctx, "waiting through an alias for a session that ends", waiter).await;
    assert!(
        matches!(result, Ok(Lookup::Superseded)),
        "a waiter through an alias of a session that ended got {result:?}"
    );
}

pub(crate) async fn is_in_order_of_arrival(ctx: Context) {
    let (key, mut locked) = ctx.locked("0").await;
    let wait = ctx.lease().await * 10;
    let mut waiters = Vec::new();
    for _ in 0..6.min(ctx.profile().max_waiters) {
        waiters.push(waiter(&ctx, key, wait).await);
    }
    // One waiter in the middle is cancelled. The others keep their order.
    waiters.remove(2.min(waiters.len() - 1)).abort();
    ctx.settle().await;
    ctx.commit(&mut locked, "1").await;
    for (place, waiter) in waiters.into_iter().enumerate() {
        let what = format!("waiter {place} of the queue");
        let locked = granted(&ctx, &what, waiter).await;
        ctx.settle().await;
        ctx.release(locked.lock).await;
    }
}

/// A call that finds the lock free but other waiters queued comes after them.
pub(crate) async fn cannot_be_skipped(ctx: Context) {
    let (key, locked) = ctx.locked("x").await;
    let waiter = waiter(&ctx, key, ctx.lease().await * 10).await;
    ctx.release(locked.lock).await;
    let jumper = ctx.storage().lock(&key, Duration::ZERO).await;
    refused(
        jumper,
        StorageErrorKind::LockTimeout,
        "lock when another has waited for it",
    );
    let first = granted(&ctx, "the waiter", waiter).await;
    ctx.release(first.lock).await;
}

pub(crate) async fn is_bounded(ctx: Context) {
    let (key, mut locked) = ctx.locked("x").await;
    let wait = ctx.lease().await * 10;
    let mut waiters = JoinSet::new();
    let come = |waiters: &mut JoinSet<_>| {
        let waiting = ctx.clone();
        waiters.spawn(async move { waiting.storage().lock(&key, wait).await })
    };
    for _ in 1..ctx.profile().max_waiters {
        come(&mut waiters);
    }
    let leaving = come(&mut waiters);
    ctx.settle().await;
    assert!(waiters.try_join_next().is_none(), "as many as may wait do wait");
    let refusal = ctx
        .immediate("one waiter too many", ctx.storage().lock(&key, wait))
        .await;
    refused(refusal, StorageErrorKind::TooManyWaiters, "one waiter too many");

    // Another session has its own queue, and a waiter that leaves makes room.
    ctx.locked("another").await;
    leaving.abort();
    let left = ctx.immediate("one that leaves", waiters.join_next()).await;
    assert!(
        left.expect("there are some").is_err_and(|error| error.is_cancelled()),
        "one leaves"
    );
    come(&mut waiters);
    ctx.settle().await;
    assert!(waiters.try_join_next().is_none(), "one has left, so one may come");

    ctx.commit(&mut locked, "y").await;
    // These arrived concurrently, so any of them may be the first in the queue.
    for _ in 0..ctx.profile().max_waiters {
        let granted = ctx.immediate("one of as many as may wait", waiters.join_next()).await;
        match granted.expect("as many as may wait").expect("a waiter panicked") {
            Ok(Lookup::Found(locked)) => ctx.release(locked.lock).await,
            other => panic!("a waiter within the limit: the lock was expected, and the result is {other:?}"),
        }
    }
    ctx.assert_free(&key, b"y").await;
}

/// Waiters that are cancelled, even after the lock was granted to them, do not delay the others.
pub(crate) async fn cancelled_passes_the_lock_on(ctx: Context) {
    let (key, locked) = ctx.locked("x").await;
    let wait = ctx.lease().await * 10;
    let dropped = waiter(&ctx, key, wait).await;
    let hasty = waiter(&ctx, key, Duration::from_millis(30)).await;
    let patient = waiter(&ctx, key, wait).await;
    let result = result(&ctx, "a short wait", hasty).await;
    refused(result, StorageErrorKind::LockTimeout, "a short wait");
    ctx.release(locked.lock).await;
    // The first waiter is at the head of the queue, and never learns of it.
    dropped.abort();
    // If locks are granted by message, the task may have got it after all. The lock is dropped with the task then.
    drop(dropped);
    let locked = granted(&ctx, "the waiter behind those that left", patient).await;
    ctx.release(locked.lock).await;
    ctx.assert_free(&key, b"x").await;
}
