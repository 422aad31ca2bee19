//! The storage's own sweeper: real threads, and as little real time as possible.

mod common;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use common::*;
use sessile_core::{Clock, Lookup, ManualClock, Record, Storage, Timestamp};
use sessile_memory::{MemoryStats, MemoryStorage};

/// Long enough for the slowest machine, and not for a sweeper that waits for the next time it looks at the clock.
const PATIENCE: Duration = Duration::from_secs(30);

fn eventually(what: &str, mut done: impl FnMut() -> bool) {
    let start = Instant::now();
    while !done() {
        assert!(start.elapsed() < PATIENCE, "{what}: not within {PATIENCE:?}");
        std::thread::sleep(MS);
    }
}

/// Without a runtime: no verb waits for anything but a lock.
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
    // Asleep for as long as it ever sleeps, twice: for a late deadline, and for one that is not quite as late.
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
fn what_slid_on_stays() {
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

/// Counts how often sweepers look at it.
#[derive(Debug)]
struct WatchedClock {
    clock: ManualClock,
    looks: AtomicUsize,
}

impl Clock for WatchedClock {
    fn now(&self) -> Timestamp {
        if std::thread::current().name() == Some("sessile-sweeper") {
            self.looks.fetch_add(1, Ordering::SeqCst);
        }
        self.clock.now()
    }
}

fn watched_clock() -> Arc<WatchedClock> {
    Arc::new(WatchedClock {
        clock: ManualClock::at(Timestamp::from_millis(1_000_000)),
        looks: AtomicUsize::new(0),
    })
}

#[test]
fn its_thread_starts_with_the_first_deadline_and_ends_with_the_storage() {
    let clock = watched_clock();
    let storage = MemoryStorage::builder().clock(Arc::clone(&clock)).build();
    create(&storage, record(&storage, "no end"));
    std::thread::sleep(50 * MS);
    assert_eq!(clock.looks.load(Ordering::SeqCst), 0);
    create(&storage, ending(&storage, "", 3_600 * SECOND));
    eventually("it starts", || clock.looks.load(Ordering::SeqCst) > 0);

    // The thread has the clock for as long as it runs, and so has every clone of the storage.
    let clone = storage.clone();
    drop(storage);
    assert!(Arc::strong_count(&clock) > 1);
    drop(clone);
    eventually("it ends", || Arc::strong_count(&clock) == 1);
}

#[test]
fn it_looks_at_the_clock_now_and_then_and_not_all_the_time() {
    let clock = watched_clock();
    let storage = MemoryStorage::builder().clock(Arc::clone(&clock)).shards(1).build();
    create(&storage, ending(&storage, "", 3_600 * SECOND));
    std::thread::sleep(500 * MS);
    let looks = clock.looks.load(Ordering::SeqCst);
    assert!((1..10).contains(&looks), "{looks} looks in half a second");
}

#[test]
fn switched_off_it_leaves_everything_to_sweep() {
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
    assert_eq!(clock.looks.load(Ordering::SeqCst), 0);
}

#[test]
fn those_who_wait_are_told_by_the_sweeper() {
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
        // The waiter's own timer is set to the end of the lease, half a minute away.
        clock.advance(7_200 * SECOND);
        create(&storage, ending(&storage, "", Duration::ZERO));
        let answer = tokio::time::timeout(10 * SECOND, waiting)
            .await
            .expect("it is told")
            .unwrap()
            .unwrap();
        assert!(matches!(answer, Lookup::Missing));
    });
}
