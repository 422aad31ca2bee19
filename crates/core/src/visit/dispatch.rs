//! Calls to the storage: directly if it is [immediate](crate::ImmediateStorage), otherwise by a future.
//!
//! Both ways run the same operation. Lookups return the time by which they are judged: the time of the storage's own
//! check, or the time at which the reply arrived. They find nothing but sessions: under the key of one that has ended
//! there may be a barrier, which keeps it from being created again.

use std::time::Duration;

use crate::clock::Timestamp;
use crate::id::SessionKey;
use crate::settings::Settings;
use crate::storage::{Lock, Locked, Lookup, Record, StorageError, Stored};

impl Settings {
    #[inline]
    pub(super) async fn read(&self, key: &SessionKey) -> Result<(Lookup<Stored>, Timestamp), StorageError> {
        let (found, at) = match self.immediate() {
            Some(storage) => storage.read(key)?,
            None => {
                let found = match self.epochs {
                    false => self.storage.read(key).await?,
                    true => Box::pin(self.read_in_epoch(key)).await?,
                };
                (found, self.storage.clock().now())
            }
        };
        Ok(match found {
            Lookup::Found(stored) if !stored.record.meta.facts.is_session() => (Lookup::Missing, at),
            found => (found, at),
        })
    }

    #[inline]
    pub(super) async fn lock(
        &self,
        key: &SessionKey,
        wait: Duration,
    ) -> Result<(Lookup<Locked>, Timestamp), StorageError> {
        let (found, at) = match self.immediate().and_then(|storage| storage.lock(key)) {
            Some(reply) => reply?,
            None => {
                let found = match self.epochs {
                    false => self.storage.lock(key, wait).await?,
                    true => Box::pin(self.lock_in_epoch(key, wait)).await?,
                };
                (found, self.storage.clock().now())
            }
        };
        match found {
            Lookup::Found(locked) if !locked.record.meta.facts.is_session() => {
                self.release(locked.lock).await?;
                Ok((Lookup::Missing, at))
            }
            found => Ok((found, at)),
        }
    }

    #[inline]
    pub(super) async fn create(&self, key: &SessionKey, record: Record) -> Result<(), StorageError> {
        match self.immediate() {
            Some(storage) => storage.create(key, record),
            None => self.storage.create(key, record).await,
        }
    }

    #[inline]
    pub(super) async fn commit(&self, lock: &mut Lock, record: Record) -> Result<(), StorageError> {
        match self.immediate() {
            Some(storage) => storage.commit(lock, record),
            None => self.storage.commit(lock, record).await,
        }
    }

    #[inline]
    pub(super) async fn replace(&self, known: &Stored, record: Record) -> Result<bool, StorageError> {
        match self.immediate() {
            Some(storage) => storage.replace(known, record),
            None => self.storage.replace(known, record).await,
        }
    }

    #[inline]
    pub(super) async fn release(&self, lock: Lock) -> Result<(), StorageError> {
        match self.immediate() {
            Some(storage) => storage.release(lock),
            None => self.storage.release(lock).await,
        }
    }
}
