//! Resolves the outcome of writes of which an earlier attempt may have succeeded.

use super::Retry;
use super::attempts::placeholder_lock;
use super::leases::Moment;
use crate::id::SessionKey;
use crate::storage::{Lock, Lookup, Record, Storage, StorageError, StorageErrorKind, Stored};

/// Returns whether the stored record is the one to be written. Its deadline and last activity may have been touched
/// since.
fn is_same_write(stored: &Record, record: &Record) -> bool {
    stored.meta.version == record.meta.version
        && stored.meta.created_at == record.meta.created_at
        && stored.meta.facts == record.meta.facts
        && stored.payload == record.payload
}

impl<S: Storage + ?Sized> Retry<S> {
    /// Resolves a `create` that found the key taken: an earlier attempt may have created the record.
    pub(super) async fn resolve_create(
        &self,
        key: &SessionKey,
        record: &Record,
        error: StorageError,
    ) -> Result<(), StorageError> {
        match self.read_for(key, "create").await? {
            Lookup::Found(stored) if stored.key == *key && is_same_write(&stored.record, record) => Ok(()),
            _ => Err(error),
        }
    }

    /// Resolves a `commit` whose lock was lost or whose session has ended: an earlier attempt may have committed.
    pub(super) async fn resolve_commit(
        &self,
        lock: &mut Lock,
        record: &Record,
        error: StorageError,
        ambiguity: StorageErrorKind,
    ) -> Result<(), StorageError> {
        let unknown = |error| Err(StorageError::new(ambiguity, "commit", self.name()).with_source(error));
        match error.kind() {
            StorageErrorKind::LockLost => {}
            // Another holder has moved the session, and an earlier attempt may or may not have committed before.
            StorageErrorKind::Superseded => return unknown(error),
            _ => return Err(error),
        }
        let stored = match self.read_for(lock.key(), "commit").await? {
            Lookup::Found(stored) if stored.key == *lock.key() => stored.record,
            Lookup::Missing => return Err(StorageError::new(StorageErrorKind::Gone, "commit", self.name())),
            Lookup::Found(_) | Lookup::Superseded => return unknown(error),
        };
        if stored.meta.version < record.meta.version {
            // Nothing was written, and an attempt that arrives late is refused without a lock.
            return Err(error);
        }
        // Another holder may have written the same record, but only after the lease.
        let held_throughout = self.leases.is_running(&lock.id(), Moment::now(self.clock()));
        if held_throughout && is_same_write(&stored, record) {
            self.release_and_disarm(lock).await;
            return Ok(());
        }
        unknown(error)
    }

    /// Resolves a `rotate` that was refused for its lock or for one of its keys: an earlier attempt may have moved the
    /// session.
    pub(super) async fn resolve_rotate(
        &self,
        lock: &mut Lock,
        new_key: &SessionKey,
        record: &Record,
        error: StorageError,
    ) -> Result<(), StorageError> {
        use StorageErrorKind::{Exists, Gone, LockLost, Superseded};
        if !matches!(error.kind(), Exists | Gone | LockLost | Superseded) {
            return Err(error);
        }
        // No other caller knows the new key, so any change under it came after the move.
        let moved = match self.read_for(new_key, "rotate").await? {
            Lookup::Found(Stored { record: stored, .. }) => {
                stored.meta.created_at == record.meta.created_at && stored.meta.version >= record.meta.version
            }
            Lookup::Superseded => error.kind() != Exists,
            Lookup::Missing => false,
        };
        if !moved {
            return Err(error);
        }
        self.release_and_disarm(lock).await;
        Ok(())
    }

    /// Releases and disarms the lock of a step that was taken. A storage of two parts may have failed between the write
    /// and the release, so the lock may still be held.
    async fn release_and_disarm(&self, lock: &mut Lock) {
        drop(self.inner.release(placeholder_lock(lock.id(), lock.lease())).await);
        lock.disarm();
    }

    /// Reads the record as a part of `operation`, which names the error.
    async fn read_for(&self, key: &SessionKey, operation: &'static str) -> Result<Lookup<Stored>, StorageError> {
        let read = self.read(key).await;
        read.map_err(|error| StorageError::new(error.kind(), operation, self.name()).with_source(error))
    }
}
