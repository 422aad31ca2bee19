//! Expiry, sweeping and leases as time passes, and when clocks and dates are wrong.

#[allow(dead_code)] // Each test uses a part of it.
mod common;

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use common::{TempFolder, all_paths, count_files, key};
use sessile_core::{Clock, ManualClock, Meta, Record, Storage, StorageErrorKind, Timestamp};
use sessile_file::{Durability, FileStorage};

/// A time in the past of the machine's clock.
const START: Timestamp = Timestamp::from_millis(1_700_000_000_000);

/// Waits until a condition holds.
async fn until(failure: &str, mut condition: impl FnMut() -> bool) {
    for _ in 0..6_000 {
        if condition() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("{failure}");
}

#[tokio::test]
async fn expired_sessions_are_swept_in_the_background() {
    let folder = TempFolder::new();
    let clock = Arc::new(ManualClock::at(START));
    let builder = FileStorage::builder(folder.path())
        .clock(clock.clone())
        .durability(Durability::Relaxed);
    let storage = builder
        .sweep_every(Some(Duration::from_millis(20)))
        .open()
        .expect("open");
    let empty = count_files(folder.path());
    let born = storage.clock().now();
    for number in 0..5 {
        let meta = Meta::new(born).with_deadline(Some(born + Duration::from_secs(30)));
        storage
            .create(&key(&format!("number-{number}")), Record::new(meta, "x"))
            .await
            .expect("create");
    }
    clock.advance(Duration::from_secs(29));
    tokio::time::sleep(Duration::from_millis(100)).await;
    // Mutexes are not counted, so only the created sessions are added.
    assert_eq!(count_files(folder.path()), empty + 5);
    clock.advance(Duration::from_secs(1));
    until("they have expired and stay", || count_files(folder.path()) == empty).await;
    until("there is nothing left to be swept", || storage.sweep_backlog() == 0).await;
    // The sweeper ends with the storage.
    drop(storage);
    let instances = folder.path().join("instances");
    until("something keeps the storage open", || count_files(&instances) == 0).await;
}

/// A panic of the callback for quarantined files does not affect the storage.
#[tokio::test]
async fn a_callback_that_panics_does_not_end_the_sweeper() {
    let folder = TempFolder::new();
    let clock = Arc::new(ManualClock::at(START));
    let calls = Arc::new(AtomicUsize::new(0));
    let builder = FileStorage::builder(folder.path())
        .clock(clock.clone())
        .durability(Durability::Relaxed)
        .on_quarantine({
            let calls = calls.clone();
            move |_| {
                calls.fetch_add(1, Ordering::SeqCst);
                panic!("this is part of the test");
            }
        });
    let storage = builder
        .sweep_every(Some(Duration::from_millis(20)))
        .open()
        .expect("open");
    let meta = Meta::new(clock.now()).with_deadline(Some(clock.now() + Duration::from_secs(30)));
    let record = Record::new(meta, "x");
    storage.create(&key("one"), record).await.expect("create");
    let mut paths = Vec::new();
    all_paths(folder.path(), &mut paths);
    let leases = paths.iter().find(|path| path.ends_with("leases")).expect("a folder");
    fs::write(leases.join("foreign"), "x").expect("a file");
    until("the file was not quarantined", || calls.load(Ordering::SeqCst) == 1).await;
    clock.advance(Duration::from_secs(30));
    let leaves = leases.parent().expect("a stripe");
    // The mutex is not counted.
    until("the session has expired and stays", || count_files(leaves) == 0).await;
}

/// The date of a file only says when a sweep reads it. A wrong date, as after a copy, has no effect.
#[tokio::test]
async fn dates_are_hints() {
    let folder = TempFolder::new();
    let clock = Arc::new(ManualClock::at(START));
    let builder = FileStorage::builder(folder.path())
        .clock(clock.clone())
        .sweep_every(None);
    let storage = builder.open().expect("open");
    let meta = Meta::new(clock.now()).with_deadline(Some(clock.now() + Duration::from_secs(3_600)));
    storage
        .create(&key("one"), Record::new(meta, "x"))
        .await
        .expect("create");
    let mut paths = Vec::new();
    all_paths(folder.path(), &mut paths);
    for path in paths.iter().filter(|path| path.is_file()) {
        let old = std::time::SystemTime::UNIX_EPOCH;
        fs::File::open(path)
            .and_then(|file| file.set_modified(old))
            .expect("a date");
    }
    assert_eq!(storage.sweep(10).await.expect("sweep"), []);
    assert!(storage.read(&key("one")).await.expect("read").is_found());
}

/// A clock that is set back does not keep a lock held for the time by which it was set back.
#[tokio::test]
async fn a_clock_may_be_set_back() {
    const LEASE: Duration = Duration::from_secs(30);
    let folder = TempFolder::new();
    let clock = Arc::new(ManualClock::at(START));
    let storage = FileStorage::builder(folder.path())
        .clock(clock.clone())
        .lease(LEASE)
        .open()
        .expect("open");
    storage
        .create(&key("one"), Record::new(Meta::new(clock.now()), "x"))
        .await
        .expect("create");
    let locked = storage
        .lock(&key("one"), Duration::ZERO)
        .await
        .expect("lock")
        .found()
        .expect("live");
    clock.set(Timestamp::from_millis(START.as_millis() - 20_000));
    let error = storage
        .lock(&key("one"), Duration::ZERO)
        .await
        .expect_err("the holder may still have it");
    assert_eq!(error.kind(), StorageErrorKind::LockTimeout);
    clock.set(Timestamp::from_millis(START.as_millis() - 3_600_000));
    let mut next = storage
        .lock(&key("one"), Duration::ZERO)
        .await
        .expect("lock")
        .found()
        .expect("live");
    let error = storage
        .renew(&locked.lock.id())
        .await
        .expect_err("another has the lock");
    assert_eq!(error.kind(), StorageErrorKind::LockLost);
    let record = next.record.clone();
    storage.commit(&mut next.lock, record).await.expect("commit");
}
