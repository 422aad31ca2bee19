//! A folder without permissions, as after a restore by another user.

#[allow(dead_code)] // Each test uses a part of it.
mod common;

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use common::{TempFolder, all_paths, count_files, key, record};
use sessile_core::{
    Meta, OsEntropy, Record, SessionId, SessionKey, Storage, StorageError, StorageErrorKind, Timestamp,
};
use sessile_file::{FileStorage, QuarantinedFile};
use sessile_lab::process::{ChildProcess, role, send};

/// Longer than any test in this file.
const LEASE: Duration = Duration::from_secs(300);

/// A user without files, for tests that are run by root.
const NOBODY: u32 = 65_534;

/// Opens a storage without a background sweeper.
fn open(folder: &Path) -> FileStorage {
    let storage = FileStorage::builder(folder).lease(LEASE).sweep_every(None);
    storage.open().expect("open")
}

async fn payload(storage: &FileStorage, key: &SessionKey) -> Vec<u8> {
    let stored = storage.read(key).await.expect("read").found().expect("live");
    stored.record.payload.to_vec()
}

/// Runs this test again, in another folder, as a user to whom file modes apply.
fn run_unprivileged(test: &str) {
    let folder = TempFolder::new();
    let mut command = Command::new(std::env::current_exe().expect("the test itself"));
    if fs::metadata("/proc/self").is_ok_and(|metadata| metadata.uid() == 0) {
        // Modes do not apply to root, so become another user.
        let mut paths = Vec::new();
        all_paths(folder.path(), &mut paths);
        for path in paths {
            chown(path, Some(NOBODY), Some(NOBODY)).expect("the owner of the folder is changed");
        }
        command.uid(NOBODY).gid(NOBODY);
    }
    let player = ChildProcess::spawn(command, test, "other", folder.path());
    assert_eq!(player.receive(), "done");
    player.finish();
}

fn set_modes(folder: &Path, folders: u32) {
    let mut paths = Vec::new();
    all_paths(folder, &mut paths);
    for path in paths.into_iter().filter(|path| path.is_dir()).rev() {
        fs::set_permissions(path, fs::Permissions::from_mode(folders)).expect("a mode");
    }
}

/// Sessions can still be read; changes are refused, and nothing is lost.
#[tokio::test]
async fn a_folder_that_may_not_be_written_to_is_a_clear_error() {
    let test = "a_folder_that_may_not_be_written_to_is_a_clear_error";
    if let Some((_, folder)) = role() {
        let denied = |error: StorageError| assert_eq!(error.kind(), StorageErrorKind::Denied, "{error:?}");
        let storage = open(&folder);
        storage.create(&key("one"), record("x")).await.expect("create");
        let mut locked = storage
            .lock(&key("one"), Duration::ZERO)
            .await
            .expect("lock")
            .found()
            .expect("live");
        set_modes(&folder, 0o500);
        assert_eq!(payload(&storage, &key("one")).await, b"x");
        assert_eq!(storage.scan(None, 10).await.expect("scan").sessions.len(), 1);
        denied(FileStorage::open(&folder).expect_err("it may not be written to"));
        denied(storage.create(&key("two"), record("x")).await.expect_err("create"));
        denied(storage.commit(&mut locked.lock, record("y")).await.expect_err("commit"));
        denied(
            storage
                .rotate(&mut locked.lock, &key("new"), record("y"), Duration::ZERO)
                .await
                .expect_err("rotate"),
        );
        denied(
            storage
                .touch(&key("one"), 1, None, Timestamp::MAX)
                .await
                .expect_err("touch"),
        );
        denied(storage.destroy(&key("one")).await.expect_err("destroy"));
        assert_eq!(payload(&storage, &key("one")).await, b"x");
        set_modes(&folder, 0o700);
        storage
            .commit(&mut locked.lock, record("y"))
            .await
            .expect("the lock is still held");
        assert_eq!(payload(&storage, &key("one")).await, b"y");
        return send("done");
    }
    run_unprivileged(test);
}

/// Returns the path of the file of a session, or of its lease.
fn file_of(folder: &Path, key: &SessionKey, is_lease: bool) -> PathBuf {
    let mut paths = Vec::new();
    all_paths(folder, &mut paths);
    let fingerprint = key.fingerprint().to_string();
    let found = paths.into_iter().find(|path| {
        let path = path.to_string_lossy();
        path.contains(&fingerprint) && path.contains("/leases/") == is_lease
    });
    found.expect("the file of the session")
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("a mode");
}

fn denied<T: std::fmt::Debug>(answer: Result<T, StorageError>) {
    let error = answer.expect_err("it cannot be read");
    assert_eq!(error.kind(), StorageErrorKind::Denied, "{error:?}");
    assert!(std::error::Error::source(&error).is_some(), "{error:?}");
}

fn open_and_report(folder: &Path) -> (FileStorage, Arc<Mutex<Vec<QuarantinedFile>>>) {
    let reports = Arc::new(Mutex::new(Vec::new()));
    let sink = reports.clone();
    let builder =
        FileStorage::builder(folder).on_quarantine(move |file| sink.lock().expect("reports").push(file.clone()));
    (builder.lease(LEASE).sweep_every(None).open().expect("open"), reports)
}

/// As after a restore by another user. The file may be intact, so it stays until its owner is corrected.
#[tokio::test]
async fn a_file_that_may_not_be_read_is_denied_and_left_alone() {
    let test = "a_file_that_may_not_be_read_is_denied_and_left_alone";
    if let Some((_, folder)) = role() {
        let (storage, reports) = open_and_report(&folder);
        let now = storage.clock().now();
        let expired = |payload: &str| Record::new(Meta::new(now).with_deadline(Some(now)), payload.to_owned());
        for name in ["one", "two"] {
            storage.create(&key(name), record("x")).await.expect("create");
        }
        for name in ["expired", "expired-2", "expired-3"] {
            storage.create(&key(name), expired("x")).await.expect("create");
        }
        let unreadable = [
            file_of(&folder, &key("one"), false),
            file_of(&folder, &key("expired"), false),
        ];
        unreadable.iter().for_each(|path| set_mode(path, 0o000));
        for _ in 0..2 {
            denied(storage.read(&key("one")).await);
            denied(storage.lock(&key("one"), Duration::from_secs(5)).await);
            denied(storage.create(&key("one"), record("y")).await);
            denied(storage.touch(&key("one"), 1, None, Timestamp::MAX).await);
            denied(storage.destroy(&key("one")).await);
        }
        // The other sessions are listed and swept all the same.
        let listed = storage.scan(None, 10).await.expect("scan").sessions;
        assert_eq!(listed.iter().map(|head| head.key).collect::<Vec<_>>(), [key("two")]);
        assert_eq!(storage.sweep(10).await.expect("sweep").len(), 2);
        denied(storage.sweep(10).await);
        assert_eq!(payload(&storage, &key("two")).await, b"x");
        unreadable.iter().for_each(|path| set_mode(path, 0o600));
        assert_eq!(payload(&storage, &key("one")).await, b"x");
        assert_eq!(storage.sweep(10).await.expect("sweep").len(), 1);
        assert_eq!(*reports.lock().expect("reports"), []);
        assert_eq!(count_files(&folder.join("aside")), 0);
        return send("done");
    }
    run_unprivileged(test);
}

/// A folder or a mutex without permission affects only the sessions that need it.
#[tokio::test]
async fn a_part_that_may_not_be_used_is_denied_and_the_rest_goes_on() {
    let test = "a_part_that_may_not_be_used_is_denied_and_the_rest_goes_on";
    if let Some((_, folder)) = role() {
        let (storage, reports) = open_and_report(&folder);
        let now = storage.clock().now();
        let locked_out = key("one");
        storage.create(&locked_out, record("x")).await.expect("create");
        let file = file_of(&folder, &locked_out, false);
        let leaf = file.parent().expect("a leaf").to_owned();
        let stripe = leaf.parent().expect("a stripe").to_owned();
        let mutex = stripe.join("mutex");
        // The id of a session in another stripe.
        let elsewhere = loop {
            let id = SessionId::generate(&OsEntropy);
            storage.create(&id.key(), record("x")).await.expect("create");
            if !file_of(&folder, &id.key(), false).starts_with(&stripe) {
                break id;
            }
        };
        for part in [&leaf, &stripe, &mutex] {
            let mode = fs::metadata(part).expect("a part").permissions().mode();
            set_mode(part, 0o000);
            let may_be_read = part.ends_with("mutex");
            let read = storage.read(&locked_out).await;
            assert_eq!(read.is_ok(), may_be_read, "{}: {read:?}", part.display());
            if !may_be_read {
                denied(read);
            }
            denied(storage.lock(&locked_out, Duration::from_secs(5)).await);
            denied(storage.destroy(&locked_out).await);
            denied(storage.scan(None, 10).await);
            // The other stripes can be written, swept and opened.
            let other = elsewhere.rotated(&OsEntropy).key();
            let expired = Record::new(Meta::new(now).with_deadline(Some(now)), "x");
            storage.create(&other, expired).await.expect("create");
            assert_eq!(storage.sweep(10).await.expect("sweep").len(), 1, "{}", part.display());
            drop(
                FileStorage::builder(&folder)
                    .lease(LEASE)
                    .open()
                    .expect("it opens all the same"),
            );
            set_mode(part, mode);
            assert_eq!(payload(&storage, &locked_out).await, b"x", "{}", part.display());
        }
        storage.lock(&locked_out, Duration::ZERO).await.expect("lock");
        assert_eq!(*reports.lock().expect("reports"), []);
        return send("done");
    }
    run_unprivileged(test);
}

/// A lock whose lease cannot be read is not free.
#[tokio::test]
async fn a_lease_that_may_not_be_read_is_denied_and_not_taken_away() {
    let test = "a_lease_that_may_not_be_read_is_denied_and_not_taken_away";
    if let Some((_, folder)) = role() {
        let storage = open(&folder);
        let other = open(&folder);
        storage.create(&key("one"), record("x")).await.expect("create");
        let locked = storage.lock(&key("one"), Duration::ZERO).await.expect("lock").found();
        let mut locked = locked.expect("live");
        let lease = file_of(&folder, &key("one"), true);
        set_mode(&lease, 0o000);
        denied(other.lock(&key("one"), Duration::from_secs(5)).await);
        denied(storage.commit(&mut locked.lock, record("y")).await);
        assert_eq!(other.sweep(10).await.expect("sweep"), []);
        set_mode(&lease, 0o600);
        storage
            .commit(&mut locked.lock, record("y"))
            .await
            .expect("the lock is still held");
        // A lock whose holder cannot be checked is not free either: the holder may be alive.
        let locked = storage.lock(&key("one"), Duration::ZERO).await.expect("lock").found();
        let instances: Vec<_> = fs::read_dir(folder.join("instances"))
            .expect("a folder")
            .flatten()
            .collect();
        instances.iter().for_each(|entry| set_mode(&entry.path(), 0o000));
        let error = other.lock(&key("one"), Duration::ZERO).await.expect_err("it is held");
        assert_eq!(error.kind(), StorageErrorKind::LockTimeout, "{error:?}");
        drop(
            FileStorage::builder(&folder)
                .lease(LEASE)
                .open()
                .expect("it opens all the same"),
        );
        assert!(
            instances.iter().all(|entry| entry.path().exists()),
            "the file of an open storage was removed"
        );
        drop(locked);
        return send("done");
    }
    run_unprivileged(test);
}
