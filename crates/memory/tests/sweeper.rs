//! The sweeper of a storage, with real threads, and as little real time as possible.

mod common;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use common::*;
use sessile_core::{Clock, Lookup, ManualClock, Record, Storage, Timestamp};
use sessile_memory::{MemoryStats, MemoryStorage};

/// A limit that is long enough for the slowest machine, and shorter than the longest sleep of a sweeper.
const PATIENCE: Duration = Duration::from_secs(30);

fn eventually(what: &str, mut done: impl FnMut() -> bool) {
    let start = Instant::now();
    while !done() {
        assert!(start.elapsed() < PATIENCE, "{what}: not within {PATIENCE:?}");
        std::thread::sleep(MS);
    }
}

/// Polls a future once, without a runtime: operations wait only for locks.
fn now<T>(future: impl Future<Output = T>) -> T {
    match std::pin::pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(result) => result,
        Poll::Pending => panic!("it waits"),
    }
}

fn create(storage: &MemoryStorage, record: Record) {
    now(storage.create(&new_key(), record)).expect("created");
}

fn is_empty(storage: &MemoryStorage) -> bool {
    storage.stats() == MemoryStats::default()
}

#[test]
fn expired_sessions_leave_without_any_access() {
    let clock = manual_clock();
    let storage = MemoryStorage::builder().clock(Arc::clone(&clock)).build();
    for after in 1..=1_000 {
        create(&storage, ending(&storage, "", after * MS));
    }
    create(&storage, record(&storage, "stays"));
    clock.advance(500 * MS);
    eventually("the first half leaves", || storage.stats().stored == 501);
    clock.advance(500 * MS);
    eventually("the second half leaves", || storage.stats().stored == 1);
}

#[test]
fn an_earlier_deadline_wakes_the_sweeper() {
    let clock = manual_clock();
    let storage = MemoryStorage::builder().clock(Arc::clone(&clock)).build();
    // The sweeper is asleep for as long as it ever sleeps, twice: for a late deadline and for an earlier one.
    for (late, millis) in [(7_200, 50), (3_600, 20)] {
        create(&storage, ending(&storage, "", late * SECOND));
        std::thread::sleep(200 * MS);
        let before = storage.stats().stored;
        create(&storage, ending(&storage, "", millis * MS));
        clock.advance(millis * MS);
        eventually("the early one leaves", || storage.stats().stored == before);
    }
}

#[test]
fn a_commit_and_a_rotation_wake_it_too() {
    let clock = manual_clock();
    let storage = MemoryStorage::builder()
        .clock(Arc::clone(&clock))
        .tombstone_ttl(20 * MS)
        .build();
    let [old, new] = rotated_keys();
    now(storage.create(&old, ending(&storage, "", 7_200 * SECOND))).unwrap();
    std::thread::sleep(200 * MS);
    let mut lock = now(take(&storage, &old));
    now(storage.rotate(&mut lock, &new, ending(&storage, "", 3_600 * SECOND), 10 * MS)).unwrap();
    assert_eq!(storage.stats().moved, 1);
    clock.advance(30 * MS);
    eventually("the tombstone leaves", || storage.stats().moved == 0);
    std::thread::sleep(200 * MS);
    let mut lock = now(take(&storage, &new));
    now(storage.commit(&mut lock, ending(&storage, "", 20 * MS))).unwrap();
    clock.advance(20 * MS);
    eventually("the record leaves", || is_empty(&storage));
}

#[test]
fn a_session_whose_deadline_moved_on_stays() {
    let clock = manual_clock();
    let storage = MemoryStorage::builder().clock(Arc::clone(&clock)).build();
    let key = new_key();
    now(storage.create(&key, ending(&storage, "", 10 * MS))).unwrap();
    create(&storage, ending(&storage, "", 10 * MS));
    let start = clock.now();
    now(storage.touch(&key, 1, Some(start + 40 * MS), start)).unwrap();
    clock.advance(10 * MS);
    eventually("the other leaves", || storage.stats().stored == 1);
    assert!(now(storage.read(&key)).unwrap().is_found());
    clock.advance(30 * MS);
    eventually("it leaves", || is_empty(&storage));
}

#[test]
fn it_works_in_a_static_and_without_a_runtime() {
    static STORAGE: LazyLock<MemoryStorage> = LazyLock::new(MemoryStorage::new);
    create(&STORAGE, ending(&STORAGE, "", 20 * MS));
    eventually("it leaves", || is_empty(&STORAGE));
}

/// A clock that counts how often a sweeper reads it.
#[derive(Debug)]
struct WatchedClock {
    clock: ManualClock,
    readings: AtomicUsize,
}

impl Clock for WatchedClock {
    fn now(&self) -> Timestamp {
        if std::thread::current().name() == Some("sessile-sweeper") {
            self.readings.fetch_add(1, Ordering::SeqCst);
        }
        self.clock.now()
    }
}

fn watched_clock() -> Arc<WatchedClock> {
    Arc::new(WatchedClock {
        clock: ManualClock::at(Timestamp::from_millis(1_000_000)),
        readings: AtomicUsize::new(0),
    })
}

#[test]
fn its_thread_starts_with_the_first_deadline_and_ends_with_the_storage() {
    let clock = watched_clock();
    let storage = MemoryStorage::builder().clock(Arc::clone(&clock)).build();
    create(&storage, record(&storage, "no end"));
    std::thread::sleep(50 * MS);
    assert_eq!(clock.readings.load(Ordering::SeqCst), 0);
    create(&storage, ending(&storage, "", 3_600 * SECOND));
    eventually("it starts", || clock.readings.load(Ordering::SeqCst) > 0);

    // The thread refers to the clock for as long as it runs, and so does every clone of the storage.
    let clone = storage.clone();
    drop(storage);
    assert!(Arc::strong_count(&clock) > 1);
    drop(clone);
    eventually("it ends", || Arc::strong_count(&clock) == 1);
}

#[test]
fn it_reads_the_clock_rarely() {
    let clock = watched_clock();
    let storage = MemoryStorage::builder().clock(Arc::clone(&clock)).shards(1).build();
    create(&storage, ending(&storage, "", 3_600 * SECOND));
    std::thread::sleep(500 * MS);
    let readings = clock.readings.load(Ordering::SeqCst);
    assert!((1..10).contains(&readings), "{readings} readings in half a second");
}

#[test]
fn without_it_expired_sessions_are_left_to_sweep() {
    let clock = watched_clock();
    let storage = MemoryStorage::builder()
        .clock(Arc::clone(&clock))
        .sweeper(false)
        .build();
    for _ in 0..100 {
        create(&storage, ending(&storage, "", 10 * MS));
    }
    clock.clock.advance(SECOND);
    std::thread::sleep(50 * MS);
    assert_eq!((storage.stats().live, storage.stats().stored), (0, 100));
    assert_eq!(now(storage.sweep(1_000)).unwrap().len(), 100);
    assert_eq!(clock.readings.load(Ordering::SeqCst), 0);
}

#[test]
fn waiters_are_notified_by_the_sweeper() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let clock = manual_clock();
        let storage = MemoryStorage::builder().clock(Arc::clone(&clock)).build();
        let key = new_key();
        storage
            .create(&key, ending(&storage, "", 7_200 * SECOND))
            .await
            .unwrap();
        let _held = take(&storage, &key).await;
        let waiting = tokio::spawn({
            let storage = storage.clone();
            async move { storage.lock(&key, 3_600 * SECOND).await }
        });
        settle().await;
        // The timer of the waiter is set to the end of the lease, half a minute away.
        clock.advance(7_200 * SECOND);
        create(&storage, ending(&storage, "", Duration::ZERO));
        let result = tokio::time::timeout(10 * SECOND, waiting)
            .await
            .expect("it is notified")
            .unwrap()
            .unwrap();
        assert!(matches!(result, Lookup::Missing));
    });
}
