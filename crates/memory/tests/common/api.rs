//! The two APIs of a storage: futures, and plain functions.

use std::time::Duration;

use sessile_core::{
    ImmediateStorage, Lock, Locked, Lookup, Record, SessionKey, Storage, StorageError, StorageErrorKind, Stored,
};
use sessile_memory::MemoryStorage;

/// A storage with the choice of an API. The clock must stand still: a moment returned by a plain function has to be
/// that of the clock.
#[derive(Clone)]
pub struct Api {
    storage: MemoryStorage,
    immediate: bool,
}

impl Api {
    pub fn new(storage: &MemoryStorage, immediate: bool) -> Self {
        Self {
            storage: storage.clone(),
            immediate,
        }
    }

    fn immediate(&self) -> Option<&dyn ImmediateStorage> {
        let immediate = self.storage.immediate().expect("a storage in memory answers at once");
        self.immediate.then_some(immediate)
    }

    pub async fn read(&self, key: &SessionKey) -> Result<Lookup<Stored>, StorageError> {
        let Some(immediate) = self.immediate() else {
            return self.storage.read(key).await;
        };
        let (found, moment) = immediate.read(key)?;
        assert_eq!(moment, self.storage.clock().now());
        Ok(found)
    }

    /// Locks without waiting.
    pub async fn lock(&self, key: &SessionKey) -> Result<Lookup<Locked>, StorageError> {
        let Some(immediate) = self.immediate() else {
            return self.storage.lock(key, Duration::ZERO).await;
        };
        let Some(result) = immediate.lock(key) else {
            return Err(StorageError::new(StorageErrorKind::LockTimeout, "lock", "memory"));
        };
        let (found, moment) = result?;
        assert_eq!(moment, self.storage.clock().now());
        Ok(found)
    }

    pub async fn create(&self, key: &SessionKey, record: Record) -> Result<(), StorageError> {
        match self.immediate() {
            Some(immediate) => immediate.create(key, record),
            None => self.storage.create(key, record).await,
        }
    }

    pub async fn commit(&self, lock: &mut Lock, record: Record) -> Result<(), StorageError> {
        match self.immediate() {
            Some(immediate) => immediate.commit(lock, record),
            None => self.storage.commit(lock, record).await,
        }
    }

    pub async fn replace(&self, known: &Stored, record: Record) -> Result<bool, StorageError> {
        match self.immediate() {
            Some(immediate) => immediate.replace(known, record),
            None => self.storage.replace(known, record).await,
        }
    }

    pub async fn release(&self, lock: Lock) -> Result<(), StorageError> {
        match self.immediate() {
            Some(immediate) => immediate.release(lock),
            None => self.storage.release(lock).await,
        }
    }
}
