//! A disk that fails.

use std::error::Error;
use std::io;

use sessile_core::{Applied, RecordStore, StorageError, StorageErrorKind};

use crate::support::{Disk, entry, in_words, key, store_on};

fn assert_is(error: &StorageError, kind: StorageErrorKind, operation: &str) {
    assert_eq!(error.kind(), kind, "{}", in_words(error));
    assert_eq!((error.storage(), error.operation()), ("redb", operation));
    assert!(error.source().is_some(), "the source is kept");
}

/// The disk is full during a commit. The outcome is ambiguous, so no other kind may be reported.
#[tokio::test]
async fn an_interrupted_commit_is_ambiguous_until_the_database_is_opened_again() {
    let disk = Disk::new();
    let store = store_on(&disk);
    let [one, two] = [key(), key()];
    assert_eq!(store.insert(&one, entry(1, None, "here")).await.unwrap(), Applied::Yes);

    disk.fail_with(io::ErrorKind::StorageFull);
    let error = store.insert(&two, entry(1, None, "ambiguous")).await.unwrap_err();
    assert_is(&error, StorageErrorKind::Unavailable, "insert");
    assert!(error.is_retryable());
    // The database has to be opened again.
    let error = store.insert(&two, entry(1, None, "later")).await.unwrap_err();
    assert_is(&error, StorageErrorKind::Unavailable, "insert");

    let store = store_on(&disk.after_a_power_cut());
    assert!(store.load(&one).await.unwrap().is_some());
    let found = store.load(&two).await.unwrap();
    assert!(found.is_none_or(|entry| entry.payload == "ambiguous"));
}

/// The disk is full before the commit begins, so nothing was written.
#[tokio::test]
async fn a_disk_without_room_for_an_entry_is_full() {
    let disk = Disk::new();
    let store = store_on(&disk);
    disk.fail_with(io::ErrorKind::StorageFull);
    let mut large = entry(1, None, "");
    large.payload = vec![7; 64 << 20].into();
    let error = store.insert(&key(), large).await.unwrap_err();
    assert_is(&error, StorageErrorKind::Full, "insert");
}
