//! [`ImmediateStorage`]: the operations that never wait, as plain functions.
//!
//! They are the only implementation; the futures of the storage call them. [`Shared`] implements the trait and not
//! `MemoryStorage`: the operations have the same names in both traits, and a caller that imports both would have to
//! name the trait with each call.

use sessile_core::{
    ImmediateStorage, Lock, Locked, Lookup, Record, SessionKey, StorageError, StorageErrorKind, Stored, Timestamp,
};

use crate::capacity::{Size, contents};
use crate::payload::Buffer;
use crate::shared::{Shared, failed};

impl ImmediateStorage for Shared {
    fn read(&self, key: &SessionKey) -> Result<(Lookup<Stored>, Timestamp), StorageError> {
        let mut buffer = Buffer::new();
        let (found, now) = self
            .shard(key)
            .step(|state, now| (state.read(key, &mut buffer, now), now));
        Ok((found.map(|snapshot| snapshot.into_stored(&buffer)), now))
    }

    fn lock(&self, key: &SessionKey) -> Option<Result<(Lookup<Locked>, Timestamp), StorageError>> {
        let shard = self.shard(key);
        let mut buffer = Buffer::new();
        let (found, now) = shard.step(|state, now| (state.try_lock(key, &mut buffer, now, &self.options), now));
        Some(Ok((found?.map(|acquired| shard.locked(acquired, &buffer)), now)))
    }

    fn create(&self, key: &SessionKey, mut record: Record) -> Result<(), StorageError> {
        let capacity = &self.options.capacity;
        let size = Size::of_session(contents(&record.meta.facts, record.payload.len()));
        let reserve = || capacity.reserve(size).then_some(()).ok_or(StorageErrorKind::Full);
        self.sweep_while_full(reserve).map_err(failed("create"))?;
        let result = self.shard(key).step(|state, now| state.create(key, &mut record, now));
        match result {
            Ok(_purged) => {
                self.options.watchers.wake(key);
                Ok(())
            }
            Err(kind) => {
                capacity.free(size);
                Err(failed("create")(kind))
            }
        }
    }

    fn commit(&self, lock: &mut Lock, mut record: Record) -> Result<(), StorageError> {
        let key = lock.key();
        let shard = self.shard(key);
        let ticket = shard.ticket_of(&lock.id().token);
        let result = self
            .sweep_while_full(|| shard.step(|state, now| state.commit(key, ticket, &mut record, now, &self.options)));
        let _replaced = result.map_err(failed("commit"))?;
        self.options.watchers.wake(key);
        lock.disarm();
        Ok(())
    }

    fn replace(&self, known: &Stored, mut record: Record) -> Result<bool, StorageError> {
        let shard = self.shard(&known.key);
        let result =
            self.sweep_while_full(|| shard.step(|state, now| state.replace(known, &mut record, now, &self.options)));
        let replaced = result.map_err(failed("replace"))?;
        if replaced.is_some() {
            self.options.watchers.wake(&known.key);
        }
        Ok(replaced.is_some())
    }

    fn destroy(&self, key: &SessionKey) -> Result<Lookup<()>, StorageError> {
        let destroyed = self.shard(key).step(|state, now| state.destroy(key, now));
        Ok(destroyed.map(|(key, _record)| self.options.watchers.wake(&key)))
    }

    fn release(&self, lock: Lock) -> Result<(), StorageError> {
        // Dropping the lock releases it, and has nothing to wait for here.
        drop(lock);
        Ok(())
    }
}
