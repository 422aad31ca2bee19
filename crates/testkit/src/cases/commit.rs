//! `commit`: only under a held lock, and only in place of an existing record.

use std::time::Duration;

use sessile_core::StorageErrorKind;

use crate::kit::{Context, forged, is_disarmed, refused, successor, with_token};

pub(crate) async fn replaces_the_record(ctx: Context) {
    let (key, mut locked) = ctx.locked("old").await;
    let mut next = successor(&locked.record, "new");
    next.meta.last_active = next.meta.last_active + Duration::from_secs(1);
    next.meta.deadline = next.meta.deadline.map(|deadline| deadline + Duration::from_secs(1));
    ctx.storage()
        .commit(&mut locked.lock, next.clone())
        .await
        .expect("commit");
    assert_eq!(ctx.found(&key).await, next);
}

pub(crate) async fn gives_the_lock_up(ctx: Context) {
    let (key, mut locked) = ctx.locked("old").await;
    ctx.commit(&mut locked, "new").await;
    ctx.assert_free(&key, b"new").await;
    assert!(is_disarmed(&locked.lock), "commit has to spend the lock");
}

pub(crate) async fn a_disarmed_lock_has_no_effect(ctx: Context) {
    let (key, mut first) = ctx.locked("old").await;
    ctx.commit(&mut first, "new").await;
    let second = ctx.lock(&key).await;
    let again = successor(&second.record, "again");
    let result = ctx.storage().commit(&mut first.lock, again).await;
    refused(
        result,
        StorageErrorKind::LockLost,
        "a second commit under the same lock",
    );
    drop(first);
    ctx.assert_held(&key).await;
    ctx.release(second.lock).await;
    ctx.assert_free(&key, b"new").await;
}

pub(crate) async fn moves_the_deadline_either_way(ctx: Context) {
    let (key, mut locked) = ctx.locked("x").await;
    let mut next = successor(&locked.record, "endless");
    next.meta.deadline = None;
    ctx.storage().commit(&mut locked.lock, next).await.expect("commit");
    assert_eq!(ctx.found(&key).await.meta.deadline, None);

    let mut locked = ctx.lock(&key).await;
    let mut next = successor(&locked.record, "short");
    next.meta.deadline = Some(ctx.now() + Duration::from_millis(300));
    ctx.storage()
        .commit(&mut locked.lock, next.clone())
        .await
        .expect("commit");
    ctx.pass_surely(Duration::from_millis(300)).await;
    ctx.assert_missing(&key).await;
}

pub(crate) async fn without_the_right_token_it_is_refused(ctx: Context) {
    let (key, mut locked) = ctx.locked("old").await;
    let result = ctx
        .storage()
        .commit(&mut forged(key), successor(&locked.record, "stolen"))
        .await;
    refused(
        result,
        StorageErrorKind::LockLost,
        "commit with a wrong token, beside the holder",
    );
    assert_eq!(ctx.found(&key).await.payload, "old", "a refused commit wrote");
    ctx.commit(&mut locked, "new").await;

    let result = ctx
        .storage()
        .commit(&mut forged(key), successor(&locked.record, "stolen"))
        .await;
    refused(
        result,
        StorageErrorKind::LockLost,
        "commit with a wrong token on an unlocked session",
    );
    ctx.assert_free(&key, b"new").await;
}

pub(crate) async fn after_release_it_is_refused(ctx: Context) {
    let (key, locked) = ctx.locked("old").await;
    let (lock_id, record) = (locked.lock.id(), locked.record.clone());
    ctx.release(locked.lock).await;
    let mut stale = with_token(key, lock_id.token);
    let result = ctx.storage().commit(&mut stale, successor(&record, "stale")).await;
    refused(result, StorageErrorKind::LockLost, "commit after release");
    ctx.assert_free(&key, b"old").await;
}

pub(crate) async fn a_refusal_leaves_the_lock_with_its_owner(ctx: Context) {
    let (key, mut locked) = ctx.locked("old").await;
    let mut wrong = forged(key);
    let result = ctx
        .storage()
        .commit(&mut wrong, successor(&locked.record, "stolen"))
        .await;
    refused(result, StorageErrorKind::LockLost, "commit with a wrong token");
    assert!(
        !is_disarmed(&wrong),
        "a commit that is refused has to leave its lock as it was"
    );
    ctx.release(wrong).await;
    ctx.assert_held(&key).await;
    ctx.commit(&mut locked, "new").await;
}

pub(crate) async fn brings_nothing_into_being(ctx: Context) {
    let key = Context::key();
    let record = ctx.record("from nowhere");
    let result = ctx.storage().commit(&mut forged(key), record).await;
    refused(result, StorageErrorKind::Gone, "commit to an unknown session");
    ctx.assert_missing(&key).await;
}

pub(crate) async fn to_a_destroyed_session_it_is_refused(ctx: Context) {
    let (key, mut locked) = ctx.locked("alive").await;
    ctx.destroy(&key).await;
    let result = ctx
        .storage()
        .commit(&mut locked.lock, successor(&locked.record, "undead"))
        .await;
    refused(result, StorageErrorKind::Gone, "commit to a destroyed session");
    ctx.assert_missing(&key).await;
}

pub(crate) async fn to_an_expired_session_it_is_refused(ctx: Context) {
    let key = Context::key();
    let life = (ctx.lease().await / 2).min(Duration::from_millis(500));
    ctx.create(&key, ctx.record_until(ctx.now() + life, "short")).await;
    let mut locked = ctx.lock(&key).await;
    ctx.pass_surely(life).await;
    let mut next = successor(&locked.record, "undead");
    next.meta.deadline = Some(ctx.now() + Duration::from_secs(3_600));
    let result = ctx.storage().commit(&mut locked.lock, next).await;
    refused(
        result,
        StorageErrorKind::Gone,
        "commit to a session that expired under the lock",
    );
    ctx.assert_missing(&key).await;
}

pub(crate) async fn to_a_session_that_has_moved_it_is_refused(ctx: Context) {
    let [old, new] = Context::keys();
    ctx.create(&old, ctx.record("moved")).await;
    let mut late = ctx.lock(&old).await;
    ctx.pass_surely(late.lock.lease()).await;
    let mut locked = ctx.lock(&old).await;
    ctx.rotate(&mut locked, &new, Duration::ZERO).await;
    let result = ctx
        .storage()
        .commit(&mut late.lock, successor(&late.record, "late"))
        .await;
    refused(
        result,
        StorageErrorKind::Superseded,
        "commit to a session that has moved",
    );
    ctx.assert_superseded(&old).await;
    ctx.assert_free(&new, b"moved").await;
}

pub(crate) async fn after_the_lease_it_is_refused(ctx: Context) {
    let (key, mut late) = ctx.locked("old").await;
    ctx.pass_surely(late.lock.lease()).await;
    let result = ctx
        .storage()
        .commit(&mut late.lock, successor(&late.record, "late"))
        .await;
    refused(result, StorageErrorKind::LockLost, "commit after the lease");
    ctx.assert_free(&key, b"old").await;
}

pub(crate) async fn after_another_has_the_lock_it_is_refused(ctx: Context) {
    let (key, mut late) = ctx.locked("0").await;
    ctx.pass_surely(late.lock.lease()).await;
    let mut next = ctx.lock(&key).await;
    let result = ctx
        .storage()
        .commit(&mut late.lock, successor(&late.record, "late"))
        .await;
    refused(
        result,
        StorageErrorKind::LockLost,
        "commit after the lease, when another holds the lock",
    );
    ctx.commit(&mut next, "1").await;
    let result = ctx
        .storage()
        .commit(&mut late.lock, successor(&late.record, "late"))
        .await;
    refused(result, StorageErrorKind::LockLost, "commit after another has committed");
    ctx.assert_free(&key, b"1").await;
}
