//! What to make of an answer when an earlier attempt may have done it.

use super::Retry;
use super::attempts::placeholder_lock;
use super::leases::Moment;
use crate::id::SessionKey;
use crate::storage::{Lock, Lookup, Record, Storage, StorageError, StorageErrorKind, Stored};

/// Whether what is stored is what was to be written. The two moments of a record may have been touched since.
fn is_written(stored: &Record, record: &Record) -> bool {
    stored.meta.version == record.meta.version
        && stored.meta.created_at == record.meta.created_at
        && stored.payload == record.payload
}

impl<S: Storage + ?Sized> Retry<S> {
    /// The key is taken: by what was to be created?
    pub(super) async fn was_created(
        &self,
        key: &SessionKey,
        record: &Record,
        error: StorageError,
    ) -> Result<(), StorageError> {
        match self.look(key, "create").await? {
            Lookup::Found(stored) if stored.key == *key && is_written(&stored.record, record) => Ok(()),
            _ => Err(error),
        }
    }

    /// The lock is lost, or the session is gone: after the commit was done?
    pub(super) async fn was_committed(
        &self,
        lock: &mut Lock,
        record: &Record,
        error: StorageError,
        ambiguity: StorageErrorKind,
    ) -> Result<(), StorageError> {
        let unknown = |error| Err(StorageError::new(ambiguity, "commit", self.name()).with_source(error));
        match error.kind() {
            StorageErrorKind::LockLost => {}
            // Whoever has moved it has had the lock since, and may have had it before.
            StorageErrorKind::Superseded => return unknown(error),
            _ => return Err(error),
        }
        let stored = match self.look(lock.key(), "commit").await? {
            Lookup::Found(stored) if stored.key == *lock.key() => stored.record,
            Lookup::Missing => return Err(StorageError::new(StorageErrorKind::Gone, "commit", self.name())),
            Lookup::Found(_) | Lookup::Superseded => return unknown(error),
        };
        if stored.meta.version < record.meta.version {
            // Nothing was written, and whatever is still on its way comes without a lock.
            return Err(error);
        }
        // Another writer may have come to the very same record, but only after the lease.
        let nobody_else = self.leases.is_running(&lock.ticket(), Moment::now(self.clock()));
        if nobody_else && is_written(&stored, record) {
            self.give_up(lock).await;
            return Ok(());
        }
        unknown(error)
    }

    /// The lock is lost, or the old key is gone, or the new one is taken: after the session has moved?
    pub(super) async fn was_rotated(
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
        // Placeholder else knows the new key, so whatever is done under it came after the move.
        let moved = match self.look(new_key, "rotate").await? {
            Lookup::Found(Stored { record: stored, .. }) => {
                stored.meta.created_at == record.meta.created_at && stored.meta.version >= record.meta.version
            }
            Lookup::Superseded => error.kind() != Exists,
            Lookup::Missing => false,
        };
        if !moved {
            return Err(error);
        }
        self.give_up(lock).await;
        Ok(())
    }

    /// The lock was given up with the step that was taken. Where it was not, as the two are one only for those who
    /// see them together, it is now.
    async fn give_up(&self, lock: &mut Lock) {
        drop(self.inner.release(placeholder_lock(lock.ticket(), lock.lease())).await);
        lock.spend();
    }

    /// Reads, in the name of another verb.
    async fn look(&self, key: &SessionKey, verb: &'static str) -> Result<Lookup<Stored>, StorageError> {
        let read = self.read(key).await;
        read.map_err(|error| StorageError::new(error.kind(), verb, self.name()).with_source(error))
    }
}
