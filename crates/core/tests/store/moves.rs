//! Aliases and tombstones of sessions that have moved, and stores that do not support moves.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use sessile_core::{
    Applied, Capabilities, Cursor, Entry, EntryHead, EntryList, EntryVersion, LocalLocks, LockedStore, Lookup,
    ManualClock, RecordStore, SessionKey, Storage, StorageError, StorageErrorKind, Timestamp,
};

use crate::support::{HOUR, MapStore, Setup, key, keys, locked, next};

fn manual() -> (Setup, Arc<ManualClock>) {
    let clock = Arc::new(ManualClock::at(Timestamp::from_millis(1_000_000)));
    (Setup::with(MapStore::default(), Arc::clone(&clock)), clock)
}

/// Creates a session that has moved from each key to the next.
async fn moved<const N: usize>(setup: &Setup, grace: Duration) -> [SessionKey; N] {
    let keys: [_; N] = keys();
    setup.storage.create(&keys[0], setup.record("0")).await.unwrap();
    for step in keys.windows(2) {
        let mut held = setup.locked(&step[0]).await;
        let mut record = next(&held.record, "moved");
        record.meta.deadline = None;
        setup
            .storage
            .rotate(&mut held.lock, &step[1], record, grace)
            .await
            .unwrap();
    }
    keys
}

#[tokio::test]
async fn aliases_and_tombstones_outlast_the_session_and_lead_nowhere() {
    let (setup, clock) = manual();
    let keys = moved::<4>(&setup, HOUR).await;
    assert_eq!(setup.store.len(), 4);
    assert_eq!(setup.storage.destroy(&keys[1]).await.unwrap(), Lookup::Found(()));
    assert_eq!(setup.store.len(), 3);
    assert_eq!(setup.payload(&keys[3]).await, Lookup::Missing);
    for end in [HOUR, Duration::from_secs(60)] {
        for key in &keys[..3] {
            assert_eq!(setup.payload(key).await, Lookup::Superseded);
        }
        clock.advance(end);
    }
    for key in &keys {
        assert_eq!(setup.payload(key).await, Lookup::Missing);
    }
}

#[tokio::test]
async fn sweeping_removes_tombstones_without_returning_them() {
    let (setup, clock) = manual();
    for _ in 0..5 {
        moved::<2>(&setup, Duration::ZERO).await;
    }
    let expired = setup.created("expired").await;
    clock.advance(HOUR);
    let swept = setup.storage.sweep(1).await.unwrap();
    assert_eq!(swept.iter().map(|stored| stored.key).collect::<Vec<_>>(), [expired]);
    assert_eq!(setup.storage.sweep(1).await.unwrap(), []);
    assert_eq!(setup.storage.sweep(0).await.unwrap(), []);
    assert_eq!(setup.store.len(), 5, "the sessions that have moved live on");
}

#[tokio::test]
async fn without_tombstones_a_rotation_leaves_no_entry() {
    let store = MapStore::default();
    let storage = LockedStore::builder(store.clone(), LocalLocks::new())
        .tombstone_ttl(Duration::ZERO)
        .build();
    let [old, new] = keys();
    storage.create(&old, Setup::new().record("0")).await.unwrap();
    let mut held = locked(&storage, &old).await;
    let record = next(&held.record, "moved");
    storage
        .rotate(&mut held.lock, &new, record, Duration::ZERO)
        .await
        .unwrap();
    assert_eq!(store.len(), 1);
    assert_eq!(storage.read(&old).await.unwrap(), Lookup::Missing);
}

#[tokio::test]
async fn malformed_meta_is_corrupt_and_neither_missing_nor_overwritten() {
    let setup = Setup::new();
    let key = key();
    let head = EntryHead::new(EntryVersion::from_u64(1), None, "no meta of ours");
    setup.store.force(key, Entry::new(head, "another's"));
    let now = Timestamp::MIN;
    let results = [
        setup.storage.read(&key).await.err(),
        setup.storage.lock(&key, Duration::ZERO).await.err(),
        setup.storage.create(&key, setup.record("x")).await.err(),
        setup.storage.touch(&key, 1, None, now).await.err(),
        setup.storage.destroy(&key).await.err(),
    ];
    for result in results {
        assert_eq!(result.map(|error| error.kind()), Some(StorageErrorKind::Corrupt));
    }
    assert_eq!(setup.storage.scan(None, 10).await.unwrap().sessions, []);
    assert_eq!(setup.store.len(), 1);
}

/// Only a store that mixes entries up can have a cycle of moves. Following them detects it.
#[tokio::test]
async fn a_cycle_of_moves_is_corrupt() {
    for grace in [Duration::ZERO, HOUR] {
        let (setup, _) = manual();
        let [old, new] = moved(&setup, grace).await;
        setup.store.force(new, setup.store.entry(&old).unwrap());
        let error = setup.storage.destroy(&old).await.unwrap_err();
        assert_eq!(error.kind(), StorageErrorKind::Corrupt);
        assert!(!setup.storage.read(&old).await.is_ok_and(|read| read.is_found()));
    }
}

/// A store whose backend has no transactions.
#[derive(Debug)]
pub(crate) struct OneKeyAtATime(pub(crate) MapStore);

fn unsupported(operation: &'static str) -> StorageError {
    StorageError::new(StorageErrorKind::Unsupported, operation, "one key at a time")
}

#[async_trait]
impl RecordStore for OneKeyAtATime {
    fn name(&self) -> &'static str {
        "one key at a time"
    }

    fn capabilities(&self) -> Capabilities<'_> {
        self.0.capabilities()
    }

    async fn load(&self, key: &SessionKey) -> Result<Option<Entry>, StorageError> {
        self.0.load(key).await
    }

    async fn head(&self, key: &SessionKey) -> Result<Option<EntryHead>, StorageError> {
        self.0.head(key).await
    }

    async fn insert(&self, key: &SessionKey, entry: Entry) -> Result<Applied, StorageError> {
        self.0.insert(key, entry).await
    }

    async fn replace(&self, key: &SessionKey, version: EntryVersion, entry: Entry) -> Result<Applied, StorageError> {
        self.0.replace(key, version, entry).await
    }

    async fn touch(&self, key: &SessionKey, version: EntryVersion, head: EntryHead) -> Result<Applied, StorageError> {
        self.0.touch(key, version, head).await
    }

    async fn rename(
        &self,
        _: &SessionKey,
        _: EntryVersion,
        _: Option<Entry>,
        _: &SessionKey,
        _: Entry,
    ) -> Result<Applied, StorageError> {
        Err(unsupported("rename"))
    }

    async fn remove(&self, key: &SessionKey, version: EntryVersion) -> Result<Applied, StorageError> {
        self.0.remove(key, version).await
    }

    async fn scan(&self, _: Option<Cursor>, _: usize) -> Result<EntryList, StorageError> {
        Err(unsupported("scan"))
    }

    async fn take_expired(&self, _: Timestamp, _: usize) -> Result<Vec<(SessionKey, Entry)>, StorageError> {
        Err(unsupported("take_expired"))
    }
}

#[tokio::test]
async fn unsupported_operations_are_refused_and_change_nothing() {
    let storage = LockedStore::new(OneKeyAtATime(MapStore::default()), LocalLocks::new());
    let [key, new] = keys();
    storage.create(&key, Setup::new().record("0")).await.unwrap();
    let mut held = locked(&storage, &key).await;
    let record = next(&held.record, "1");
    for grace in [Duration::ZERO, HOUR] {
        let error = storage
            .rotate(&mut held.lock, &new, record.clone(), grace)
            .await
            .unwrap_err();
        assert_eq!(error.kind(), StorageErrorKind::Unsupported);
        assert_eq!((error.operation(), error.storage()), ("rotate", "one key at a time"));
        let cause = std::error::Error::source(&error).expect("what the store said is kept");
        assert_eq!(cause.to_string(), unsupported("rename").to_string());
    }
    storage
        .commit(&mut held.lock, record)
        .await
        .expect("the lock is as it was");
    assert_eq!(storage.scan(None, 1).await.unwrap_err().operation(), "scan");
    assert_eq!(storage.sweep(1).await.unwrap_err().operation(), "sweep");
    assert_eq!(storage.destroy(&key).await.unwrap(), Lookup::Found(()));
}
