//! Tests of the storage under a scheduler that tries many interleavings of threads.
//!
//! In the unit tests the mutex of the shards is that of [shuttle](https://docs.rs/shuttle), and time is a
//! [model](crate::timer::model): each lock, unlock, reading of the clock and wake-up lets the scheduler choose the
//! thread that runs next. A thread that is stuck, because a wake-up was lost or a lock was not handed over, is reported
//! as a deadlock, as time moves only when a test moves it. A failure is printed with the schedule that
//! [`shuttle::replay`] repeats.

mod replace;

use std::pin::pin;
use std::task::{Context, Waker};
use std::time::Duration;

use sessile_core::{Clock, Lookup, Meta, Record, SessionId, SessionKey, Storage, StorageErrorKind};
use shuttle::future::block_on;
use shuttle::sync::Arc;
use shuttle::sync::atomic::{AtomicUsize, Ordering};
use shuttle::thread::{self, JoinHandle};

use crate::MemoryStorage;
use crate::sweeper::sweep;
use crate::timer::model::{ModelClock, advance};

const LEASE: Duration = Duration::from_secs(30);
const MINUTE: Duration = Duration::from_secs(60);

/// The number of schedules tried for each test, by each of two schedulers.
const SCHEDULES: usize = 1_500;

fn check(test: impl Fn() + Send + Sync + Clone + 'static) {
    shuttle::check_random(test.clone(), SCHEDULES);
    shuttle::check_pct(test, SCHEDULES, 3);
}

/// A storage with one session, whose payload counts the commits.
#[derive(Clone)]
struct Fixture {
    storage: MemoryStorage,
    /// The number of commits that were acknowledged.
    commits: Arc<AtomicUsize>,
    /// The number of threads that believe to hold the lock.
    inside: Arc<AtomicUsize>,
}

fn key() -> SessionKey {
    SessionId::parse("abc-the-old-key-of-the-session").unwrap().key()
}

fn new_key() -> SessionKey {
    SessionId::parse("abc-the-new-key-of-the-session").unwrap().key()
}

impl Fixture {
    fn new() -> Self {
        Self::ending(None)
    }

    fn ending(after: Option<Duration>) -> Self {
        let storage = MemoryStorage::builder()
            .clock(ModelClock)
            .shards(1)
            .sweeper(false)
            .lease(LEASE)
            .build();
        let now = ModelClock.now();
        let meta = Meta::new(now).with_deadline(after.map(|after| now + after));
        block_on(storage.create(&key(), Record::new(meta, "0"))).unwrap();
        Self {
            storage,
            commits: Arc::default(),
            inside: Arc::default(),
        }
    }

    fn spawn<T: Send + 'static>(&self, visit: impl FnOnce(&Self) -> T + Send + 'static) -> JoinHandle<T> {
        let fixture = self.clone();
        thread::spawn(move || visit(&fixture))
    }

    /// Waits for the lock and increments the count.
    fn count(&self, wait: Duration) -> Result<Lookup<()>, StorageErrorKind> {
        let found = block_on(self.storage.lock(&key(), wait)).map_err(|error| error.kind())?;
        let mut locked = match found {
            Lookup::Found(locked) => locked,
            other => return Ok(other.map(|_| ())),
        };
        let payload = std::str::from_utf8(&locked.record.payload).unwrap();
        let next: usize = payload.parse::<usize>().unwrap() + 1;
        locked.record.payload = next.to_string().into();
        locked.record.meta.version += 1;
        block_on(self.storage.commit(&mut locked.lock, locked.record)).map_err(|error| error.kind())?;
        self.commits.fetch_add(1, Ordering::SeqCst);
        Ok(Lookup::Found(()))
    }

    /// Does the same as [`count`](Self::count), and asserts that no other thread holds the lock. Requires that no lease
    /// ends.
    fn count_exclusively(&self) {
        let mut locked = block_on(self.storage.lock(&key(), MINUTE)).unwrap().found().unwrap();
        assert_eq!(self.inside.fetch_add(1, Ordering::SeqCst), 0, "two hold the lock");
        let next: usize = std::str::from_utf8(&locked.record.payload)
            .unwrap()
            .parse::<usize>()
            .unwrap()
            + 1;
        thread::yield_now();
        self.inside.fetch_sub(1, Ordering::SeqCst);
        locked.record.payload = next.to_string().into();
        locked.record.meta.version += 1;
        block_on(self.storage.commit(&mut locked.lock, locked.record)).unwrap();
        self.commits.fetch_add(1, Ordering::SeqCst);
    }

    /// Begins to wait, and drops the future.
    fn wait_and_cancel(&self) {
        let key = key();
        let mut waiting = pin!(self.storage.lock(&key, MINUTE));
        let mut cx = Context::from_waker(Waker::noop());
        for _ in 0..2 {
            if waiting.as_mut().poll(&mut cx).is_ready() {
                return;
            }
            thread::yield_now();
        }
    }

    /// Asserts that the lock has no holder and no waiter, and that no acknowledged commit is missing.
    fn finish(&self, key: SessionKey) {
        let stats = self.storage.stats();
        assert_eq!(
            (stats.locks, stats.waiters),
            (0, 0),
            "a holder or a waiter was left behind"
        );
        let locked = block_on(self.storage.lock(&key, Duration::ZERO)).expect("the lock is free");
        let payload = locked.found().expect("the session is there").record.payload;
        assert_eq!(payload, self.commits.load(Ordering::SeqCst).to_string());
    }
}

fn join<T>(threads: impl IntoIterator<Item = JoinHandle<T>>) -> Vec<T> {
    threads.into_iter().map(|thread| thread.join().unwrap()).collect()
}

#[test]
fn one_at_a_time() {
    check(|| {
        let fixture = Fixture::new();
        join([(); 3].map(|()| fixture.spawn(Fixture::count_exclusively)));
        assert_eq!(fixture.commits.load(Ordering::SeqCst), 3);
        fixture.finish(key());
    });
}

#[test]
fn a_lock_that_is_handed_to_a_cancelled_waiter_goes_to_the_next() {
    check(|| {
        let fixture = Fixture::new();
        let held = block_on(fixture.storage.lock(&key(), MINUTE)).unwrap();
        let cancelled = fixture.spawn(Fixture::wait_and_cancel);
        let waiting = [(); 2].map(|()| fixture.spawn(Fixture::count_exclusively));
        drop(held);
        cancelled.join().unwrap();
        join(waiting);
        fixture.finish(key());
    });
}

#[test]
fn a_lock_that_is_handed_over_as_the_wait_times_out_is_taken_or_passed_on() {
    check(|| {
        let fixture = Fixture::new();
        let held = block_on(fixture.storage.lock(&key(), MINUTE)).unwrap();
        let short = fixture.spawn(|fixture| fixture.count(Duration::from_secs(1)));
        let long = fixture.spawn(|fixture| fixture.count(MINUTE));
        let clock = thread::spawn(|| advance(Duration::from_secs(1)));
        drop(held);
        clock.join().unwrap();
        assert!(matches!(
            short.join().unwrap(),
            Ok(Lookup::Found(())) | Err(StorageErrorKind::LockTimeout)
        ));
        assert_eq!(long.join().unwrap(), Ok(Lookup::Found(())));
        fixture.finish(key());
    });
}

#[test]
fn a_lease_that_ends_as_the_lock_is_released_admits_one_waiter_not_two() {
    check(|| {
        let fixture = Fixture::new();
        let holder = fixture.spawn(|fixture| fixture.count(MINUTE));
        let waiting = [(); 2].map(|()| fixture.spawn(|fixture| fixture.count(MINUTE)));
        let clock = thread::spawn(|| advance(LEASE));
        for result in join(waiting.into_iter().chain([holder])) {
            assert!(
                matches!(result, Ok(Lookup::Found(())) | Err(StorageErrorKind::LockLost)),
                "{result:?}"
            );
        }
        clock.join().unwrap();
        fixture.finish(key());
    });
}

#[test]
fn the_end_of_a_lease_is_enough_to_go_on() {
    check(|| {
        let fixture = Fixture::new();
        let crashed = block_on(fixture.storage.lock(&key(), MINUTE)).unwrap();
        std::mem::forget(crashed);
        let waiting = [(); 2].map(|()| fixture.spawn(|fixture| fixture.count(MINUTE)));
        advance(LEASE);
        for result in join(waiting) {
            assert_eq!(result, Ok(Lookup::Found(())));
        }
        fixture.finish(key());
    });
}

#[test]
fn all_waiters_are_notified_of_the_end_of_the_session() {
    check(|| {
        let fixture = Fixture::new();
        let held = block_on(fixture.storage.lock(&key(), MINUTE)).unwrap();
        let waiting = [(); 2].map(|()| fixture.spawn(|fixture| fixture.count(MINUTE)));
        let cancelled = fixture.spawn(Fixture::wait_and_cancel);
        let destroyer = fixture.spawn(|fixture| block_on(fixture.storage.destroy(&key())).unwrap());
        drop(held);
        assert_eq!(destroyer.join().unwrap(), Lookup::Found(()));
        cancelled.join().unwrap();
        for result in join(waiting) {
            assert!(matches!(result, Ok(_) | Err(StorageErrorKind::Gone)), "{result:?}");
        }
        assert_eq!(fixture.storage.stats(), crate::MemoryStats::default());
    });
}

#[test]
fn an_acknowledged_commit_precedes_the_end_and_none_follows_it() {
    check(|| {
        let fixture = Fixture::new();
        let writer = fixture.spawn(|fixture| fixture.count(MINUTE));
        let destroyer = fixture.spawn(|fixture| block_on(fixture.storage.destroy(&key())).unwrap());
        assert_eq!(destroyer.join().unwrap(), Lookup::Found(()));
        assert_eq!(block_on(fixture.storage.read(&key())).unwrap(), Lookup::Missing);
        let _ = writer.join().unwrap();
        assert_eq!(block_on(fixture.storage.read(&key())).unwrap(), Lookup::Missing);
    });
}

#[test]
fn waiters_of_a_rotated_session_follow_it_or_are_notified() {
    for grace in [Duration::ZERO, MINUTE] {
        check(move || {
            let fixture = Fixture::new();
            let mut held = block_on(fixture.storage.lock(&key(), MINUTE)).unwrap().found().unwrap();
            let waiting = [(); 2].map(|()| fixture.spawn(|fixture| fixture.count(MINUTE)));
            let cancelled = fixture.spawn(Fixture::wait_and_cancel);
            block_on(fixture.storage.rotate(&mut held.lock, &new_key(), held.record, grace)).unwrap();
            for result in join(waiting) {
                let expected = if grace.is_zero() {
                    Lookup::Superseded
                } else {
                    Lookup::Found(())
                };
                assert_eq!(result, Ok(expected));
            }
            cancelled.join().unwrap();
            fixture.finish(new_key());
        });
    }
}

#[test]
fn an_expired_session_is_swept_once_and_all_waiters_are_notified() {
    check(|| {
        let fixture = Fixture::ending(Some(Duration::from_secs(5)));
        let held = block_on(fixture.storage.lock(&key(), MINUTE)).unwrap();
        let waiting = [(); 2].map(|()| fixture.spawn(|fixture| fixture.count(MINUTE)));
        let sweepers = [(); 2].map(|()| fixture.spawn(|fixture| block_on(fixture.storage.sweep(10)).unwrap().len()));
        advance(Duration::from_secs(5));
        for result in join(waiting) {
            assert_eq!(result, Ok(Lookup::Missing));
        }
        let swept: usize = join(sweepers).into_iter().sum();
        let left = block_on(fixture.storage.sweep(10)).unwrap().len();
        assert_eq!(swept + left, 1, "each record is swept once");
        drop(held);
        assert_eq!(fixture.storage.stats(), crate::MemoryStats::default());
    });
}

#[test]
fn a_full_storage_never_exceeds_its_capacity() {
    check(|| {
        let storage = MemoryStorage::builder()
            .clock(ModelClock)
            .shards(2)
            .sweeper(false)
            .capacity(2)
            .build();
        let keys = ["one-1234567890123456", "two-1234567890123456", "abc-1234567890123456"];
        let threads = keys.map(|id| {
            let (storage, key) = (storage.clone(), SessionId::parse(id).unwrap().key());
            thread::spawn(move || {
                let record = Record::new(Meta::new(ModelClock.now()), "");
                block_on(storage.create(&key, record)).map_err(|error| error.kind())
            })
        });
        let created = join(threads);
        assert_eq!(created.iter().filter(|result| result.is_ok()).count(), 2, "{created:?}");
        assert_eq!(storage.stats().stored, 2);
    });
}

#[test]
fn no_deadline_escapes_a_running_sweep() {
    check(|| {
        let storage = MemoryStorage::builder().clock(ModelClock).shards(2).build();
        let alarm = &storage.shared.options.alarm;
        alarm.pretend();
        let deadlines = [3_600, 60, 1].map(|after| ModelClock.now() + Duration::from_secs(after));
        let create = |index: usize| {
            let key = SessionId::parse(["one-1234567890123456", "two-1234567890123456", "abc-1234567890123456"][index]);
            let meta = Meta::new(ModelClock.now()).with_deadline(Some(deadlines[index]));
            block_on(storage.create(&key.unwrap().key(), Record::new(meta, ""))).unwrap();
        };
        // A first sweep has set the alarm, and a second one runs beside new deadlines.
        create(0);
        assert!(sweep(alarm, &std::sync::Arc::downgrade(&storage.shared)));
        thread::scope(|scope| {
            scope.spawn(|| create(1));
            scope.spawn(|| create(2));
            scope.spawn(|| sweep(alarm, &std::sync::Arc::downgrade(&storage.shared)));
        });
        assert!(alarm.next() <= deadlines[2].as_millis(), "the next sweep is too late");
    });
}
