//! `touch`: moves the deadline and the last activity forward, and changes nothing else.

use std::time::Duration;

use sessile_core::{Record, SessionKey, StorageErrorKind, Timestamp};

use crate::cases::alias::chain;
use crate::cases::rotate::{aliases_are_refused, rotated};
use crate::kit::{Context, refused, successor};

const HOUR: Duration = Duration::from_secs(3_600);

fn before(moment: Timestamp, by: Duration) -> Timestamp {
    Timestamp::from_millis(moment.as_millis() - u64::try_from(by.as_millis()).expect("a short time"))
}

async fn touch(ctx: &Context, key: &SessionKey, deadline: Option<Timestamp>, last_active: Timestamp) -> Record {
    let version = ctx.found(key).await.meta.version;
    ctx.touch(key, version, deadline, last_active).await;
    ctx.found(key).await
}

pub(crate) async fn moves_the_two_times_and_nothing_else(ctx: Context) {
    let key = ctx.created("unchanged").await;
    let mut expected = ctx.found(&key).await;
    expected.meta.deadline = expected.meta.deadline.map(|deadline| deadline + HOUR);
    expected.meta.last_active = expected.meta.last_active + HOUR / 2;
    let after = touch(&ctx, &key, expected.meta.deadline, expected.meta.last_active).await;
    assert_eq!(after, expected);
}

pub(crate) async fn never_moves_the_deadline_back(ctx: Context) {
    let key = ctx.created("x").await;
    let meta = ctx.found(&key).await.meta;
    let deadline = meta.deadline.expect("a deadline");
    let later = meta.last_active + HOUR;
    let after = touch(&ctx, &key, Some(before(deadline, HOUR / 2)), later).await;
    assert_eq!(after.meta.deadline, Some(deadline), "touch shortened a session's life");
    assert_eq!(
        after.meta.last_active, later,
        "an earlier deadline is no reason to keep the last activity"
    );
}

pub(crate) async fn never_moves_the_last_activity_back(ctx: Context) {
    let key = ctx.created("x").await;
    let meta = ctx.found(&key).await.meta;
    let deadline = meta.deadline.map(|deadline| deadline + HOUR);
    let after = touch(&ctx, &key, deadline, before(meta.last_active, HOUR)).await;
    assert_eq!(
        after.meta.last_active, meta.last_active,
        "touch moved the last activity back"
    );
    assert_eq!(
        after.meta.deadline, deadline,
        "an earlier activity is no reason to keep the deadline"
    );
}

pub(crate) async fn none_takes_the_deadline_away(ctx: Context) {
    let key = Context::key();
    let deadline = ctx.now() + Duration::from_millis(200);
    ctx.create(&key, ctx.record_until(deadline, "for ever")).await;
    let after = touch(&ctx, &key, None, ctx.now()).await;
    assert_eq!(after.meta.deadline, None);
    ctx.pass_surely(Duration::from_millis(200)).await;
    ctx.assert_free(&key, b"for ever").await;
    ctx.destroy(&key).await;
}

pub(crate) async fn no_deadline_stays_no_deadline(ctx: Context) {
    let key = Context::key();
    let mut record = ctx.record("for ever");
    record.meta.deadline = None;
    ctx.create(&key, record).await;
    let after = touch(&ctx, &key, Some(ctx.now() + Duration::from_millis(200)), ctx.now()).await;
    assert_eq!(after.meta.deadline, None, "touch shortened a session's life");
    ctx.pass_surely(Duration::from_millis(200)).await;
    ctx.assert_free(&key, b"for ever").await;
    ctx.destroy(&key).await;
}

pub(crate) async fn keeps_a_session_alive_past_its_old_deadline(ctx: Context) {
    let key = Context::key();
    let deadline = ctx.now() + Duration::from_millis(500);
    ctx.create(&key, ctx.record_until(deadline, "alive")).await;
    touch(&ctx, &key, Some(deadline + HOUR), ctx.now()).await;
    ctx.pass_surely(Duration::from_millis(500)).await;
    if ctx.profile().sweep != crate::Sweep::Unsupported {
        let swept = ctx.storage().sweep(100).await.expect("sweep");
        assert!(
            swept.iter().all(|stored| stored.key != key),
            "a session that was touched was swept"
        );
    }
    ctx.assert_free(&key, b"alive").await;
}

pub(crate) async fn revives_nothing(ctx: Context) {
    let far = Some(ctx.now() + HOUR);
    let unknown = Context::key();
    let result = ctx.storage().touch(&unknown, 1, far, ctx.now()).await;
    refused(result, StorageErrorKind::Gone, "touch of an unknown session");
    ctx.assert_missing(&unknown).await;

    let destroyed = ctx.created("destroyed").await;
    ctx.destroy(&destroyed).await;
    let result = ctx.storage().touch(&destroyed, 1, far, ctx.now()).await;
    refused(result, StorageErrorKind::Gone, "touch of a destroyed session");
    ctx.assert_missing(&destroyed).await;
}

pub(crate) async fn does_not_revive_the_expired(ctx: Context) {
    let key = Context::key();
    let deadline = ctx.now() + Duration::from_millis(200);
    ctx.create(&key, ctx.record_until(deadline, "expired")).await;
    ctx.pass_surely(Duration::from_millis(200)).await;
    for deadline in [Some(ctx.now() + HOUR), None] {
        let result = ctx.storage().touch(&key, 1, deadline, ctx.now()).await;
        refused(result, StorageErrorKind::Gone, "touch of an expired session");
        ctx.assert_missing(&key).await;
    }
}

pub(crate) async fn leaves_a_tombstone(ctx: Context) {
    let [old, new] = rotated(&ctx).await;
    let before = ctx.found(&new).await;
    let result = ctx
        .storage()
        .touch(&old, before.meta.version, None, ctx.now() + HOUR)
        .await;
    refused(result, StorageErrorKind::Superseded, "touch of a tombstone");
    ctx.assert_superseded(&old).await;
    assert_eq!(
        ctx.found(&new).await,
        before,
        "touching a tombstone touched the session that has moved"
    );
}

pub(crate) async fn needs_no_lock_and_disturbs_none(ctx: Context) {
    let (key, mut locked) = ctx.locked("old").await;
    let later = ctx.now() + HOUR * 2;
    ctx.immediate("touch of a locked session", touch(&ctx, &key, Some(later), ctx.now()))
        .await;
    ctx.assert_held(&key).await;
    ctx.commit(&mut locked, "new").await;
    ctx.assert_free(&key, b"new").await;
}

/// A visit reads and computes its next deadline. Another visit commits a shorter life. Then the touch of the first one
/// arrives, and must not change what was committed.
pub(crate) async fn of_a_record_that_was_written_since_changes_nothing(ctx: Context) {
    let (key, mut locked) = ctx.locked("as it was read").await;
    let slid = locked.record.meta.deadline.map(|deadline| deadline + HOUR);
    let mut record = successor(&locked.record, "as it was committed");
    record.meta.deadline = Some(ctx.now() + HOUR / 2);
    let committed = ctx.storage().commit(&mut locked.lock, record.clone()).await;
    committed.expect("commit under a held lock");
    // Versions that were never written do not match either.
    for version in [1, 0, 3, u64::MAX] {
        for deadline in [slid, None] {
            let result = ctx.storage().touch(&key, version, deadline, ctx.now() + HOUR).await;
            assert!(
                matches!(result, Ok(false)),
                "touch by version {version} of a record of version 2 returned {result:?}"
            );
            assert_eq!(
                ctx.found(&key).await,
                record,
                "a touch has changed what was written after it was computed"
            );
        }
    }
    let after = touch(&ctx, &key, slid, ctx.now() + HOUR).await;
    assert_eq!(after.meta.deadline, slid, "touch by the version that is stored");
}

/// Versions of any magnitude are compared exactly.
pub(crate) async fn tells_versions_apart(ctx: Context) {
    for version in [1, 127, 128, 255, 16_384, 1 << 32, 1 << 53, (1 << 63) - 1, u64::MAX] {
        let key = Context::key();
        let mut record = ctx.record("x");
        record.meta.version = version;
        ctx.create(&key, record.clone()).await;
        let later = record.meta.deadline.map(|deadline| deadline + HOUR);
        for other in [version ^ 1, version / 2, version ^ (1 << 32), (version % 128) | 128] {
            if other == version {
                continue;
            }
            let result = ctx.storage().touch(&key, other, later, ctx.now()).await;
            assert!(
                matches!(result, Ok(false)),
                "touch by version {other} of a record of version {version} returned {result:?}"
            );
        }
        assert_eq!(ctx.found(&key).await, record);
        ctx.touch(&key, version, later, ctx.now()).await;
        ctx.destroy(&key).await;
    }
}

/// The version is that of the record, under whichever key it is reached. A rotation is a write.
pub(crate) async fn through_an_alias_asks_for_the_version_there(ctx: Context) {
    if !ctx.profile().aliases {
        return aliases_are_refused(&ctx).await;
    }
    let [old, new] = chain(&ctx).await;
    let before = ctx.found(&new).await;
    let later = before.meta.deadline.map(|deadline| deadline + HOUR);
    let result = ctx.storage().touch(&old, 1, later, ctx.now() + HOUR).await;
    assert!(
        matches!(result, Ok(false)),
        "touch by a version from before the session moved returned {result:?}"
    );
    assert_eq!(ctx.found(&new).await, before);
    ctx.touch(&old, 2, later, before.meta.last_active).await;
    assert_eq!(ctx.found(&new).await.meta.deadline, later);
}
