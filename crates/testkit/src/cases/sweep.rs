//! `sweep`: all expired records, each once, and no others.

use std::collections::BTreeMap;
use std::time::Duration;

use sessile_core::{Record, SessionKey, StorageErrorKind, Stored};

use crate::Sweep;
use crate::cases::rotate::rotated;
use crate::kit::{Context, refused, successor};

pub(super) const LIFE: Duration = Duration::from_millis(300);

/// Sweeps, and checks the result against the profile.
async fn sweep(ctx: &Context, limit: usize) -> Vec<Stored> {
    let result = ctx.storage().sweep(limit).await;
    if ctx.profile().sweep == Sweep::Unsupported {
        refused(result, StorageErrorKind::Unsupported, "sweep");
        return Vec::new();
    }
    let swept = result.unwrap_or_else(|error| panic!("sweep failed: {error:?}"));
    assert!(
        swept.len() <= limit,
        "{} were swept where {limit} might be",
        swept.len()
    );
    if ctx.profile().sweep == Sweep::Silent {
        assert_eq!(
            swept,
            [],
            "a storage that does not say what has expired says it of some"
        );
    }
    swept
}

/// Returns whether the storage returns the swept records.
pub(super) fn reports_swept(ctx: &Context) -> bool {
    ctx.profile().sweep == Sweep::Returns
}

pub(super) async fn short_lived(ctx: &Context, count: usize) -> BTreeMap<SessionKey, Record> {
    let mut records = BTreeMap::new();
    for number in 0..count {
        let key = Context::key();
        let record = ctx.record_until(ctx.now() + LIFE, format!("number {number}"));
        ctx.create(&key, record.clone()).await;
        records.insert(key, record);
    }
    records
}

pub(super) fn by_key(swept: Vec<Stored>) -> BTreeMap<SessionKey, Record> {
    let count = swept.len();
    let swept: BTreeMap<_, _> = swept.into_iter().map(|stored| (stored.key, stored.record)).collect();
    assert_eq!(swept.len(), count, "a record was returned twice");
    swept
}

pub(crate) async fn returns_the_expired_and_only_those(ctx: Context) {
    let live = ctx.created("live").await;
    let mut endless = ctx.record("endless");
    endless.meta.deadline = None;
    let eternal = Context::key();
    ctx.create(&eternal, endless).await;
    let expected = short_lived(&ctx, 5).await;
    ctx.pass_surely(LIFE).await;
    let swept = by_key(sweep(&ctx, 100).await);
    if reports_swept(&ctx) {
        assert_eq!(swept, expected);
    }
    for key in expected.keys() {
        ctx.assert_missing(key).await;
    }
    ctx.assert_free(&live, b"live").await;
    ctx.assert_free(&eternal, b"endless").await;
    ctx.destroy(&eternal).await;
}

pub(crate) async fn returns_nothing_before_the_deadline(ctx: Context) {
    let records = short_lived(&ctx, 3).await;
    let swept = sweep(&ctx, 100).await;
    // If the clock cannot be stopped, they may have expired by now.
    if ctx.stops_the_clock() {
        assert_eq!(swept, []);
        for key in records.keys() {
            assert!(ctx.read(key).await.is_found(), "sweep removed a live session");
        }
    }
    let live = ctx.created("live").await;
    assert!(
        sweep(&ctx, 100).await.iter().all(|stored| stored.key != live),
        "sweep returned a live session"
    );
    ctx.assert_free(&live, b"live").await;
}

pub(crate) async fn returns_each_once(ctx: Context) {
    let expected = short_lived(&ctx, 4).await;
    ctx.pass_surely(LIFE).await;
    let first = by_key(sweep(&ctx, 100).await);
    if reports_swept(&ctx) {
        assert_eq!(first, expected);
    }
    assert_eq!(sweep(&ctx, 100).await, [], "what had been swept was returned again");
    let second = ctx.second().sweep(100).await;
    assert_eq!(
        second.unwrap_or_default(),
        [],
        "what had been swept was returned again, by another handle"
    );
}

pub(crate) async fn returns_no_more_than_asked_for(ctx: Context) {
    let expected = short_lived(&ctx, 10).await;
    ctx.pass_surely(LIFE).await;
    let mut swept = Vec::new();
    for limit in [1, 2, 3, 100] {
        swept.extend(sweep(&ctx, limit).await);
    }
    if reports_swept(&ctx) {
        assert_eq!(by_key(swept), expected, "by and by everything is swept");
    }
}

pub(crate) async fn leaves_what_was_given_longer_to_live(ctx: Context) {
    let records = short_lived(&ctx, 3).await;
    let keys: Vec<_> = records.into_keys().collect();
    let later = ctx.now() + LIFE * 1_000;
    ctx.storage()
        .touch(&keys[0], 1, Some(later), ctx.now())
        .await
        .expect("touch");
    let mut locked = ctx.lock(&keys[1]).await;
    let mut next = successor(&locked.record, "committed");
    next.meta.deadline = Some(later);
    ctx.storage().commit(&mut locked.lock, next).await.expect("commit");
    ctx.pass_surely(LIFE).await;
    let swept = by_key(sweep(&ctx, 100).await);
    if reports_swept(&ctx) {
        assert!(
            swept.keys().eq([&keys[2]]),
            "only one of the three has expired, and these were swept: {swept:?}"
        );
    }
    assert!(
        ctx.read(&keys[0]).await.is_found(),
        "a session that was touched was swept"
    );
    ctx.assert_free(&keys[1], b"committed").await;
}

pub(crate) async fn returns_nothing_of_the_destroyed_and_the_moved(ctx: Context) {
    let keys: Vec<_> = short_lived(&ctx, 1).await.into_keys().collect();
    ctx.destroy(&keys[0]).await;
    let [old, new] = Context::keys();
    ctx.create(&old, ctx.record_until(ctx.now() + LIFE, "moved")).await;
    let mut locked = ctx.lock(&old).await;
    let mut next = successor(&locked.record, "moved");
    next.meta.deadline = Some(ctx.now() + LIFE * 1_000);
    ctx.storage()
        .rotate(&mut locked.lock, &new, next, Duration::ZERO)
        .await
        .expect("rotate");
    ctx.pass_surely(LIFE).await;
    assert_eq!(
        sweep(&ctx, 100).await,
        [],
        "neither the destroyed nor the moved have expired"
    );
    ctx.assert_free(&new, b"moved").await;
}

pub(crate) async fn leaves_nothing_behind(ctx: Context) {
    ctx.lease().await;
    let before = ctx.footprint().await;
    let mut keys = short_lived(&ctx, 3).await.into_keys();
    let expired_while_locked = ctx.lock(&keys.next().expect("a key")).await;
    let [old, new] = rotated(&ctx).await;
    ctx.destroy(&new).await;
    ctx.pass_surely(ctx.profile().tombstone.max(LIFE)).await;
    drop(expired_while_locked);
    ctx.settle().await;
    sweep(&ctx, 100).await;
    ctx.assert_missing(&old).await;
    assert_eq!(
        ctx.footprint().await,
        before,
        "after all has expired and been swept something is left"
    );
}
