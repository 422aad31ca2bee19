//! The plain functions, as far as they differ from the futures. The model test shows that both do the same.

#![allow(clippy::unwrap_used, reason = "an unwrap is an assertion here")]

mod common;

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use common::{assert_free, lock, manual_storage, new_key, session};
use sessile_core::{Clock, Lookup, Meta, Record, Storage, StorageErrorKind, Timestamp};
use sessile_memory::MemoryStorage;

/// A clock that advances by a millisecond with each reading.
#[derive(Debug, Default)]
struct Ticking(AtomicU64);

impl Clock for Ticking {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.0.fetch_add(1, Ordering::Relaxed))
    }
}

#[test]
fn the_moment_returned_is_the_one_that_was_compared_with_the_deadline() {
    let builder = MemoryStorage::builder().clock(Ticking::default());
    let storage = builder.sweeper(false).lease(Duration::from_secs(1)).build();
    let immediate = storage.immediate().unwrap();
    // One of these deadlines coincides with a reading of the clock, whichever reading an operation uses.
    for after in 0..20 {
        let deadline = storage.clock().now() + Duration::from_millis(40 + after);
        let record = || Record::new(Meta::new(Timestamp::MIN).with_deadline(Some(deadline)), "");
        let (read, locked) = (new_key(), new_key());
        immediate.create(&read, record()).unwrap();
        immediate.create(&locked, record()).unwrap();
        let mut was_missing = false;
        while !was_missing {
            let (found, moment) = immediate.read(&read).unwrap();
            assert_eq!(found.is_found(), moment < deadline, "{moment:?}");
            let (found, moment) = immediate.lock(&locked).expect("it was released").unwrap();
            assert_eq!(found.is_found(), moment < deadline, "{moment:?}");
            was_missing = !found.is_found();
        }
    }
}

#[tokio::test]
async fn a_lock_that_is_held_is_not_waited_for() {
    let (storage, _) = manual_storage();
    let key = session(&storage, "a").await;
    let held = lock(&storage, &key).await;
    let immediate = storage.immediate().unwrap();
    assert!(immediate.lock(&key).is_none());
    let (_, moment) = immediate.read(&key).unwrap();
    assert_eq!(moment, storage.clock().now());
    assert_eq!((storage.stats().locks, storage.stats().waiters), (1, 0));
    drop(held);
    let Some(Ok((Lookup::Found(mut locked), moment))) = immediate.lock(&key) else {
        panic!("the lock is free");
    };
    assert_eq!(moment, storage.clock().now());
    assert_eq!(*locked.lock.key(), key);

    // Both ways to acquire and release use the same lock.
    storage.commit(&mut locked.lock, locked.record).await.unwrap();
    immediate.release(lock(&storage, &key).await.lock).unwrap();
    assert_free(&storage, &key).await;
}

#[test]
fn errors_name_the_operation_and_the_storage() {
    let (storage, _) = manual_storage();
    let immediate = storage.immediate().unwrap();
    let key = new_key();
    let record = || Record::new(Meta::new(storage.clock().now()), "");
    immediate.create(&key, record()).unwrap();
    let known = immediate.read(&key).unwrap().0.found().unwrap();
    let mut lock = immediate.lock(&key).unwrap().unwrap().0.found().unwrap().lock;
    let taken = immediate.create(&key, record()).unwrap_err();
    assert_eq!((taken.kind(), taken.operation()), (StorageErrorKind::Exists, "create"));
    now(storage.destroy(&key)).unwrap();
    let gone = immediate.commit(&mut lock, record()).unwrap_err();
    assert_eq!((gone.kind(), gone.operation()), (StorageErrorKind::Gone, "commit"));
    let gone = immediate.replace(&known, record()).unwrap_err();
    assert_eq!((gone.kind(), gone.operation()), (StorageErrorKind::Gone, "replace"));
    assert_eq!(gone.storage(), "memory");
}

fn now<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap()
        .block_on(future)
}
