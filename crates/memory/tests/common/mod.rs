//! Helpers shared by the tests.
#![allow(dead_code, reason = "each test binary uses a part of it")]
#![allow(unreachable_pub, reason = "a module of several binaries")]

pub mod api;

use std::sync::Arc;
use std::time::Duration;

use sessile_core::{
    Lock, Locked, Lookup, ManualClock, Meta, OsEntropy, Record, SessionId, SessionKey, Storage, StorageErrorKind,
    Stored, Timestamp, TokioClock,
};
use sessile_memory::{MemoryStorage, MemoryStorageBuilder};

pub const SECOND: Duration = Duration::from_secs(1);
pub const MS: Duration = Duration::from_millis(1);
pub const LEASE: Duration = Duration::from_secs(30);

/// Returns the builder of a storage whose clock is that of tokio.
pub fn tokio_builder() -> MemoryStorageBuilder {
    let builder = MemoryStorage::builder().clock(TokioClock::start());
    builder.lease(LEASE).sweeper(false)
}

pub fn tokio_storage() -> MemoryStorage {
    tokio_builder().build()
}

/// Returns a storage whose clock stands still, and the clock.
pub fn manual_storage() -> (MemoryStorage, Arc<ManualClock>) {
    let clock = manual_clock();
    let storage = MemoryStorage::builder()
        .clock(Arc::clone(&clock))
        .lease(LEASE)
        .sweeper(false)
        .build();
    (storage, clock)
}

pub fn manual_clock() -> Arc<ManualClock> {
    Arc::new(ManualClock::at(Timestamp::from_millis(1_000_000)))
}

pub fn new_id() -> SessionId {
    SessionId::generate(&OsEntropy)
}

pub fn new_key() -> SessionKey {
    new_id().key()
}

/// Returns the keys of one session before and after each of its rotations.
pub fn rotated_keys<const N: usize>() -> [SessionKey; N] {
    let first = new_id();
    std::array::from_fn(|index| {
        if index == 0 {
            first.key()
        } else {
            first.rotated(&OsEntropy).key()
        }
    })
}

/// Returns a record with this payload and without a deadline.
pub fn record(storage: &MemoryStorage, payload: &'static str) -> Record {
    Record::new(Meta::new(storage.clock().now()), payload)
}

/// Returns a record that expires after this time.
pub fn ending(storage: &MemoryStorage, payload: &'static str, after: Duration) -> Record {
    let now = storage.clock().now();
    Record::new(Meta::new(now).with_deadline(Some(now + after)), payload)
}

/// Creates a session with this payload and without a deadline.
pub async fn session(storage: &MemoryStorage, payload: &'static str) -> SessionKey {
    let key = new_key();
    storage.create(&key, record(storage, payload)).await.expect("created");
    key
}

pub async fn payload(storage: &MemoryStorage, key: &SessionKey) -> Option<String> {
    let stored = storage.read(key).await.expect("read").found()?;
    Some(String::from_utf8(stored.record.payload.to_vec()).expect("text"))
}

pub async fn lock(storage: &MemoryStorage, key: &SessionKey) -> Locked {
    let found = storage.lock(key, Duration::from_secs(10)).await.expect("locked");
    found.found().expect("the session is there")
}

/// Acquires the lock without waiting.
pub async fn take(storage: &MemoryStorage, key: &SessionKey) -> Lock {
    storage
        .lock(key, Duration::ZERO)
        .await
        .expect("free")
        .found()
        .expect("the session is there")
        .lock
}

/// Asserts that the lock can be acquired without waiting, and releases it.
pub async fn assert_free(storage: &MemoryStorage, key: &SessionKey) {
    drop(take(storage, key).await);
}

/// Returns the error of an attempt to acquire the lock without waiting.
pub async fn refusal(storage: &MemoryStorage, key: &SessionKey) -> StorageErrorKind {
    kind(storage.lock(key, Duration::ZERO).await)
}

pub fn kind<T: std::fmt::Debug>(result: Result<T, sessile_core::StorageError>) -> StorageErrorKind {
    result.expect_err("a refusal").kind()
}

pub async fn read(storage: &MemoryStorage, key: &SessionKey) -> Lookup<Stored> {
    storage.read(key).await.expect("read")
}

/// Lets all other tasks of the runtime run until they are idle, without advancing paused time.
pub async fn settle() {
    for _ in 0..32 {
        tokio::task::yield_now().await;
    }
}
