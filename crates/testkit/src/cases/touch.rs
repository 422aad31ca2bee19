//! `touch`: forward only, the deadline and the last activity and nothing else.

use std::time::Duration;

use sessile_core::{Record, SessionKey, StorageErrorKind, Timestamp};

use crate::cases::rotate::rotated;
use crate::kit::{Context, refused};

const HOUR: Duration = Duration::from_secs(3_600);

fn before(moment: Timestamp, by: Duration) -> Timestamp {
    Timestamp::from_millis(moment.as_millis() - u64::try_from(by.as_millis()).expect("a short time"))
}

async fn touch(ctx: &Context, key: &SessionKey, deadline: Option<Timestamp>, last_active: Timestamp) -> Record {
    let touched = ctx.storage().touch(key, deadline, last_active).await;
    touched.unwrap_or_else(|error| panic!("touch of a live session failed: {error:?}"));
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
    let answer = ctx.storage().touch(&unknown, far, ctx.now()).await;
    refused(answer, StorageErrorKind::Gone, "touch of an unknown session");
    ctx.assert_missing(&unknown).await;

    let destroyed = ctx.created("destroyed").await;
    ctx.destroy(&destroyed).await;
    let answer = ctx.storage().touch(&destroyed, far, ctx.now()).await;
    refused(answer, StorageErrorKind::Gone, "touch of a destroyed session");
    ctx.assert_missing(&destroyed).await;
}

pub(crate) async fn does_not_revive_the_expired(ctx: Context) {
    let key = Context::key();
    let deadline = ctx.now() + Duration::from_millis(200);
    ctx.create(&key, ctx.record_until(deadline, "expired")).await;
    ctx.pass_surely(Duration::from_millis(200)).await;
    for deadline in [Some(ctx.now() + HOUR), None] {
        let answer = ctx.storage().touch(&key, deadline, ctx.now()).await;
        refused(answer, StorageErrorKind::Gone, "touch of an expired session");
        ctx.assert_missing(&key).await;
    }
}

pub(crate) async fn leaves_a_tombstone(ctx: Context) {
    let [old, new] = rotated(&ctx).await;
    let before = ctx.found(&new).await;
    let answer = ctx.storage().touch(&old, None, ctx.now() + HOUR).await;
    refused(answer, StorageErrorKind::Superseded, "touch of a tombstone");
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
    ctx.at_once("touch of a locked session", touch(&ctx, &key, Some(later), ctx.now()))
        .await;
    ctx.assert_held(&key).await;
    ctx.commit(&mut locked, "new").await;
    ctx.assert_free(&key, b"new").await;
}
