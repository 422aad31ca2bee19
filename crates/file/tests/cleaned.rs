//! A cleaner or an operator removes files of a folder that is in use.

#[allow(dead_code)] // Each test uses a part of it.
mod common;

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use common::{TempFolder, count_files, key, record};
use sessile_core::{Locked, Locks, Lookup, ManualClock, Storage, StorageErrorKind, Timestamp};
use sessile_file::{FileLocks, FileStorage};

/// Longer than any test in this file.
const LEASE: Duration = Duration::from_secs(300);

fn open(folder: &TempFolder) -> FileStorage {
    FileStorage::builder(folder.path())
        .lease(LEASE)
        .sweep_every(None)
        .open()
        .expect("open")
}

async fn lock(storage: &FileStorage, name: &str) -> Locked {
    let locked = storage.lock(&key(name), Duration::ZERO).await.expect("lock");
    locked.found().expect("live")
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).expect("a folder").flatten();
    let mut names: Vec<_> = entries
        .map(|entry| entry.file_name().into_string().expect("a name"))
        .collect();
    names.sort_unstable();
    names
}

fn remove_all(folder: &Path) {
    for entry in fs::read_dir(folder).expect("a folder").flatten() {
        if entry.path().is_dir() {
            fs::remove_dir_all(entry.path()).expect("a folder");
        } else {
            fs::remove_file(entry.path()).expect("a file");
        }
    }
}

/// Covers the files of the open storages, with and without the folder in which they lie.
#[tokio::test]
async fn the_files_of_instances_are_made_again() {
    for with_the_folder in [false, true] {
        let folder = TempFolder::new();
        let storage = open(&folder);
        storage.create(&key("one"), record("x")).await.expect("create");
        let instances = folder.path().join("instances");
        let before = names(&instances);
        if with_the_folder {
            fs::remove_dir_all(&instances).expect("a folder");
        } else {
            remove_all(&instances);
        }
        assert_eq!(storage.read(&key("none")).await.expect("read"), Lookup::Missing);
        assert_eq!(names(&instances), before, "other processes must see that it is open");
        storage.create(&key("two"), record("x")).await.expect("create");
        let mut locked = lock(&storage, "one").await;
        remove_all(&instances);
        // The lock has not been taken in the meantime.
        storage.renew(&locked.lock.id()).await.expect("renew");
        assert_eq!(names(&instances), before, "other processes must see that it is open");
        let other = open(&folder);
        let error = other.lock(&key("one"), Duration::ZERO).await.expect_err("it is held");
        assert_eq!(error.kind(), StorageErrorKind::LockTimeout, "{error:?}");
        storage.commit(&mut locked.lock, record("y")).await.expect("commit");
        drop(storage);
        assert_eq!(names(&instances).len(), 1, "the other is open");
    }
}

/// Until the file is made again, other processes take its owner for dead. The owner is then refused, and nothing is
/// lost.
#[tokio::test]
async fn a_holder_that_looked_dead_is_refused() {
    let folder = TempFolder::new();
    let (one, two) = (open(&folder), open(&folder));
    one.create(&key("one"), record("x")).await.expect("create");
    let mut locked = lock(&one, "one").await;
    remove_all(&folder.path().join("instances"));
    let mut taken = lock(&two, "one").await;
    for _ in 0..2 {
        let error = one.renew(&locked.lock.id()).await.expect_err("another has it");
        assert_eq!(error.kind(), StorageErrorKind::LockLost, "{error:?}");
        let error = one
            .commit(&mut locked.lock, record("lost"))
            .await
            .expect_err("another has it");
        assert_eq!(error.kind(), StorageErrorKind::LockLost, "{error:?}");
    }
    let error = one.lock(&key("one"), Duration::ZERO).await.expect_err("another has it");
    assert_eq!(
        error.kind(),
        StorageErrorKind::LockTimeout,
        "both are seen to be open: {error:?}"
    );
    two.commit(&mut taken.lock, record("y")).await.expect("commit");
    let stored = one.read(&key("one")).await.expect("read").found().expect("live");
    assert_eq!(stored.record.payload, "y");
}

/// An idle storage makes its file again too: another process may check whether it is open.
#[tokio::test]
async fn a_storage_that_sweeps_restores_its_files() {
    let folder = TempFolder::new();
    let builder = FileStorage::builder(folder.path()).sweep_every(Some(Duration::from_millis(20)));
    let storage = builder.open().expect("open");
    remove_all(folder.path());
    let began = Instant::now();
    while names(folder.path()) != ["FORMAT", "LEASE", "aside", "instances"] {
        assert!(began.elapsed() < Duration::from_secs(30), "{:?}", names(folder.path()));
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    drop(storage);
}

/// Only the sessions are lost with the contents of the folder.
#[tokio::test]
async fn an_emptied_folder_can_be_used_again() {
    let folder = TempFolder::new();
    let storage = open(&folder);
    let before = names(folder.path());
    storage.create(&key("one"), record("x")).await.expect("create");
    let mut locked = lock(&storage, "one").await;
    remove_all(folder.path());
    assert_eq!(storage.read(&key("one")).await.expect("read"), Lookup::Missing);
    assert_eq!(names(folder.path()), before, "the common settings are written again");
    let error = storage
        .commit(&mut locked.lock, record("y"))
        .await
        .expect_err("the session is gone");
    assert_eq!(error.kind(), StorageErrorKind::Gone, "{error:?}");
    storage.create(&key("one"), record("z")).await.expect("create");
    let mut locked = lock(&storage, "one").await;
    storage.commit(&mut locked.lock, record("w")).await.expect("commit");
    // Use it at once, without a read in between.
    remove_all(folder.path());
    storage.create(&key("one"), record("z")).await.expect("create");
    lock(&storage, "one").await;
    assert_eq!(storage.scan(None, 10).await.expect("scan").sessions.len(), 1);
    assert_eq!(storage.sweep(10).await.expect("sweep"), []);
}

#[tokio::test]
async fn file_locks_work_in_an_emptied_folder() {
    let folder = TempFolder::new();
    let open = || FileLocks::builder(folder.path()).lease(LEASE).open().expect("open");
    let (one, two) = (open(), open());
    let lost = one.acquire(&key("one"), Duration::ZERO).await.expect("free");
    remove_all(folder.path());
    let held = two
        .acquire(&key("one"), Duration::ZERO)
        .await
        .expect("its lease is gone");
    let error = one.renew(&lost.id()).await.expect_err("another has it");
    assert_eq!(error.kind(), StorageErrorKind::LockLost, "{error:?}");
    assert!(!one.is_held(&lost.id()).await.expect("is_held"));
    assert!(two.is_held(&held.id()).await.expect("is_held"));
    let error = one.acquire(&key("one"), Duration::ZERO).await.expect_err("it is held");
    assert_eq!(error.kind(), StorageErrorKind::LockTimeout, "{error:?}");
    two.release(held).await.expect("release");
}

/// Removes empty folders, as a cleaner does, or a backup that leaves them out.
fn remove_empty_folders(folder: &Path) {
    for entry in fs::read_dir(folder).expect("a folder").flatten() {
        if entry.path().is_dir() {
            remove_empty_folders(&entry.path());
            // This fails for folders that are not empty.
            let _ = fs::remove_dir(entry.path());
        }
    }
}

#[tokio::test]
async fn a_session_is_destroyed_in_a_folder_without_its_empty_folders() {
    let folder = TempFolder::new();
    let storage = open(&folder);
    storage.create(&key("one"), record("x")).await.expect("create");
    remove_empty_folders(folder.path());
    assert_eq!(storage.destroy(&key("one")).await.expect("destroy"), Lookup::Found(()));
    assert_eq!(storage.read(&key("one")).await.expect("read"), Lookup::Missing);
}

/// No record is left that needs the mark.
#[tokio::test]
async fn a_mark_is_swept_although_the_folder_it_points_into_is_gone() {
    let folder = TempFolder::new();
    let clock = Arc::new(ManualClock::at(Timestamp::from_millis(1_700_000_000_000)));
    let builder = FileStorage::builder(folder.path()).clock(clock.clone());
    let storage = builder.lease(LEASE).sweep_every(None).open().expect("open");
    let before = count_files(folder.path());
    storage.create(&key("one"), record("x")).await.expect("create");
    let mut locked = lock(&storage, "one").await;
    let two = key("two");
    let moved = storage.rotate(&mut locked.lock, &two, record("y"), Duration::ZERO);
    moved.await.expect("rotate");
    storage.destroy(&two).await.expect("destroy");
    assert_eq!(count_files(folder.path()), before + 1, "the mark stands");
    remove_empty_folders(folder.path());
    clock.advance(Duration::from_secs(3_600));
    assert_eq!(storage.sweep(10).await.expect("sweep"), []);
    assert_eq!(count_files(folder.path()), before, "the mark stays");
}
