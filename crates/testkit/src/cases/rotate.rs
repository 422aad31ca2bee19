//! `rotate`: moves the session in one step and leaves a tombstone.

use std::time::Duration;

use sessile_core::{Lookup, SessionKey, StorageErrorKind};

use crate::kit::{Context, forged, is_disarmed, refused, successor};

/// Creates a session and rotates it without a grace.
pub(crate) async fn rotated(ctx: &Context) -> [SessionKey; 2] {
    let [old, new] = Context::keys();
    ctx.create(&old, ctx.record("moved")).await;
    let mut locked = ctx.lock(&old).await;
    ctx.rotate(&mut locked, &new, Duration::ZERO).await;
    [old, new]
}

/// Checks that a storage without aliases refuses a grace. Replaces every case about aliases.
pub(crate) async fn aliases_are_refused(ctx: &Context) {
    let [old, new] = Context::keys();
    ctx.create(&old, ctx.record("stays")).await;
    let mut locked = ctx.lock(&old).await;
    let record = successor(&locked.record, "moves");
    let result = ctx
        .storage()
        .rotate(&mut locked.lock, &new, record, Duration::from_secs(60))
        .await;
    refused(result, StorageErrorKind::Unsupported, "rotate with a grace");
    ctx.assert_missing(&new).await;
    ctx.commit(&mut locked, "stays put").await;
    ctx.assert_free(&old, b"stays put").await;
}

pub(crate) async fn moves_the_record(ctx: Context) {
    let [old, new] = Context::keys();
    ctx.create(&old, ctx.record("old")).await;
    let mut locked = ctx.lock(&old).await;
    let next = successor(&locked.record, "new");
    let rotated = ctx
        .storage()
        .rotate(&mut locked.lock, &new, next.clone(), Duration::ZERO);
    rotated.await.expect("rotate");
    let read = ctx
        .read(&new)
        .await
        .found()
        .expect("the session lives under its new key");
    assert_eq!(read.key, new);
    assert_eq!(read.record, next);
}

pub(crate) async fn gives_the_lock_up(ctx: Context) {
    let [old, new] = Context::keys();
    ctx.create(&old, ctx.record("x")).await;
    let mut locked = ctx.lock(&old).await;
    ctx.rotate(&mut locked, &new, Duration::ZERO).await;
    assert!(is_disarmed(&locked.lock), "rotate has to spend the lock");
    let second = ctx.storage().lock(&new, Duration::ZERO).await;
    let second = second
        .expect("the lock of the session does not move along")
        .found()
        .expect("live");
    drop(locked);
    ctx.assert_held(&new).await;
    ctx.release(second.lock).await;
}

/// The old key is dead for every operation at once.
pub(crate) async fn leaves_a_tombstone(ctx: Context) {
    let [old, new, third] = Context::keys();
    ctx.create(&old, ctx.record("moved")).await;
    let mut locked = ctx.lock(&old).await;
    let lock_id = locked.lock.id();
    ctx.rotate(&mut locked, &new, Duration::ZERO).await;
    let superseded = StorageErrorKind::Superseded;
    let storage = ctx.storage();

    ctx.assert_superseded(&old).await;
    let lock = storage.lock(&old, Duration::ZERO).await;
    assert!(
        matches!(lock, Ok(Lookup::Superseded)),
        "lock of a tombstone returned {lock:?}"
    );
    let record = successor(&locked.record, "late");
    let result = storage.commit(&mut forged(old), record.clone()).await;
    refused(result, superseded, "commit to a tombstone");
    let result = storage.rotate(&mut forged(old), &third, record, Duration::ZERO).await;
    refused(result, superseded, "rotate of a tombstone");
    refused(storage.renew(&lock_id).await, superseded, "renew for a tombstone");
    let result = storage.touch(&old, 2, None, ctx.now()).await;
    refused(result, superseded, "touch of a tombstone");
    ctx.assert_missing(&third).await;
    ctx.assert_free(&new, b"moved").await;
}

pub(crate) async fn the_tombstone_goes_in_time(ctx: Context) {
    let tombstone_ends = ctx.now() + ctx.profile().tombstone;
    let [old, new] = rotated(&ctx).await;
    ctx.pass(ctx.profile().tombstone * 3 / 4).await;
    ctx.assert_superseded_until(tombstone_ends, &old).await;
    ctx.pass_surely(ctx.profile().tombstone / 4).await;
    ctx.assert_missing(&old).await;
    ctx.assert_free(&new, b"moved").await;
}

/// The rotation determines how long the tombstone exists.
pub(crate) async fn the_tombstone_outlasts_the_session(ctx: Context) {
    let [old, new] = Context::keys();
    ctx.create(&old, ctx.record("moved")).await;
    let mut locked = ctx.lock(&old).await;
    let life = ctx.profile().tombstone / 4;
    let mut record = successor(&locked.record, "short");
    record.meta.deadline = Some(ctx.now() + life);
    let rotated = ctx.storage().rotate(&mut locked.lock, &new, record, Duration::ZERO);
    rotated.await.expect("rotate");
    ctx.assert_superseded(&old).await;
    ctx.pass_surely(life).await;
    ctx.assert_missing(&new).await;
    ctx.assert_superseded(&old).await;
    ctx.pass_surely(ctx.profile().tombstone - life).await;
    ctx.assert_missing(&old).await;
}

pub(crate) async fn nothing_revives_the_old_key(ctx: Context) {
    let [old, new, third] = Context::keys();
    ctx.create(&old, ctx.record("0")).await;
    let mut late = ctx.lock(&old).await;
    ctx.pass_surely(late.lock.lease()).await;
    let mut second = ctx.lock(&old).await;
    ctx.rotate(&mut second, &new, Duration::ZERO).await;

    let record = successor(&late.record, "late");
    let superseded = StorageErrorKind::Superseded;
    let result = ctx.storage().commit(&mut late.lock, record.clone()).await;
    refused(result, superseded, "a late commit to the old key");
    let result = ctx
        .storage()
        .rotate(&mut late.lock, &third, record, Duration::ZERO)
        .await;
    refused(result, superseded, "a second, late rotation");
    ctx.release(late.lock).await;
    ctx.assert_superseded(&old).await;
    ctx.assert_missing(&third).await;
    ctx.assert_free(&new, b"0").await;
}

pub(crate) async fn without_the_right_token_it_is_refused(ctx: Context) {
    let [old, new] = Context::keys();
    ctx.create(&old, ctx.record("x")).await;
    let mut locked = ctx.lock(&old).await;
    for what in ["beside the holder", "when the lock is free"] {
        let record = successor(&locked.record, "stolen");
        let result = ctx
            .storage()
            .rotate(&mut forged(old), &new, record, Duration::ZERO)
            .await;
        refused(
            result,
            StorageErrorKind::LockLost,
            &format!("rotate with a wrong token, {what}"),
        );
        ctx.assert_missing(&new).await;
        assert!(ctx.read(&old).await.is_found(), "a refused rotation moved the session");
        if what == "beside the holder" {
            ctx.commit(&mut locked, "y").await;
        }
    }
    ctx.assert_free(&old, b"y").await;
}

pub(crate) async fn of_a_session_that_is_gone_it_is_refused(ctx: Context) {
    let [unknown, new] = Context::keys();
    let result = ctx
        .storage()
        .rotate(&mut forged(unknown), &new, ctx.record("x"), Duration::ZERO)
        .await;
    refused(result, StorageErrorKind::Gone, "rotate of an unknown session");
    ctx.assert_missing(&new).await;

    let [destroyed, new] = Context::keys();
    ctx.create(&destroyed, ctx.record("x")).await;
    let mut locked = ctx.lock(&destroyed).await;
    ctx.destroy(&destroyed).await;
    let record = successor(&locked.record, "undead");
    let result = ctx
        .storage()
        .rotate(&mut locked.lock, &new, record, Duration::ZERO)
        .await;
    refused(result, StorageErrorKind::Gone, "rotate of a destroyed session");
    ctx.assert_missing(&new).await;
    ctx.assert_missing(&destroyed).await;
}

pub(crate) async fn of_an_expired_session_it_is_refused(ctx: Context) {
    let [old, new] = Context::keys();
    let life = (ctx.lease().await / 2).min(Duration::from_millis(500));
    ctx.create(&old, ctx.record_until(ctx.now() + life, "short")).await;
    let mut locked = ctx.lock(&old).await;
    ctx.pass_surely(life).await;
    let mut record = successor(&locked.record, "undead");
    record.meta.deadline = None;
    let result = ctx
        .storage()
        .rotate(&mut locked.lock, &new, record, Duration::ZERO)
        .await;
    refused(
        result,
        StorageErrorKind::Gone,
        "rotate of a session that expired under the lock",
    );
    ctx.assert_missing(&new).await;
    ctx.assert_missing(&old).await;
}

/// The refused caller still holds the lock and can choose another key.
pub(crate) async fn to_a_key_that_is_taken_it_is_refused(ctx: Context) {
    let [old, taken, tombstone, moved] = Context::keys();
    ctx.create(&old, ctx.record("mine")).await;
    ctx.create(&taken, ctx.record("another's")).await;
    ctx.create(&tombstone, ctx.record("moved")).await;
    let mut locked = ctx.lock(&tombstone).await;
    ctx.rotate(&mut locked, &moved, Duration::ZERO).await;

    let mut locked = ctx.lock(&old).await;
    for (key, what) in [(taken, "a live key"), (tombstone, "a tombstone")] {
        let record = successor(&locked.record, "mine");
        let result = ctx
            .storage()
            .rotate(&mut locked.lock, &key, record, Duration::ZERO)
            .await;
        refused(result, StorageErrorKind::Exists, &format!("rotate to {what}"));
        assert!(
            !is_disarmed(&locked.lock),
            "a rotation that is refused has to leave its lock as it was"
        );
        ctx.assert_held(&old).await;
    }
    ctx.assert_free(&taken, b"another's").await;
    ctx.assert_superseded(&tombstone).await;
    ctx.commit(&mut locked, "still mine").await;
    ctx.assert_free(&old, b"still mine").await;
}

pub(crate) async fn can_be_done_again_and_again(ctx: Context) {
    let keys: [_; 5] = Context::keys();
    ctx.create(&keys[0], ctx.record("moving")).await;
    for step in keys.windows(2) {
        let mut locked = ctx.lock(&step[0]).await;
        ctx.rotate(&mut locked, &step[1], Duration::ZERO).await;
    }
    for old in &keys[..4] {
        ctx.assert_superseded(old).await;
    }
    let last = ctx.lock(&keys[4]).await;
    assert_eq!(last.record.meta.version, 5);
    ctx.release(last.lock).await;
}
