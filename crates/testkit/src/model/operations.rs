//! The operations of [`ModelState`].

use std::time::Duration;

use sessile_core::{LockId, LockToken, Lookup, Record, SessionHead, SessionKey, StorageErrorKind, Stored, Timestamp};

use super::state::Holder;
use super::{Attempt, ModelState, Rotation};

impl ModelState {
    /// See [`Storage::read`](sessile_core::Storage::read).
    #[must_use]
    pub fn read(&self, key: &SessionKey, now: Timestamp) -> Lookup<Stored> {
        self.find(key, now).map(|key| self.stored(key))
    }

    /// Takes the lock for `lease` if it is free. See [`Storage::lock`](sessile_core::Storage::lock).
    pub fn lock(&mut self, key: &SessionKey, token: LockToken, lease: Duration, now: Timestamp) -> Lookup<Attempt> {
        self.find(key, now).map(|key| match self.locks.get(&key) {
            Some(holder) if now < holder.until => Attempt::Busy(holder.until),
            _ => {
                let until = now + lease;
                self.locks.insert(key, Holder { token, until });
                Attempt::Taken(self.stored(key))
            }
        })
    }

    /// See [`Storage::create`](sessile_core::Storage::create).
    ///
    /// # Errors
    ///
    /// `Exists`.
    pub fn create(&mut self, key: &SessionKey, record: Record, now: Timestamp) -> Result<(), StorageErrorKind> {
        self.require_vacant(key, now)?;
        self.clear(key);
        self.put(key, record);
        Ok(())
    }

    /// See [`Storage::commit`](sessile_core::Storage::commit).
    ///
    /// # Errors
    ///
    /// `LockLost`, `Gone`, `Superseded`.
    pub fn commit(&mut self, lock: &LockId, record: Record, now: Timestamp) -> Result<(), StorageErrorKind> {
        self.require_lock(lock, now)?;
        self.put(&lock.key, record);
        Ok(())
    }

    /// See [`Storage::replace`](sessile_core::Storage::replace).
    ///
    /// # Errors
    ///
    /// `Gone`, `Superseded`.
    pub fn replace(&mut self, known: &Stored, record: Record, now: Timestamp) -> Result<bool, StorageErrorKind> {
        if self.require_live(&known.key, now)? != known.key {
            // An alias leads to another record. A caller that starts again with the alias finds that one.
            return Ok(false);
        }
        let is_same = self.records[&known.key].meta == known.record.meta;
        let is_free = self.locks.get(&known.key).is_none_or(|holder| holder.until <= now);
        if is_same && is_free {
            self.put(&known.key, record);
        }
        Ok(is_same && is_free)
    }

    /// See [`Storage::rotate`](sessile_core::Storage::rotate).
    ///
    /// # Errors
    ///
    /// `LockLost`, `Gone`, `Superseded`, `Exists`.
    pub fn rotate(
        &mut self,
        lock: &LockId,
        rotation: Rotation,
        record: Record,
        now: Timestamp,
    ) -> Result<(), StorageErrorKind> {
        self.require_lock(lock, now)?;
        self.require_vacant(&rotation.to, now)?;
        self.clear(&rotation.to);
        self.add_marker(&lock.key, rotation, now);
        self.put(&rotation.to, record);
        Ok(())
    }

    /// See [`Storage::release`](sessile_core::Storage::release).
    pub fn release(&mut self, lock: &LockId) {
        if self
            .locks
            .get(&lock.key)
            .is_some_and(|holder| holder.token == lock.token)
        {
            self.locks.remove(&lock.key);
        }
    }

    /// See [`Storage::renew`](sessile_core::Storage::renew).
    ///
    /// # Errors
    ///
    /// `LockLost`, `Gone`, `Superseded`.
    pub fn renew(&mut self, lock: &LockId, lease: Duration, now: Timestamp) -> Result<(), StorageErrorKind> {
        self.require_lock(lock, now)?;
        let (token, until) = (lock.token, now + lease);
        self.locks.insert(lock.key, Holder { token, until });
        Ok(())
    }

    /// See [`Storage::touch`](sessile_core::Storage::touch).
    ///
    /// # Errors
    ///
    /// `Gone`, `Superseded`.
    pub fn touch(
        &mut self,
        key: &SessionKey,
        version: u64,
        deadline: Option<Timestamp>,
        last_active: Timestamp,
        now: Timestamp,
    ) -> Result<bool, StorageErrorKind> {
        let key = self.require_live(key, now)?;
        let record = self.records.get_mut(&key);
        let record = record.filter(|record| record.meta.version == version);
        Ok(record.map(|record| record.meta.touch(deadline, last_active)).is_some())
    }

    /// See [`Storage::destroy`](sessile_core::Storage::destroy).
    pub fn destroy(&mut self, key: &SessionKey, now: Timestamp) -> Lookup<()> {
        let found = self.trace(key, now);
        if let Lookup::Found(key) = found {
            self.remove(key);
        }
        found.map(drop)
    }

    /// Returns up to `limit` live sessions after `after`, in the order of their keys. More may follow if the result has
    /// `limit` entries. See [`Storage::scan`](sessile_core::Storage::scan).
    #[must_use]
    pub fn scan(&self, after: Option<&SessionKey>, limit: usize, now: Timestamp) -> Vec<SessionHead> {
        self.records
            .iter()
            .filter(|(key, record)| after.is_none_or(|after| *key > after) && !record.meta.has_expired(now))
            .take(limit)
            .map(|(key, record)| SessionHead::new(*key, record.meta.clone()).with_payload_len(record.payload.len()))
            .collect()
    }

    /// See [`Storage::sweep`](sessile_core::Storage::sweep).
    pub fn sweep(&mut self, limit: usize, now: Timestamp) -> Vec<Stored> {
        let expired = |(key, record): (&SessionKey, &Record)| record.meta.has_expired(now).then_some(*key);
        let expired: Vec<_> = self.records.iter().filter_map(expired).take(limit).collect();
        self.moves.retain(|_, moved| now < moved.tombstone_until);
        expired.into_iter().map(|key| self.remove(key)).collect()
    }
}
