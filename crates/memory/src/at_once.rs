//! [`AtOnce`]: the verbs that have their answer the moment they are asked.
//!
//! They are the one implementation of these verbs; the storage's futures call them. They belong to what the clones of a
//! storage share and not to the storage itself, whose verbs have the same names: whoever imports both traits would have
//! to say with each call which of the two is meant.

use sessile_core::{
    AtOnce, Lock, Locked, Lookup, Record, SessionKey, StorageError, StorageErrorKind, Stored, Timestamp,
};

use crate::capacity::Room;
use crate::payload::Buffer;
use crate::shared::{Shared, failed};

impl AtOnce for Shared {
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
        let (taken, now) = shard.step(|state, now| (state.try_lock(key, &mut buffer, now, &self.settings), now));
        Some(Ok((taken?.map(|taken| shard.locked(taken, &buffer)), now)))
    }

    fn create(&self, key: &SessionKey, mut record: Record) -> Result<(), StorageError> {
        let capacity = &self.settings.capacity;
        let room = Room::of(record.payload.len());
        let reserve = || capacity.reserve(room).then_some(()).ok_or(StorageErrorKind::Full);
        self.with_room(reserve).map_err(failed("create"))?;
        let result = self.shard(key).step(|state, now| state.create(key, &mut record, now));
        if result.is_err() {
            capacity.give_back(room);
        }
        result.map(|_cleared| ()).map_err(failed("create"))
    }

    fn commit(&self, lock: &mut Lock, mut record: Record) -> Result<(), StorageError> {
        let key = lock.key();
        let shard = self.shard(key);
        let ticket = shard.ticket_of(&lock.ticket().token);
        let result =
            self.with_room(|| shard.step(|state, now| state.commit(key, ticket, &mut record, now, &self.settings)));
        result.map(|_replaced| lock.spend()).map_err(failed("commit"))
    }

    fn replace(&self, known: &Stored, mut record: Record) -> Result<bool, StorageError> {
        let shard = self.shard(&known.key);
        let result = self.with_room(|| shard.step(|state, now| state.replace(known, &mut record, now, &self.settings)));
        result.map(|replaced| replaced.is_some()).map_err(failed("replace"))
    }

    fn destroy(&self, key: &SessionKey) -> Result<Lookup<()>, StorageError> {
        let destroyed = self.shard(key).step(|state, now| state.destroy(key, now));
        Ok(destroyed.map(|_record| ()))
    }

    fn release(&self, lock: Lock) -> Result<(), StorageError> {
        // It goes back when it is dropped: this very moment, as nothing here has to be waited for.
        drop(lock);
        Ok(())
    }
}
