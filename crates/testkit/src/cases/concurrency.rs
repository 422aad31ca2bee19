//! Concurrent callers on real threads lose no update.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use sessile_core::{Meta, SessionKey, Storage};
use tokio::task::JoinSet;

use crate::kit::{Context, successor};

const TASKS: usize = 16;
pub(super) const ROUNDS: usize = 12;
pub(super) const PATIENCE: Duration = Duration::from_secs(60);

/// Returns the first handle for even numbers and the second for odd ones.
pub(super) fn handle(ctx: &Context, number: usize) -> &dyn Storage {
    if number.is_multiple_of(2) {
        ctx.storage()
    } else {
        ctx.second()
    }
}

pub(super) fn count(payload: &[u8]) -> usize {
    std::str::from_utf8(payload)
        .expect("a number")
        .parse()
        .expect("a number")
}

/// Reads the counter under the lock, lets other tasks run, and writes the next number.
pub(super) async fn increment(storage: &dyn Storage, key: &SessionKey) {
    let locked = storage.lock(key, PATIENCE).await.expect("lock");
    let mut locked = locked.found().expect("a live session");
    let seen = count(&locked.record.payload);
    tokio::task::yield_now().await;
    let next = successor(&locked.record, (seen + 1).to_string());
    storage.commit(&mut locked.lock, next).await.expect("commit");
}

pub(super) async fn finish(mut tasks: JoinSet<()>) {
    while let Some(task) = tasks.join_next().await {
        if let Err(error) = task {
            std::panic::resume_unwind(error.into_panic());
        }
    }
}

pub(crate) async fn increments_of_one_session_all_count(ctx: Context) {
    let tasks = TASKS.min(ctx.profile().max_waiters);
    let key = ctx.created("0").await;
    let mut set = JoinSet::new();
    for number in 0..tasks {
        let ctx = ctx.clone();
        set.spawn(async move {
            for _ in 0..ROUNDS {
                increment(handle(&ctx, number), &key).await;
            }
        });
    }
    finish(set).await;
    let record = ctx.found(&key).await;
    assert_eq!(
        count(&record.payload),
        tasks * ROUNDS,
        "updates were lost, or made twice"
    );
    assert_eq!(record.meta.version, 1 + (tasks * ROUNDS) as u64);
}

pub(crate) async fn increments_of_many_sessions_all_count(ctx: Context) {
    let mut keys = Vec::new();
    for _ in 0..24 {
        keys.push(ctx.created("0").await);
    }
    let keys = Arc::new(keys);
    let mut set = JoinSet::new();
    for number in 0..4.min(ctx.profile().max_waiters) {
        let (ctx, keys) = (ctx.clone(), Arc::clone(&keys));
        set.spawn(async move {
            for round in 0..keys.len() * 2 {
                increment(handle(&ctx, number), &keys[(round * (number + 1)) % keys.len()]).await;
            }
        });
    }
    finish(set).await;
    let mut total = 0;
    for key in &*keys {
        total += count(&ctx.found(key).await.payload);
    }
    assert_eq!(total, 4.min(ctx.profile().max_waiters) * keys.len() * 2);
}

pub(crate) async fn touches_take_nothing_from_commits(ctx: Context) {
    let tasks = 4.min(ctx.profile().max_waiters);
    let key = ctx.created("0").await;
    let born = ctx.now();
    let mut set = JoinSet::new();
    for number in 0..tasks {
        let writer = ctx.clone();
        set.spawn(async move {
            for _ in 0..ROUNDS {
                increment(handle(&writer, number), &key).await;
            }
        });
        let toucher = ctx.clone();
        set.spawn(async move {
            for round in 0..ROUNDS as u64 * 4 {
                let storage = handle(&toucher, number);
                let read = storage.read(&key).await.expect("read").found();
                let version = read.expect("a live session").record.meta.version;
                let deadline = Some(born + Duration::from_secs(7_200 + round));
                // Most touches have the current version, and some a stale one.
                let touched = storage.touch(&key, version, deadline, born).await;
                touched.expect("touch of a live session");
            }
        });
    }
    finish(set).await;
    assert_eq!(
        count(&ctx.found(&key).await.payload),
        tasks * ROUNDS,
        "a touch undid a commit"
    );
}

pub(crate) async fn touches_end_at_the_latest(ctx: Context) {
    let key = ctx.created("x").await;
    let born = ctx.now();
    let mut set = JoinSet::new();
    for number in 0..TASKS {
        let ctx = ctx.clone();
        set.spawn(async move {
            for round in 0..ROUNDS {
                let later = Duration::from_secs(7_200 + ((number * 7 + round * 5) % 97) as u64);
                let touched = handle(&ctx, number)
                    .touch(&key, 1, Some(born + later), born + later)
                    .await;
                assert!(
                    matches!(touched, Ok(true)),
                    "touch of a live session returned {touched:?}"
                );
            }
        });
    }
    finish(set).await;
    let pairs = (0..TASKS).flat_map(|number| (0..ROUNDS).map(move |round| (number * 7 + round * 5) % 97));
    let latest = Some(born + Duration::from_secs(7_200 + pairs.max().unwrap_or_default() as u64));
    assert_eq!(
        ctx.found(&key).await.meta.deadline,
        latest,
        "of many touches not the latest stands"
    );
}

/// Each commit sets a short life. Each touch has a deadline that identifies the commit from which it was computed.
pub(crate) async fn touches_lengthen_no_later_commit(ctx: Context) {
    const LIFE: Duration = Duration::from_secs(3_600);
    let tasks = 4.min(ctx.profile().max_waiters);
    let born = ctx.now();
    let set_by_touch = move |version: u64| born + LIFE * 2 + Duration::from_millis(version);
    let check = move |meta: &Meta| {
        let allowed = [born + LIFE, set_by_touch(meta.version)].map(Some);
        assert!(
            allowed.contains(&meta.deadline),
            "a touch by an earlier version has moved the deadline of version {}",
            meta.version
        );
    };
    let key = Context::key();
    ctx.create(&key, ctx.record_until(born + LIFE, "x")).await;
    let mut set = JoinSet::new();
    for number in 0..tasks {
        let writer = ctx.clone();
        set.spawn(async move {
            let storage = handle(&writer, number);
            for _ in 0..ROUNDS {
                let locked = storage.lock(&key, PATIENCE).await.expect("lock");
                let mut locked = locked.found().expect("a live session");
                check(&locked.record.meta);
                tokio::task::yield_now().await;
                let mut next = successor(&locked.record, "x");
                next.meta.deadline = Some(born + LIFE);
                storage.commit(&mut locked.lock, next).await.expect("commit");
            }
        });
        let toucher = ctx.clone();
        set.spawn(async move {
            let storage = handle(&toucher, number);
            for _ in 0..ROUNDS * 4 {
                let read = storage.read(&key).await.expect("read").found();
                let meta = read.expect("a live session").record.meta;
                check(&meta);
                tokio::task::yield_now().await;
                let deadline = Some(set_by_touch(meta.version));
                let touched = storage.touch(&key, meta.version, deadline, born).await;
                touched.expect("touch of a live session");
            }
        });
    }
    finish(set).await;
    check(&ctx.found(&key).await.meta);
}

pub(crate) async fn no_reader_sees_a_torn_record(ctx: Context) {
    const READERS: usize = 3;
    const READS: usize = 40;
    let sizes = [1, 70_000, 300, 9_000, 40_000];
    let payload = move |version: u64| Bytes::from(vec![version.to_le_bytes()[0]; sizes[(version % 5) as usize]]);
    let key = ctx.created(payload(1)).await;
    let reading = Arc::new(AtomicUsize::new(READERS));
    let mut set = JoinSet::new();
    for number in 0..READERS {
        let (ctx, reading) = (ctx.clone(), Arc::clone(&reading));
        set.spawn(async move {
            let _done = Countdown(reading);
            let mut seen = 0;
            for _ in 0..READS {
                let read = handle(&ctx, number).read(&key).await.expect("read");
                let record = read.found().expect("a live session").record;
                let version = record.meta.version;
                assert!(
                    record.payload == payload(version),
                    "the payload is not the one of version {version}"
                );
                assert!(version >= seen, "version {version} was read after version {seen}");
                seen = version;
                tokio::task::yield_now().await;
            }
        });
    }
    // Writes until all readers have finished.
    let mut number = 0;
    while reading.load(Ordering::SeqCst) > 0 || number < READS {
        number += 1;
        let locked = handle(&ctx, number).lock(&key, PATIENCE).await.expect("lock");
        let mut locked = locked.found().expect("a live session");
        let next = successor(&locked.record, payload(locked.record.meta.version + 1));
        handle(&ctx, number)
            .commit(&mut locked.lock, next)
            .await
            .expect("commit");
    }
    finish(set).await;
}

/// Counts down on drop, also after a panic.
struct Countdown(Arc<AtomicUsize>);

impl Drop for Countdown {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Holders and waiters that are cancelled at any moment lose neither the lock nor an update.
pub(crate) async fn cancellation_loses_neither_lock_nor_update(ctx: Context) {
    let tasks = 8.min(ctx.profile().max_waiters);
    let key = ctx.created("0").await;
    let mut set = JoinSet::new();
    for number in 0..tasks {
        let ctx = ctx.clone();
        set.spawn(async move {
            let mut certain = 0;
            let mut unknown = 0;
            for round in 0..ROUNDS {
                let patience = Duration::from_micros(((number * 31 + round * 17) % 40) as u64 * 50);
                match tokio::time::timeout(patience, increment(handle(&ctx, number), &key)).await {
                    Ok(()) => certain += 1,
                    Err(_) => unknown += 1,
                }
            }
            (certain, unknown)
        });
    }
    let outcomes = set.join_all().await;
    let certain: usize = outcomes.iter().map(|(certain, _)| certain).sum();
    let unknown: usize = outcomes.iter().map(|(_, unknown)| unknown).sum();
    let locked = ctx.lock(&key).await;
    let total = count(&locked.record.payload);
    assert!(
        (certain..=certain + unknown).contains(&total),
        "{certain} increments were acknowledged, {unknown} were cut off, and the counter shows {total}"
    );
    ctx.release(locked.lock).await;
}
