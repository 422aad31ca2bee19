//! The folder: its modes, its names, and what it is used for.

#[allow(dead_code)] // Each of the tests uses a part of it.
mod common;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use common::{TempFolder, all_paths, key, record};
use sessile_core::{OsEntropy, SessionId, Storage, StorageErrorKind};
use sessile_file::{FileLocks, FileStorage};

#[tokio::test]
async fn nobody_else_may_look_inside() {
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
async fn a_folder_is_used_for_one_thing() {
    let folder = TempFolder::new();
    let storage = FileStorage::open(folder.path()).expect("open");
    let error = FileLocks::open(folder.path()).expect_err("sessions are there");
    assert_eq!(error.kind(), StorageErrorKind::Unsupported, "{error:?}");
    drop(storage);
    fs::write(folder.path().join("FORMAT"), "sessile sessions 2\n").expect("a later format");
    let error = FileStorage::open(folder.path()).expect_err("a later format is there");
    assert_eq!(error.kind(), StorageErrorKind::Unsupported, "{error:?}");
    let locks = TempFolder::new();
    drop(FileLocks::open(locks.path()).expect("open"));
    let error = FileStorage::open(locks.path()).expect_err("locks are there");
    assert_eq!(error.kind(), StorageErrorKind::Unsupported, "{error:?}");
}

#[tokio::test]
async fn what_is_not_a_folder_cannot_be_opened() {
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
