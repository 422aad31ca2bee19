//! A disk that fails.

use std::error::Error;
use std::io;

use sessile_core::{Applied, RecordStore, StorageError, StorageErrorKind};

use crate::support::{Disk, entry, in_words, key, store_on};

fn assert_is(error: &StorageError, kind: StorageErrorKind, verb: &str) {
    assert_eq!(error.kind(), kind, "{}", in_words(error));
    assert_eq!((error.storage(), error.operation()), ("redb", verb));
    assert!(error.source().is_some(), "the source is kept");
}

/// The disk is full in the middle of a commit. Whether it will be found is not known, so nothing else may be said.
#[tokio::test]
async fn a_commit_that_was_cut_short_is_in_doubt_until_the_database_is_opened_again() {
    let disk = Disk::new();
    let store = store_on(&disk);
    let [one, two] = [key(), key()];
    assert_eq!(store.insert(&one, entry(1, None, "here")).await.unwrap(), Applied::Yes);

    disk.refuse(io::ErrorKind::StorageFull);
    let error = store.insert(&two, entry(1, None, "in doubt")).await.unwrap_err();
    assert_is(&error, StorageErrorKind::Unavailable, "insert");
    assert!(error.is_retryable());
    // redb wants to be opened again.
    let error = store.insert(&two, entry(1, None, "later")).await.unwrap_err();
    assert_is(&error, StorageErrorKind::Unavailable, "insert");

    let store = store_on(&disk.after_a_power_cut());
    assert!(store.load(&one).await.unwrap().is_some());
    let found = store.load(&two).await.unwrap();
    assert!(found.is_none_or(|entry| entry.payload == "in doubt"));
}

/// Here the disk refuses before the commit has begun, so it is known that nothing was written.
#[tokio::test]
async fn a_disk_without_room_for_an_entry_is_full() {
    let disk = Disk::new();
    let store = store_on(&disk);
    disk.refuse(io::ErrorKind::StorageFull);
    let mut large = entry(1, None, "");
    large.payload = vec![7; 64 << 20].into();
    let error = store.insert(&key(), large).await.unwrap_err();
    assert_is(&error, StorageErrorKind::Full, "insert");
}
