//! The epoch: how often all sessions were ended.
//!
//! A session carries the epoch in which it began. In an application that [counts
//! epochs](crate::SessionBuilder::epochs), each start reads the present epoch together with the session, and a session
//! of an earlier epoch does not exist any more.

use std::time::Duration;

use futures_util::future::try_join;

use crate::error::SessionError;
use crate::id::SessionKey;
use crate::settings::Settings;
use crate::storage::{Facts, Locked, Lookup, Meta, Record, Role, StorageError, StorageErrorKind, Stored};

/// The number of attempts to end an epoch against others that do the same.
const ATTEMPTS: usize = 16;

/// Returns the key of the record that counts the epochs.
pub(super) fn epoch_key() -> SessionKey {
    SessionKey::derive("epoch", "")
}

impl Settings {
    /// Returns the present epoch.
    pub(crate) async fn read_epoch(&self) -> Result<u64, StorageError> {
        let found = self.storage.read(&epoch_key()).await?.found();
        Ok(found.map_or(0, |stored| stored.record.meta.facts.epoch()))
    }

    /// Reads a session, unless it began in an earlier epoch.
    pub(crate) async fn read_in_epoch(&self, key: &SessionKey) -> Result<Lookup<Stored>, StorageError> {
        let (found, epoch) = try_join(self.storage.read(key), self.read_epoch()).await?;
        Ok(match found {
            Lookup::Found(stored) if stored.record.meta.facts.epoch() < epoch => Lookup::Missing,
            found => found,
        })
    }

    /// Locks a session, unless it began in an earlier epoch. The epoch is read once the lock is held: while the call
    /// waits, the epoch may end.
    pub(crate) async fn lock_in_epoch(&self, key: &SessionKey, wait: Duration) -> Result<Lookup<Locked>, StorageError> {
        let locked = match self.storage.lock(key, wait).await? {
            Lookup::Found(locked) => locked,
            not_found => return Ok(not_found),
        };
        if locked.record.meta.facts.epoch() < self.read_epoch().await? {
            self.storage.release(locked.lock).await?;
            return Ok(Lookup::Missing);
        }
        Ok(Lookup::Found(locked))
    }

    /// Ends the present epoch, and with it all sessions that have begun.
    pub(super) async fn end_epoch(&self) -> Result<(), SessionError> {
        let key = epoch_key();
        for _ in 0..ATTEMPTS {
            let ended = match self.storage.lock(&key, self.lock_wait).await? {
                Lookup::Found(Locked { mut lock, record }) => {
                    let epoch = record.meta.facts.epoch() + 1;
                    let mut meta = record.meta.clone().with_facts(record.meta.facts.with_epoch(epoch));
                    meta.version += 1;
                    self.storage.commit(&mut lock, Record::new(meta, record.payload)).await
                }
                _ => {
                    let facts = Facts::of_role(Role::Epoch).with_epoch(1);
                    let meta = Meta::new(self.storage.clock().now()).with_facts(facts);
                    self.storage.create(&key, Record::new(meta, "")).await
                }
            };
            match ended {
                Ok(()) => return Ok(()),
                Err(error) if matches!(error.kind(), StorageErrorKind::Exists | StorageErrorKind::LockLost) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(SessionError::LockTimeout)
    }
}
