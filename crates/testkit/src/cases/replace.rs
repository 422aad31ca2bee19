//! `replace`: writes without a lock, in place of the record that was read and of no other.

use std::time::Duration;

use sessile_core::{Lookup, StorageErrorKind, Stored};

use crate::cases::replacing::{known, left_alone, replace, replaced};
use crate::kit::{Context, refused, successor};

pub(crate) async fn stores_the_record_as_it_is(ctx: Context) {
    let key = ctx.created("old").await;
    for length in [0, 1, 300, 70_000, 3] {
        let payload: Vec<u8> = (0..length).map(|index| (index % 251) as u8).collect();
        let written = replaced(&ctx, &key, |record| {
            let mut next = successor(record, payload.clone());
            next.meta.last_active = next.meta.last_active + Duration::from_secs(1);
            next.meta.deadline = next.meta.deadline.map(|deadline| deadline + Duration::from_secs(1));
            next
        })
        .await;
        assert_eq!(
            ctx.found(&key).await,
            written,
            "another record is read than was written"
        );
        let under_lock = ctx.lock(&key).await;
        assert_eq!(under_lock.record, written, "another record is locked than was written");
        ctx.release(under_lock.lock).await;
    }
}

pub(crate) async fn takes_no_lock(ctx: Context) {
    let key = ctx.created("old").await;
    replaced(&ctx, &key, |record| successor(record, "new")).await;
    let immediate = ctx.storage().lock(&key, Duration::ZERO).await;
    let locked = match immediate {
        Ok(Lookup::Found(locked)) => locked,
        other => panic!("the lock must be free after replace, and lock returned {other:?}"),
    };
    assert_eq!(locked.record.payload, "new");
    ctx.release(locked.lock).await;
}

pub(crate) async fn moves_the_deadline_either_way(ctx: Context) {
    let key = ctx.created("x").await;
    replaced(&ctx, &key, |record| {
        let mut next = successor(record, "endless");
        next.meta.deadline = None;
        next
    })
    .await;
    assert_eq!(ctx.found(&key).await.meta.deadline, None);
    replaced(&ctx, &key, |record| {
        let mut next = successor(record, "short");
        next.meta.deadline = Some(ctx.now() + Duration::from_millis(300));
        next
    })
    .await;
    ctx.pass_surely(Duration::from_millis(300)).await;
    ctx.assert_missing(&key).await;
}

/// Another handle may replace a record: the storage's own number has the same meaning for all handles.
pub(crate) async fn takes_what_another_handle_has_read(ctx: Context) {
    let key = ctx.created("0").await;
    for (round, [reader, writer]) in [[ctx.storage(), ctx.second()], [ctx.second(), ctx.storage()]]
        .into_iter()
        .enumerate()
    {
        let payload = format!("round {round}");
        let mut done = false;
        for _ in 0..5 {
            let known = reader.read(&key).await.expect("read").found().expect("a live session");
            let next = successor(&known.record, payload.clone());
            done = writer.replace(&known, next).await.expect("replace");
            if done {
                break;
            }
        }
        assert!(done, "what one handle has read another never replaces");
        ctx.assert_free(&key, payload.as_bytes()).await;
    }
}

pub(crate) async fn of_a_record_that_was_written_since_changes_nothing(ctx: Context) {
    let key = ctx.created("first").await;
    let first = known(&ctx, &key).await;
    let mut locked = ctx.lock(&key).await;
    ctx.commit(&mut locked, "second").await;
    left_alone(&ctx, &first, "replace of what was committed since").await;
    ctx.assert_free(&key, b"second").await;

    let second = known(&ctx, &key).await;
    replaced(&ctx, &key, |record| successor(record, "third")).await;
    let third = known(&ctx, &key).await;
    for known in [&first, &second] {
        left_alone(&ctx, known, "replace of what was replaced since").await;
    }
    assert_eq!(
        ctx.found(&key).await,
        third.record,
        "a replace that returned false has changed the record"
    );
    ctx.assert_free(&key, b"third").await;
}

pub(crate) async fn of_a_record_that_was_touched_since_changes_nothing(ctx: Context) {
    let key = ctx.created("x").await;
    let before = known(&ctx, &key).await;
    let now = before.record.meta.last_active;
    // First the deadline alone, then the last activity alone.
    for (deadline, active) in [(7_200, 0), (0, 5)] {
        let known = known(&ctx, &key).await;
        let (deadline, active) = (now + Duration::from_secs(deadline), now + Duration::from_secs(active));
        ctx.touch(&key, known.record.meta.version, Some(deadline), active).await;
        let touched = ctx.found(&key).await;
        assert_ne!(touched.meta, known.record.meta, "the touch was to move something");
        left_alone(&ctx, &known, "replace of what was touched since").await;
        assert_eq!(ctx.found(&key).await, touched, "a replace has undone a touch");
    }
    left_alone(&ctx, &before, "replace of what was touched twice since").await;
    ctx.assert_free(&key, b"x").await;
}

pub(crate) async fn of_a_locked_session_leaves_it_to_the_holder(ctx: Context) {
    let key = ctx.created("old").await;
    let known = known(&ctx, &key).await;
    let mut locked = ctx.lock(&key).await;
    for _ in 0..3 {
        left_alone(&ctx, &known, "replace of a locked session").await;
    }
    assert_eq!(
        ctx.found(&key).await,
        known.record,
        "a replace has changed a locked record"
    );
    ctx.assert_held(&key).await;
    ctx.commit(&mut locked, "by the holder").await;
    ctx.assert_free(&key, b"by the holder").await;
}

/// After its lease a lock delays no replace, and the late holder is refused.
pub(crate) async fn after_the_lease_it_is_done_and_the_late_holder_is_refused(ctx: Context) {
    let (key, mut late) = ctx.locked("old").await;
    ctx.pass_surely(late.lock.lease()).await;
    replaced(&ctx, &key, |record| successor(record, "new")).await;
    let result = ctx
        .storage()
        .commit(&mut late.lock, successor(&late.record, "late"))
        .await;
    refused(
        result,
        StorageErrorKind::LockLost,
        "commit after the lease and a replace",
    );
    let result = ctx.storage().renew(&late.lock.id()).await;
    refused(
        result,
        StorageErrorKind::LockLost,
        "renew after the lease and a replace",
    );
    drop(late);
    ctx.assert_free(&key, b"new").await;
}

pub(crate) async fn brings_nothing_into_being(ctx: Context) {
    let key = Context::key();
    let never = Stored::new(key, ctx.record("from nowhere"));
    let result = replace(&ctx, &never, successor(&never.record, "from nowhere")).await;
    refused(result, StorageErrorKind::Gone, "replace of an unknown session");
    ctx.assert_missing(&key).await;
}

pub(crate) async fn of_a_destroyed_session_it_is_refused(ctx: Context) {
    let before = ctx.footprint().await;
    let key = ctx.created("alive").await;
    let known = known(&ctx, &key).await;
    ctx.destroy(&key).await;
    for _ in 0..2 {
        let result = replace(&ctx, &known, successor(&known.record, "undead")).await;
        refused(result, StorageErrorKind::Gone, "replace of a destroyed session");
        ctx.assert_missing(&key).await;
    }
    assert_eq!(ctx.footprint().await, before, "something was left behind");
}

pub(crate) async fn of_an_expired_session_it_is_refused(ctx: Context) {
    let key = Context::key();
    let life = Duration::from_millis(500);
    ctx.create(&key, ctx.record_until(ctx.now() + life, "short")).await;
    let known = known(&ctx, &key).await;
    ctx.pass_surely(life).await;
    let mut next = successor(&known.record, "undead");
    next.meta.deadline = Some(ctx.now() + Duration::from_secs(3_600));
    let result = replace(&ctx, &known, next).await;
    refused(
        result,
        StorageErrorKind::Gone,
        "replace of a session that has expired since",
    );
    ctx.assert_missing(&key).await;
}

pub(crate) async fn of_a_session_that_has_moved_it_is_refused(ctx: Context) {
    let [old, new] = Context::keys();
    ctx.create(&old, ctx.record("moved")).await;
    let known = known(&ctx, &old).await;
    let mut locked = ctx.lock(&old).await;
    ctx.rotate(&mut locked, &new, Duration::ZERO).await;
    let result = replace(&ctx, &known, successor(&known.record, "late")).await;
    refused(
        result,
        StorageErrorKind::Superseded,
        "replace of a session that has moved",
    );
    ctx.assert_superseded(&old).await;
    ctx.assert_free(&new, b"moved").await;
}

/// A writer that read the session under its old key does not write to the new one. During the grace the session has
/// moved, and its record is another.
pub(crate) async fn does_not_follow_an_alias(ctx: Context) {
    if !ctx.profile().aliases {
        return;
    }
    let [old, new] = Context::keys();
    ctx.create(&old, ctx.record("moved")).await;
    let before = known(&ctx, &old).await;
    let mut locked = ctx.lock(&old).await;
    ctx.rotate(&mut locked, &new, Duration::from_secs(600)).await;
    let there = known(&ctx, &new).await;
    // The record as it was before the rotation, and the current one under the old key.
    for record in [before.record, there.record.clone()] {
        let known = Stored::new(old, record).with_stamp(there.stamp);
        let result = replace(&ctx, &known, successor(&there.record, "late")).await;
        assert!(matches!(result, Ok(false)), "replace by an alias: {result:?}");
    }
    assert_eq!(ctx.found(&new).await, there.record, "a replace has followed an alias");
    ctx.assert_free(&new, b"moved").await;
}

/// A record that is read through an alias has the key where it is stored, and is replaced there. The aliases stay.
pub(crate) async fn leaves_the_keys_that_lead_to_it(ctx: Context) {
    let [first, second, third] = Context::keys();
    ctx.create(&first, ctx.record("0")).await;
    let mut locked = ctx.lock(&first).await;
    ctx.rotate(&mut locked, &second, Duration::ZERO).await;
    let grace = Duration::from_secs(if ctx.profile().aliases { 600 } else { 0 });
    let mut locked = ctx.lock(&second).await;
    ctx.rotate(&mut locked, &third, grace).await;
    let asked = if ctx.profile().aliases { second } else { third };
    replaced(&ctx, &asked, |record| successor(record, "1")).await;
    ctx.assert_superseded(&first).await;
    assert_eq!(
        known(&ctx, &asked).await.key,
        third,
        "the way to the session has changed"
    );
    ctx.assert_free(&third, b"1").await;
    assert_eq!(ctx.destroy(&first).await, Lookup::Found(()));
    ctx.assert_missing(&third).await;
}

/// Waiters for a locked session are served in spite of repeated replaces, and find what was written.
pub(crate) async fn delays_no_waiter(ctx: Context) {
    let key = ctx.created("old").await;
    let known = known(&ctx, &key).await;
    let locked = ctx.lock(&key).await;
    let lease = locked.lock.lease();
    let waiter = {
        let ctx = ctx.clone();
        tokio::spawn(async move { ctx.storage().lock(&key, lease * 3).await })
    };
    ctx.settle().await;
    for _ in 0..4 {
        left_alone(&ctx, &known, "replace of a locked session").await;
        ctx.pass(lease / 8).await;
    }
    ctx.pass_surely(lease / 2).await;
    // If waits do not follow the clock, waiters need the notification of a released lock.
    let locked = Some(locked).filter(|_| ctx.waits_follow_the_clock());
    let served = ctx
        .immediate("a lock that was waited for while others replaced", waiter)
        .await;
    let served = served.expect("a waiter panicked").expect("the lock has become free");
    let mut served = served.found().expect("a live session");
    left_alone(&ctx, &known, "replace of a session that a waiter has locked").await;
    drop(locked);
    ctx.commit(&mut served, "by the waiter").await;
    replaced(&ctx, &key, |record| successor(record, "afterwards")).await;
    ctx.assert_free(&key, b"afterwards").await;
}

pub(crate) async fn names_itself_in_errors(ctx: Context) {
    let never = Stored::new(Context::key(), ctx.record("x"));
    let error = ctx.storage().replace(&never, never.record.clone()).await;
    let error = error.expect_err("there is nothing to replace");
    assert_eq!(error.kind(), StorageErrorKind::Gone, "{error:?}");
    assert_eq!(error.operation(), crate::Operation::Replace.name(), "{error:?}");
    assert_eq!(error.storage(), ctx.storage().name(), "{error:?}");
    assert!(!error.is_retryable(), "{error:?}");
}
