//! The two APIs of a storage: futures, and plain functions.

use std::time::Duration;

use sessile_core::{AtOnce, Lock, Locked, Lookup, Record, SessionKey, Storage, StorageError, StorageErrorKind, Stored};
use sessile_memory::MemoryStorage;

/// A storage with the choice of an API. The clock must stand still: a moment returned by a plain function has to be
/// that of the clock.
#[derive(Clone)]
pub struct Api {
    storage: MemoryStorage,
    at_once: bool,
}

impl Api {
    pub fn new(storage: &MemoryStorage, at_once: bool) -> Self {
        Self {
            storage: storage.clone(),
            at_once,
        }
    }

    fn at_once(&self) -> Option<&dyn AtOnce> {
        let at_once = self.storage.at_once().expect("a storage in memory answers at once");
        self.at_once.then_some(at_once)
    }

    pub async fn read(&self, key: &SessionKey) -> Result<Lookup<Stored>, StorageError> {
        let Some(at_once) = self.at_once() else {
            return self.storage.read(key).await;
        };
        let (found, moment) = at_once.read(key)?;
        assert_eq!(moment, self.storage.clock().now());
        Ok(found)
    }

    /// Locks without waiting.
    pub async fn lock(&self, key: &SessionKey) -> Result<Lookup<Locked>, StorageError> {
        let Some(at_once) = self.at_once() else {
            return self.storage.lock(key, Duration::ZERO).await;
        };
        let Some(result) = at_once.lock(key) else {
            return Err(StorageError::new(StorageErrorKind::LockTimeout, "lock", "memory"));
        };
        let (found, moment) = result?;
        assert_eq!(moment, self.storage.clock().now());
        Ok(found)
    }

    pub async fn create(&self, key: &SessionKey, record: Record) -> Result<(), StorageError> {
        match self.at_once() {
            Some(at_once) => at_once.create(key, record),
            None => self.storage.create(key, record).await,
        }
    }

    pub async fn commit(&self, lock: &mut Lock, record: Record) -> Result<(), StorageError> {
        match self.at_once() {
            Some(at_once) => at_once.commit(lock, record),
            None => self.storage.commit(lock, record).await,
        }
    }

    pub async fn replace(&self, known: &Stored, record: Record) -> Result<bool, StorageError> {
        match self.at_once() {
            Some(at_once) => at_once.replace(known, record),
            None => self.storage.replace(known, record).await,
        }
    }

    pub async fn release(&self, lock: Lock) -> Result<(), StorageError> {
        match self.at_once() {
            Some(at_once) => at_once.release(lock),
            None => self.storage.release(lock).await,
        }
    }
}
