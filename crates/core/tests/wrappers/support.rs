//! Helpers.

use std::time::Duration;

use sessile_core::{
    Locked, Lookup, Meta, OsEntropy, Record, SessionId, SessionKey, Storage, StorageError, StorageErrorKind, Timestamp,
};

pub(crate) const MINUTE: Duration = Duration::from_secs(60);
pub(crate) const HOUR: Duration = Duration::from_secs(3_600);

/// Generates keys of one shard.
pub(crate) fn keys<const N: usize>() -> [SessionKey; N] {
    let id = SessionId::generate(&OsEntropy);
    std::array::from_fn(|_| id.rotated(&OsEntropy).key())
}

pub(crate) fn record(payload: &'static str) -> Record {
    Record::new(Meta::new(Timestamp::from_millis(7)), payload)
}

/// Creates the record that follows this one.
pub(crate) fn next(record: &Record, payload: &'static str) -> Record {
    let mut next = Record::new(record.meta.clone(), payload);
    next.meta.version += 1;
    next
}

/// Creates a session in a storage.
pub(crate) async fn created(storage: &dyn Storage, payload: &'static str) -> SessionKey {
    let [key] = keys();
    storage.create(&key, record(payload)).await.unwrap();
    key
}

pub(crate) async fn locked(storage: &dyn Storage, key: &SessionKey) -> Locked {
    let locked = storage.lock(key, Duration::ZERO).await.expect("the lock is free");
    locked.found().expect("the session is live")
}

/// Asserts that a session with this payload is stored and its lock is free.
pub(crate) async fn assert_free(storage: &dyn Storage, key: &SessionKey, payload: &str) {
    let held = locked(storage, key).await;
    assert_eq!(held.record.payload, payload);
    storage.release(held.lock).await.unwrap();
}

pub(crate) async fn assert_held(storage: &dyn Storage, key: &SessionKey) {
    let result = storage.lock(key, Duration::ZERO).await;
    assert_eq!(kind(result), Some(StorageErrorKind::LockTimeout));
}

pub(crate) async fn assert_missing(storage: &dyn Storage, key: &SessionKey) {
    assert_eq!(storage.read(key).await.unwrap(), Lookup::Missing);
}

pub(crate) fn kind<T>(result: Result<T, StorageError>) -> Option<StorageErrorKind> {
    result.err().map(|error| error.kind())
}
