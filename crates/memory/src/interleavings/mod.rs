//! The storage under a scheduler that tries many orders in which threads can meet.
//!
//! In the unit tests the mutex of the shards is [shuttle](https://docs.rs/shuttle)'s, and time is the
//! [model's](time): whoever locks, unlocks, looks at the clock or wakes another lets the scheduler choose who goes on.
//! A thread that is stuck, because its wake-up was lost or nobody handed the lock on, is found as a deadlock, as time
//! does not move unless a test moves it. What fails is printed with the schedule that
//! [`shuttle::replay`] repeats.

mod replace;
pub(crate) mod time;

use std::pin::pin;
use std::task::{Context, Waker};
use std::time::Duration;

use sessile_core::{Clock, Lookup, Meta, Record, SessionId, SessionKey, Storage, StorageErrorKind};
use shuttle::future::block_on;
use shuttle::sync::Arc;
use shuttle::sync::atomic::{AtomicUsize, Ordering};
use shuttle::thread::{self, JoinHandle};

use self::time::{ModelClock, advance};
use crate::MemoryStorage;

const LEASE: Duration = Duration::from_secs(30);
const MINUTE: Duration = Duration::from_secs(60);

/// Schedules tried for each test, by each of two ways to choose them.
const SCHEDULES: usize = 1_500;

fn check(test: impl Fn() + Send + Sync + Clone + 'static) {
    shuttle::check_random(test.clone(), SCHEDULES);
    shuttle::check_pct(test, SCHEDULES, 3);
}

/// A storage with one session, whose payload counts the commits.
#[derive(Clone)]
struct Scene {
    storage: MemoryStorage,
    /// How many commits have been acknowledged.
    commits: Arc<AtomicUsize>,
    /// How many hold the lock, as far as they know.
    inside: Arc<AtomicUsize>,
}

fn key() -> SessionKey {
    SessionId::parse("abc-the-old-key-of-the-session").unwrap().key()
}

fn new_key() -> SessionKey {
    SessionId::parse("abc-the-new-key-of-the-session").unwrap().key()
}

impl Scene {
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
        let scene = self.clone();
        thread::spawn(move || visit(&scene))
    }

    /// Waits for the lock, counts one up, and says how that went.
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

    /// As [`count`](Self::count), and makes sure that nobody else is inside. Only where no lease ends.
    fn count_alone(&self) {
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

    /// Begins to wait, and goes away again.
    fn come_and_go(&self) {
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

    /// Makes sure that nobody holds or waits for the lock, and that no acknowledged commit is missing.
    fn finish(&self, key: SessionKey) {
        let stats = self.storage.stats();
        assert_eq!((stats.locks, stats.waiters), (0, 0), "someone was left behind");
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
        let scene = Scene::new();
        join([(); 3].map(|()| scene.spawn(Scene::count_alone)));
        assert_eq!(scene.commits.load(Ordering::SeqCst), 3);
        scene.finish(key());
    });
}

#[test]
fn a_lock_that_is_handed_to_one_who_leaves_goes_to_the_next() {
    check(|| {
        let scene = Scene::new();
        let held = block_on(scene.storage.lock(&key(), MINUTE)).unwrap();
        let leaving = scene.spawn(Scene::come_and_go);
        let waiting = [(); 2].map(|()| scene.spawn(Scene::count_alone));
        drop(held);
        leaving.join().unwrap();
        join(waiting);
        scene.finish(key());
    });
}

#[test]
fn a_lock_that_comes_as_the_time_is_over_is_taken_or_passed_on() {
    check(|| {
        let scene = Scene::new();
        let held = block_on(scene.storage.lock(&key(), MINUTE)).unwrap();
        let short = scene.spawn(|scene| scene.count(Duration::from_secs(1)));
        let long = scene.spawn(|scene| scene.count(MINUTE));
        let clock = thread::spawn(|| advance(Duration::from_secs(1)));
        drop(held);
        clock.join().unwrap();
        assert!(matches!(
            short.join().unwrap(),
            Ok(Lookup::Found(())) | Err(StorageErrorKind::LockTimeout)
        ));
        assert_eq!(long.join().unwrap(), Ok(Lookup::Found(())));
        scene.finish(key());
    });
}

#[test]
fn a_lease_that_ends_as_the_lock_is_given_up_lets_one_in_not_two() {
    check(|| {
        let scene = Scene::new();
        let holder = scene.spawn(|scene| scene.count(MINUTE));
        let waiting = [(); 2].map(|()| scene.spawn(|scene| scene.count(MINUTE)));
        let clock = thread::spawn(|| advance(LEASE));
        for result in join(waiting.into_iter().chain([holder])) {
            assert!(
                matches!(result, Ok(Lookup::Found(())) | Err(StorageErrorKind::LockLost)),
                "{result:?}"
            );
        }
        clock.join().unwrap();
        scene.finish(key());
    });
}

#[test]
fn the_end_of_a_lease_is_enough_to_go_on() {
    check(|| {
        let scene = Scene::new();
        let crashed = block_on(scene.storage.lock(&key(), MINUTE)).unwrap();
        std::mem::forget(crashed);
        let waiting = [(); 2].map(|()| scene.spawn(|scene| scene.count(MINUTE)));
        advance(LEASE);
        for result in join(waiting) {
            assert_eq!(result, Ok(Lookup::Found(())));
        }
        scene.finish(key());
    });
}

#[test]
fn all_who_wait_learn_of_the_end_of_the_session() {
    check(|| {
        let scene = Scene::new();
        let held = block_on(scene.storage.lock(&key(), MINUTE)).unwrap();
        let waiting = [(); 2].map(|()| scene.spawn(|scene| scene.count(MINUTE)));
        let leaving = scene.spawn(Scene::come_and_go);
        let destroyer = scene.spawn(|scene| block_on(scene.storage.destroy(&key())).unwrap());
        drop(held);
        assert_eq!(destroyer.join().unwrap(), Lookup::Found(()));
        leaving.join().unwrap();
        for result in join(waiting) {
            assert!(matches!(result, Ok(_) | Err(StorageErrorKind::Gone)), "{result:?}");
        }
        assert_eq!(scene.storage.stats(), crate::MemoryStats::default());
    });
}

#[test]
fn an_acknowledged_commit_was_before_the_end_and_none_is_after() {
    check(|| {
        let scene = Scene::new();
        let writer = scene.spawn(|scene| scene.count(MINUTE));
        let destroyer = scene.spawn(|scene| block_on(scene.storage.destroy(&key())).unwrap());
        assert_eq!(destroyer.join().unwrap(), Lookup::Found(()));
        assert_eq!(block_on(scene.storage.read(&key())).unwrap(), Lookup::Missing);
        let _ = writer.join().unwrap();
        assert_eq!(block_on(scene.storage.read(&key())).unwrap(), Lookup::Missing);
    });
}

#[test]
fn those_who_wait_while_the_session_moves_follow_it_or_learn_of_it() {
    for grace in [Duration::ZERO, MINUTE] {
        check(move || {
            let scene = Scene::new();
            let mut held = block_on(scene.storage.lock(&key(), MINUTE)).unwrap().found().unwrap();
            let waiting = [(); 2].map(|()| scene.spawn(|scene| scene.count(MINUTE)));
            let leaving = scene.spawn(Scene::come_and_go);
            block_on(scene.storage.rotate(&mut held.lock, &new_key(), held.record, grace)).unwrap();
            for result in join(waiting) {
                let expected = if grace.is_zero() {
                    Lookup::Superseded
                } else {
                    Lookup::Found(())
                };
                assert_eq!(result, Ok(expected));
            }
            leaving.join().unwrap();
            scene.finish(new_key());
        });
    }
}

#[test]
fn what_expires_is_swept_to_one_and_all_who_wait_learn_of_it() {
    check(|| {
        let scene = Scene::ending(Some(Duration::from_secs(5)));
        let held = block_on(scene.storage.lock(&key(), MINUTE)).unwrap();
        let waiting = [(); 2].map(|()| scene.spawn(|scene| scene.count(MINUTE)));
        let sweepers = [(); 2].map(|()| scene.spawn(|scene| block_on(scene.storage.sweep(10)).unwrap().len()));
        advance(Duration::from_secs(5));
        for result in join(waiting) {
            assert_eq!(result, Ok(Lookup::Missing));
        }
        let swept: usize = join(sweepers).into_iter().sum();
        let left = block_on(scene.storage.sweep(10)).unwrap().len();
        assert_eq!(swept + left, 1, "each record is for one");
        drop(held);
        assert_eq!(scene.storage.stats(), crate::MemoryStats::default());
    });
}

#[test]
fn a_full_storage_takes_no_more_than_it_may() {
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
fn no_deadline_escapes_a_sweeper_on_its_round() {
    check(|| {
        let storage = MemoryStorage::builder().clock(ModelClock).shards(2).build();
        let sweeper = &storage.shared.settings.sweeper;
        sweeper.pretend();
        let deadlines = [3_600, 60, 1].map(|after| ModelClock.now() + Duration::from_secs(after));
        let create = |index: usize| {
            let key = SessionId::parse(["one-1234567890123456", "two-1234567890123456", "abc-1234567890123456"][index]);
            let meta = Meta::new(ModelClock.now()).with_deadline(Some(deadlines[index]));
            block_on(storage.create(&key.unwrap().key(), Record::new(meta, ""))).unwrap();
        };
        // It has found out when to look next, and is about to do so once more.
        create(0);
        assert!(sweeper.round(&std::sync::Arc::downgrade(&storage.shared)));
        thread::scope(|scope| {
            scope.spawn(|| create(1));
            scope.spawn(|| create(2));
            scope.spawn(|| sweeper.round(&std::sync::Arc::downgrade(&storage.shared)));
        });
        assert!(sweeper.next() <= deadlines[2].as_millis(), "it would come too late");
    });
}
