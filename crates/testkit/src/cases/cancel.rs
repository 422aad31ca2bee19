//! Cancellation: a call that is dropped at an await point has taken effect or has not, and leaves no lock behind.

use std::future::poll_fn;
use std::task::Poll;
use std::time::Duration;

use sessile_core::{Locked, Lookup, SessionKey, StorageErrorKind};

use crate::cases::cut::{Cut, at_every_point};
use crate::kit::{Context, refused, successor};

/// Checks that one of the two payloads is stored, the lock is free, and no effect of the call comes later.
async fn one_of(ctx: &Context, key: &SessionKey, payloads: [&str; 2], ended: bool, cut: Cut) {
    let mut locked = ctx.lock(key).await;
    let payload = locked.record.payload.clone();
    assert!(
        payloads.iter().any(|expected| payload == expected.as_bytes()),
        "cut {cut:?}: the record is neither the old one nor the new: {payload:?}"
    );
    assert!(
        !ended || payload == payloads[1],
        "cut {cut:?}: the call came to its end and has not written"
    );
    ctx.commit(&mut locked, "later").await;
    ctx.settle().await;
    ctx.assert_free(key, b"later").await;
}

pub(crate) async fn of_read_disturbs_nothing(ctx: Context) {
    let key = ctx.created("x").await;
    at_every_point(async |cut| {
        let ended = cut.run(ctx.storage().read(&key)).await.is_some();
        ctx.assert_free(&key, b"x").await;
        ended
    })
    .await;
}

pub(crate) async fn of_create_leaves_all_or_nothing(ctx: Context) {
    at_every_point(async |cut| {
        let key = Context::key();
        let record = ctx.record("created");
        let ended = cut.run(ctx.storage().create(&key, record.clone())).await;
        ctx.settle().await;
        match ctx.read(&key).await {
            Lookup::Found(stored) => assert_eq!(stored.record, record, "cut {cut:?}: a part of the record is there"),
            other => {
                assert!(
                    ended.is_none(),
                    "cut {cut:?}: create came to its end, and read returned {other:?}"
                );
                // A cancelled call may take effect late: the key is free, or the whole record is stored.
                match ctx.storage().create(&key, record).await {
                    Err(error) if error.kind() == StorageErrorKind::Exists => {}
                    created => created.unwrap_or_else(|error| panic!("cut {cut:?}: create failed: {error:?}")),
                }
            }
        }
        ctx.assert_free(&key, b"created").await;
        ended.is_some()
    })
    .await;
}

pub(crate) async fn of_lock_leaves_no_lock(ctx: Context) {
    let key = ctx.created("x").await;
    let wait = ctx.lease().await;
    at_every_point(async |cut| {
        let locked = cut.run(ctx.storage().lock(&key, wait)).await;
        let ended = locked.is_some();
        drop(locked);
        ctx.assert_free(&key, b"x").await;
        ended
    })
    .await;
}

pub(crate) async fn of_lock_while_waiting_leaves_no_gap(ctx: Context) {
    let key = ctx.created("x").await;
    let wait = ctx.lease().await * 10;
    for polls in 0..4 {
        let held = ctx.lock(&key).await;
        let mut first = Box::pin(ctx.storage().lock(&key, wait));
        for _ in 0..polls {
            poll_fn(|cx| Poll::Ready(first.as_mut().poll(cx).is_ready())).await;
            ctx.settle().await;
        }
        let waiting = ctx.clone();
        let second = tokio::spawn(async move { waiting.storage().lock(&key, wait).await });
        ctx.settle().await;
        ctx.release(held.lock).await;
        ctx.settle().await;
        // The first waiter may be at the head of the queue by now, and never learns of it.
        drop(first);
        let locked = ctx.immediate("the one behind a waiter that was dropped", second).await;
        let locked = locked.expect("a waiter panicked").expect("lock").found().expect("live");
        ctx.release(locked.lock).await;
        ctx.assert_free(&key, b"x").await;
    }
}

pub(crate) async fn of_commit_leaves_the_old_or_the_new(ctx: Context) {
    at_every_point(async |cut| {
        let (key, mut locked) = ctx.locked("the old payload").await;
        let next = successor(&locked.record, "the new one");
        let ended = cut.run(ctx.storage().commit(&mut locked.lock, next)).await.is_some();
        drop(locked);
        one_of(&ctx, &key, ["the old payload", "the new one"], ended, cut).await;
        ended
    })
    .await;
}

pub(crate) async fn of_replace_leaves_the_old_or_the_new(ctx: Context) {
    at_every_point(async |cut| {
        let key = ctx.created("old").await;
        let known = ctx
            .storage()
            .read(&key)
            .await
            .expect("read")
            .found()
            .expect("a live session");
        let next = successor(&known.record, "new");
        let ended = match cut.run(ctx.storage().replace(&known, next)).await {
            Some(Ok(done)) => {
                assert!(done, "replace of a session without other users returned false");
                true
            }
            Some(Err(error)) => panic!("replace of a session without other users failed: {error:?}"),
            None => false,
        };
        one_of(&ctx, &key, ["old", "new"], ended, cut).await;
        ended
    })
    .await;
}

pub(crate) async fn of_rotate_leaves_one_session(ctx: Context) {
    at_every_point(async |cut| {
        let [old, new] = Context::keys();
        ctx.create(&old, ctx.record("moving")).await;
        let mut locked = ctx.lock(&old).await;
        let next = successor(&locked.record, "moved");
        let call = ctx.storage().rotate(&mut locked.lock, &new, next, Duration::ZERO);
        let ended = cut.run(call).await.is_some();
        drop(locked);
        match ctx.storage().lock(&old, ctx.lease().await / 2).await.expect("lock") {
            Lookup::Found(locked) => {
                assert!(
                    !ended,
                    "cut {cut:?}: rotate came to its end, and the session has not moved"
                );
                assert_eq!(
                    locked.record.payload, "moving",
                    "cut {cut:?}: half of a rotation is there"
                );
                ctx.assert_missing(&new).await;
                ctx.release(locked.lock).await;
            }
            Lookup::Superseded => {
                ctx.assert_superseded(&old).await;
                one_of(&ctx, &new, ["moved", "moved"], ended, cut).await;
            }
            Lookup::Missing => panic!("cut {cut:?}: the session is lost"),
        }
        ended
    })
    .await;
}

pub(crate) async fn of_release_leaves_no_lock(ctx: Context) {
    let key = ctx.created("x").await;
    at_every_point(async |cut| {
        let locked = ctx.lock(&key).await;
        let ended = cut.run(ctx.storage().release(locked.lock)).await.is_some();
        ctx.assert_free(&key, b"x").await;
        ended
    })
    .await;
}

pub(crate) async fn of_renew_keeps_the_lock(ctx: Context) {
    at_every_point(async |cut| {
        let (key, mut locked) = ctx.locked("x").await;
        let ended = cut.run(ctx.storage().renew(&locked.lock.id())).await.is_some();
        ctx.assert_held(&key).await;
        ctx.commit(&mut locked, "y").await;
        ctx.assert_free(&key, b"y").await;
        ended
    })
    .await;
}

pub(crate) async fn of_touch_moves_both_times_or_none(ctx: Context) {
    at_every_point(async |cut| {
        let key = ctx.created("x").await;
        let before = ctx.found(&key).await;
        let mut touched = before.clone();
        let (deadline, active) = (
            ctx.now() + Duration::from_secs(7_200),
            ctx.now() + Duration::from_secs(60),
        );
        touched.meta.touch(Some(deadline), active);
        let ended = cut
            .run(ctx.storage().touch(&key, 1, Some(deadline), active))
            .await
            .is_some();
        ctx.settle().await;
        let after = ctx.found(&key).await;
        assert!(
            after == touched || !ended && after == before,
            "cut {cut:?}: {before:?} has become {after:?}"
        );
        ctx.assert_free(&key, b"x").await;
        ended
    })
    .await;
}

pub(crate) async fn of_destroy_leaves_all_or_nothing(ctx: Context) {
    at_every_point(async |cut| {
        let (key, mut locked) = ctx.locked("x").await;
        let ended = cut.run(ctx.storage().destroy(&key)).await.is_some();
        ctx.settle().await;
        match ctx.read(&key).await {
            Lookup::Found(_) => {
                assert!(!ended, "cut {cut:?}: destroy came to its end, and the session lives");
                lives_or_ends_late(&ctx, &key, locked, cut).await;
            }
            other => {
                assert_eq!(other, Lookup::Missing, "cut {cut:?}");
                let late = successor(&locked.record, "undead");
                let result = ctx.storage().commit(&mut locked.lock, late).await;
                refused(result, StorageErrorKind::Gone, "commit after destroy");
            }
        }
        ended
    })
    .await;
}

/// A session that outlived a cancelled `destroy` can still be written and locked, or is gone for good. The call may
/// take effect late, but only as a whole.
async fn lives_or_ends_late(ctx: &Context, key: &SessionKey, mut locked: Locked, cut: Cut) {
    let next = successor(&locked.record, "y");
    let committed = ctx.storage().commit(&mut locked.lock, next).await;
    drop(locked);
    let now = ctx.storage().lock(key, ctx.lease().await / 2).await;
    match (
        committed,
        now.unwrap_or_else(|error| panic!("cut {cut:?}: lock failed: {error:?}")),
    ) {
        (Ok(()), Lookup::Found(locked)) => {
            assert_eq!(
                locked.record.payload, "y",
                "cut {cut:?}: what was committed is not there"
            );
            ctx.release(locked.lock).await;
        }
        (Ok(()), Lookup::Missing) => ctx.assert_missing(key).await,
        (Err(error), Lookup::Missing) if error.kind() == StorageErrorKind::Gone => ctx.assert_missing(key).await,
        (committed, now) => panic!("cut {cut:?}: commit returned {committed:?}, and then lock {now:?}"),
    }
}

pub(crate) async fn of_scan_and_sweep_harms_no_session(ctx: Context) {
    let key = ctx.created("x").await;
    at_every_point(async |cut| {
        let scanned = cut.run(ctx.storage().scan(None, 10)).await.is_some();
        let expired = Context::key();
        ctx.create(
            &expired,
            ctx.record_until(ctx.now() + Duration::from_millis(5), "short"),
        )
        .await;
        ctx.pass_surely(Duration::from_millis(5)).await;
        let swept = cut.run(ctx.storage().sweep(10)).await.is_some();
        ctx.settle().await;
        ctx.assert_missing(&expired).await;
        ctx.assert_free(&key, b"x").await;
        scanned && swept
    })
    .await;
}
