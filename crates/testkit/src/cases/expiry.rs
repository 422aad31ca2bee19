//! Expiry: exact to the millisecond by the clock of the storage, for every operation.

use std::time::Duration;

use sessile_core::{Lookup, SessionKey, StorageErrorKind, Timestamp};

use crate::kit::{Context, refused, successor};

/// Checks that the session exists before its deadline and not from its deadline on.
async fn ends_exactly_at(ctx: &Context, key: &SessionKey, deadline: Timestamp) {
    if ctx.stops_the_clock() {
        ctx.until(Timestamp::from_millis(deadline.as_millis() - 1)).await;
        let read = ctx.read(key).await;
        assert!(
            read.is_found(),
            "a millisecond before its deadline, read returned {read:?}"
        );
        ctx.until(deadline).await;
        let read = ctx.read(key).await;
        assert!(
            matches!(read, Lookup::Missing),
            "at its deadline, read returned {read:?}"
        );
        return;
    }
    // The clock cannot be stopped, so read it before and after. A result in between must agree with one of both.
    let skew = ctx.profile().skew;
    ctx.until(Timestamp::from_millis(deadline.as_millis().saturating_sub(30)))
        .await;
    loop {
        let before = ctx.now();
        let read = ctx.read(key).await;
        let after = ctx.now();
        match read {
            Lookup::Found(_) => assert!(
                before < deadline + skew,
                "found at {before:?}, the deadline being {deadline:?}"
            ),
            Lookup::Missing => {
                assert!(
                    after + skew >= deadline,
                    "missing at {after:?}, the deadline being {deadline:?}"
                );
                return;
            }
            Lookup::Superseded => panic!("an expired session was superseded"),
        }
        tokio::task::yield_now().await;
    }
}

pub(crate) async fn is_exact_after_create(ctx: Context) {
    let key = Context::key();
    let deadline = ctx.now() + Duration::from_millis(317);
    ctx.create(&key, ctx.record_until(deadline, "x")).await;
    ends_exactly_at(&ctx, &key, deadline).await;
}

pub(crate) async fn is_exact_after_commit(ctx: Context) {
    let (key, mut locked) = ctx.locked("x").await;
    let deadline = ctx.now() + Duration::from_millis(317);
    let mut record = successor(&locked.record, "y");
    record.meta.deadline = Some(deadline);
    ctx.storage().commit(&mut locked.lock, record).await.expect("commit");
    ends_exactly_at(&ctx, &key, deadline).await;
}

pub(crate) async fn is_exact_after_replace(ctx: Context) {
    let key = ctx.created("x").await;
    let deadline = ctx.now() + Duration::from_millis(317);
    loop {
        let known = ctx
            .storage()
            .read(&key)
            .await
            .expect("read")
            .found()
            .expect("a live session");
        let mut next = successor(&known.record, "y");
        next.meta.deadline = Some(deadline);
        if ctx.storage().replace(&known, next).await.expect("replace") {
            break;
        }
    }
    ends_exactly_at(&ctx, &key, deadline).await;
}

pub(crate) async fn is_exact_after_rotation(ctx: Context) {
    let [old, new] = Context::keys();
    ctx.create(&old, ctx.record("x")).await;
    let mut locked = ctx.lock(&old).await;
    let deadline = ctx.now() + Duration::from_millis(317);
    let mut record = successor(&locked.record, "y");
    record.meta.deadline = Some(deadline);
    let rotated = ctx.storage().rotate(&mut locked.lock, &new, record, Duration::ZERO);
    rotated.await.expect("rotate");
    ends_exactly_at(&ctx, &new, deadline).await;
}

pub(crate) async fn is_exact_after_touch(ctx: Context) {
    let key = Context::key();
    ctx.create(&key, ctx.record_until(ctx.now() + Duration::from_millis(200), "x"))
        .await;
    let deadline = ctx.now() + Duration::from_millis(417);
    ctx.touch(&key, 1, Some(deadline), ctx.now()).await;
    ends_exactly_at(&ctx, &key, deadline).await;
}

pub(crate) async fn is_exact_under_a_lock(ctx: Context) {
    let key = Context::key();
    let life = (ctx.lease().await / 2).min(Duration::from_millis(417));
    let deadline = ctx.now() + life;
    ctx.create(&key, ctx.record_until(deadline, "x")).await;
    let locked = ctx.lock(&key).await;
    ends_exactly_at(&ctx, &key, deadline).await;
    drop(locked);
}

/// At its deadline a record is missing for every operation, swept or not.
pub(crate) async fn is_the_end_for_every_operation(ctx: Context) {
    let [key, other] = Context::keys();
    let life = (ctx.lease().await / 2).min(Duration::from_millis(400));
    let deadline = ctx.now() + life;
    ctx.create(&key, ctx.record_until(deadline, "x")).await;
    let mut locked = ctx.lock(&key).await;
    if ctx.stops_the_clock() {
        ctx.until(deadline).await;
    } else {
        ctx.pass_surely(life).await;
    }
    let storage = ctx.storage();
    let gone = StorageErrorKind::Gone;
    let mut record = successor(&locked.record, "undead");
    record.meta.deadline = None;
    ctx.assert_missing(&key).await;
    let lock = storage.lock(&key, Duration::ZERO).await;
    assert!(
        matches!(lock, Ok(Lookup::Missing)),
        "lock of an expired session returned {lock:?}"
    );
    refused(
        storage.touch(&key, 1, None, ctx.now()).await,
        gone,
        "touch of an expired session",
    );
    refused(
        storage.renew(&locked.lock.id()).await,
        gone,
        "renew for an expired session",
    );
    let result = storage.commit(&mut locked.lock, record.clone()).await;
    refused(result, gone, "commit to an expired session");
    let result = storage.rotate(&mut locked.lock, &other, record, Duration::ZERO).await;
    refused(result, gone, "rotate of an expired session");
    ctx.release(locked.lock).await;
    assert_eq!(ctx.destroy(&key).await, Lookup::Missing);
    ctx.assert_missing(&key).await;
    ctx.assert_missing(&other).await;
}

/// Deadlines at the limits of counters of seconds and milliseconds must not overflow.
pub(crate) async fn may_be_far_away(ctx: Context) {
    let year = Duration::from_secs(366 * 86_400);
    let far = [
        ctx.now() + year,
        ctx.now() + year * 100,
        Timestamp::from_millis(1 << 42),
        Timestamp::MAX,
    ];
    for deadline in far {
        let key = Context::key();
        ctx.create(&key, ctx.record_until(deadline, "x")).await;
        assert_eq!(ctx.found(&key).await.meta.deadline, Some(deadline));
        let mut locked = ctx.lock(&key).await;
        ctx.commit(&mut locked, "y").await;
        ctx.touch(&key, 2, Some(Timestamp::MAX), ctx.now()).await;
        ctx.assert_free(&key, b"y").await;
        ctx.destroy(&key).await;
    }
}

pub(crate) async fn does_not_come_without_a_deadline(ctx: Context) {
    let key = Context::key();
    let mut record = ctx.record("x");
    record.meta.deadline = None;
    ctx.create(&key, record).await;
    let time = if ctx.stops_the_clock() {
        Duration::from_secs(400 * 86_400)
    } else {
        Duration::from_secs(1)
    };
    ctx.pass(time).await;
    if ctx.profile().sweep != crate::Sweep::Unsupported {
        assert_eq!(ctx.storage().sweep(100).await.expect("sweep"), []);
    }
    ctx.assert_free(&key, b"x").await;
    ctx.destroy(&key).await;
}
