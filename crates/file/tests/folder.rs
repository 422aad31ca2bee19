//! The folder: modes, names, and common settings.

#[allow(dead_code)] // Each test uses a part of it.
mod common;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use common::{TempFolder, all_paths, key, record};
use sessile_core::{Locks, OsEntropy, SessionId, Storage, StorageError, StorageErrorKind};
use sessile_file::{FileLocks, FileStorage};

#[tokio::test]
async fn only_the_owner_can_access_the_folder() {
    let parent = TempFolder::new();
    let folder = parent.path().join("not/there/yet");
    let storage = FileStorage::open(&folder).expect("open");
    storage.create(&key("one"), record("x")).await.expect("create");
    let locked = storage
        .lock(&key("one"), Duration::ZERO)
        .await
        .expect("lock")
        .found()
        .expect("live");
    fs::write(folder.join("stray"), "x").expect("a file");
    let mut paths = Vec::new();
    all_paths(&folder, &mut paths);
    fs::remove_file(folder.join("stray")).expect("a file");
    paths.retain(|path| !path.ends_with("stray"));
    assert!(paths.len() > 8, "{paths:?}");
    for path in paths {
        let metadata = fs::metadata(&path).expect("metadata");
        let expected = if metadata.is_dir() { 0o700 } else { 0o600 };
        assert_eq!(metadata.permissions().mode() & 0o777, expected, "{}", path.display());
    }
    drop(locked);
}

#[tokio::test]
async fn neither_ids_nor_payloads_are_shown() {
    let folder = TempFolder::new();
    let storage = FileStorage::open(folder.path()).expect("open");
    let id = SessionId::generate(&OsEntropy);
    storage
        .create(&id.key(), record("a secret payload"))
        .await
        .expect("create");
    let mut paths = Vec::new();
    all_paths(folder.path(), &mut paths);
    let path = paths
        .iter()
        .find(|path| path.to_string_lossy().contains(&id.key().fingerprint().to_string()));
    let path = path.expect("the file of the session is named after its digest");
    let stored = fs::read(path).expect("the file of the session");
    assert!(
        !stored.windows(32).any(|window| window == id.expose().as_bytes()),
        "the id is stored"
    );
    fs::write(path, &stored[..260]).expect("the file of the session");
    let error = storage.read(&id.key()).await.expect_err("damaged");
    let source = std::error::Error::source(&error).expect("a source");
    let shown = format!("{error} {error:?} {source} {source:?} {storage:?}");
    assert!(
        !shown.contains(id.expose()) && !shown.contains("secret payload"),
        "{shown}"
    );
}

#[tokio::test]
async fn a_folder_has_one_format() {
    let folder = TempFolder::new();
    let storage = FileStorage::open(folder.path()).expect("open");
    let error = FileLocks::open(folder.path()).expect_err("sessions are there");
    assert_eq!(error.kind(), StorageErrorKind::Unsupported, "{error:?}");
    drop(storage);
    fs::write(folder.path().join("FORMAT"), "sessile sessions 2\n").expect("a later format");
    let error = FileStorage::open(folder.path()).expect_err("a later format is there");
    assert_eq!(error.kind(), StorageErrorKind::Unsupported, "{error:?}");
    let message = message(&error);
    assert!(
        message.contains("sessile sessions 1") && message.contains("sessile sessions 2"),
        "{message}"
    );
    let locks = TempFolder::new();
    drop(FileLocks::open(locks.path()).expect("open"));
    let error = FileStorage::open(locks.path()).expect_err("locks are there");
    assert_eq!(error.kind(), StorageErrorKind::Unsupported, "{error:?}");
}

fn message(error: &StorageError) -> String {
    std::error::Error::source(error).map_or_else(String::new, |source| {
        format!(
            "{source}: {}",
            source.source().map(ToString::to_string).unwrap_or_default()
        )
    })
}

/// With another lease a lock that is held would look as if it had run out, or as if it ran for too long.
#[tokio::test]
async fn a_folder_has_one_lease() {
    let (short, long) = (Duration::from_secs(6), Duration::from_secs(40));
    for is_locks in [false, true] {
        let folder = TempFolder::new();
        let open = |lease| -> Result<Box<dyn std::any::Any>, StorageError> {
            if is_locks {
                let locks = FileLocks::builder(folder.path()).lease(lease).open()?;
                Ok(Box::new(locks))
            } else {
                let storage = FileStorage::builder(folder.path()).lease(lease).open()?;
                Ok(Box::new(storage))
            }
        };
        let first = open(long).expect("open");
        drop(open(long).expect("the same lease"));
        for _ in 0..2 {
            let error = open(short).expect_err("another lease");
            assert_eq!(error.kind(), StorageErrorKind::Unsupported, "{error:?}");
            let message = message(&error);
            for part in ["40s", "6s", "stop all", "LEASE"] {
                assert!(message.contains(part), "{part} is not in: {message}");
            }
        }
        drop(first);
        // This holds even if no storage is open: the lease is changed only by removing the file.
        drop(open(short).expect_err("another lease"));
        fs::remove_file(folder.path().join("LEASE")).expect("the lease of the folder");
        drop(open(short).expect("a new lease"));
        drop(open(long).expect_err("another lease"));
    }
}

/// The first storage that opens the folder sets its lease, even if many open it at the same time.
#[tokio::test]
async fn a_folder_that_has_no_lease_yet_takes_the_first() {
    let folder = TempFolder::new();
    drop(FileStorage::open(folder.path()).expect("open"));
    fs::remove_file(folder.path().join("LEASE")).expect("the lease of the folder");
    let opened: Vec<_> = std::thread::scope(|scope| {
        let open = |seconds| {
            FileStorage::builder(folder.path())
                .lease(Duration::from_secs(seconds))
                .open()
        };
        let threads: Vec<_> = (1..=8).map(|number| scope.spawn(move || open(number))).collect();
        threads
            .into_iter()
            .map(|thread| thread.join().expect("no panic"))
            .collect()
    });
    assert_eq!(opened.iter().filter(|opened| opened.is_ok()).count(), 1, "{opened:?}");
}

/// A lease that is too short is refused; longer durations than a century are clamped.
#[tokio::test]
async fn any_long_duration_is_accepted() {
    const MAX: Duration = Duration::MAX;
    for lease in [Duration::ZERO, Duration::from_micros(1), Duration::from_micros(9_999)] {
        let folder = TempFolder::new();
        let storage = FileStorage::builder(folder.path()).lease(lease).open();
        let locks = FileLocks::builder(folder.path()).lease(lease).open();
        for error in [storage.expect_err("too short"), locks.expect_err("too short")] {
            assert_eq!(error.kind(), StorageErrorKind::Unsupported, "{error:?}");
            assert!(message(&error).contains("too short"), "{error:?}");
        }
        assert_eq!(
            fs::read_dir(folder.path()).expect("a folder").count(),
            0,
            "no file was made"
        );
    }
    for duration in [
        MAX,
        Duration::from_secs(u64::MAX / 2),
        Duration::from_micros(1),
        Duration::ZERO,
    ] {
        let folder = TempFolder::new();
        let builder = FileStorage::builder(folder.path()).lease(duration.max(Duration::from_secs(60)));
        let builder = builder.tombstone_ttl(duration).quarantine_ttl(duration);
        let storage = builder.sweep_every(Some(duration)).open().expect("open");
        storage.create(&key("one"), record("x")).await.expect("create");
        let locked = storage.lock(&key("one"), duration).await.expect("lock").found();
        let mut locked = locked.expect("live");
        storage.renew(&locked.lock.id()).await.expect("renew");
        let error = storage.lock(&key("one"), Duration::ZERO).await.expect_err("it is held");
        assert_eq!(error.kind(), StorageErrorKind::LockTimeout, "{error:?}");
        storage
            .rotate(&mut locked.lock, &key("two"), record("y"), duration)
            .await
            .expect("rotate");
        let stored = storage.read(&key("two")).await.expect("read").found().expect("live");
        assert_eq!(stored.record.payload, "y");
        storage.sweep(10).await.expect("sweep");
        storage.read(&key("one")).await.expect("read");
    }
    let folder = TempFolder::new();
    let locks = FileLocks::builder(folder.path()).lease(MAX).open().expect("open");
    let lock = locks.acquire(&key("one"), MAX).await.expect("free");
    locks.renew(&lock.id()).await.expect("renew");
    let waiting = tokio::spawn({
        let locks = locks.clone();
        async move { locks.acquire(&key("one"), MAX).await }
    });
    tokio::time::sleep(Duration::from_millis(20)).await;
    locks.release(lock).await.expect("release");
    drop(waiting.await.expect("no panic").expect("free"));
}

#[tokio::test]
async fn a_path_that_is_not_a_folder_cannot_be_opened() {
    let folder = TempFolder::new();
    let file = folder.path().join("file");
    fs::write(&file, "x").expect("a file");
    for path in [file.clone(), file.join("below")] {
        let error = FileStorage::open(&path).expect_err("it is a file");
        assert!(
            !error.is_retryable() || error.kind() == StorageErrorKind::Unavailable,
            "{error:?}"
        );
        assert!(std::error::Error::source(&error).is_some(), "{error:?}");
    }
}
