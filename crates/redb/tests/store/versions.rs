//! Versions refuse writes that no lock prevents.

use std::time::Duration;

use sessile_core::{Applied, EntryVersion, LocalLocks, LockedStore, RecordStore, Storage, StorageErrorKind};

use crate::support::{Disk, entry, key, record, store_on};

/// Two storages have locks of their own, as in two processes on one database server.
#[tokio::test]
async fn a_commit_with_a_stale_version_is_refused_and_writes_nothing() {
    let store = store_on(&Disk::new());
    let pair = || LockedStore::new(store.clone(), LocalLocks::new());
    let (here, there) = (pair(), pair());
    let key = key();
    here.create(&key, record(here.clock(), "0")).await.unwrap();

    let mut first = here.lock(&key, Duration::ZERO).await.unwrap().found().unwrap();
    let mut second = there.lock(&key, Duration::ZERO).await.unwrap().found().unwrap();
    here.commit(&mut first.lock, record(here.clock(), "first"))
        .await
        .unwrap();
    let refused = there.commit(&mut second.lock, record(there.clock(), "second")).await;
    assert_eq!(refused.unwrap_err().kind(), StorageErrorKind::LockLost);

    let stored = here.read(&key).await.unwrap().found().unwrap();
    assert_eq!(stored.record.payload, "first");
}

#[tokio::test]
async fn no_write_is_applied_to_another_version() {
    let store = store_on(&Disk::new());
    let [one, two] = [key(), key()];
    let here = entry(1, Some(100), "here");
    let other = entry(2, None, "other");
    let stale = EntryVersion::from_u64(7);
    assert_eq!(store.insert(&one, here.clone()).await.unwrap(), Applied::Yes);
    assert_eq!(store.insert(&two, here.clone()).await.unwrap(), Applied::Yes);

    let results = [
        store.insert(&one, other.clone()).await,
        store.replace(&one, stale, other.clone()).await,
        store.touch(&one, stale, other.head.clone()).await,
        store.rename(&one, stale, None, &key(), other.clone()).await,
        store.rename(&one, here.head.version, None, &two, other.clone()).await,
        store.remove(&one, stale).await,
        // Keys without an entry.
        store.remove(&key(), here.head.version).await,
        store.replace(&key(), here.head.version, other.clone()).await,
        store.touch(&key(), here.head.version, other.head.clone()).await,
        store
            .rename(&key(), here.head.version, Some(other.clone()), &key(), other)
            .await,
    ];
    for (index, result) in results.into_iter().enumerate() {
        assert_eq!(result.unwrap(), Applied::No, "result {index}");
    }
    assert_eq!(store.load(&one).await.unwrap(), Some(here.clone()));
    assert_eq!(store.load(&two).await.unwrap(), Some(here));
    assert_eq!(store.scan(None, 9).await.unwrap().entries.len(), 2);
}
