//! The operations of the contract as steps on the state of a shard.
//!
//! Payloads that are refused, replaced or removed are returned to the caller: dropping one can run foreign code, which
//! must not happen under the mutex. Facts may be dropped there, as they are memory of their own.

use std::time::Duration;

use bytes::Bytes;
use sessile_core::{Lookup, Record, SessionKey, StorageErrorKind, Stored, Timestamp};

use crate::capacity::{MOVED_BYTES, Size, contents};
use crate::entry::{Entry, Snapshot};
use crate::moved::Moved;
use crate::options::Options;
use crate::payload::Buffer;
use crate::queue::Ticket;
use crate::slab::Slot;
use crate::state::State;

impl State {
    #[inline]
    pub(crate) fn read(&self, key: &SessionKey, buffer: &mut Buffer, now: Timestamp) -> Lookup<Snapshot> {
        self.lookup(key, now).map(|slot| self.entries[slot].snapshot(buffer))
    }

    /// Inserts the record if the key is not in use. Returns the expired entry that was stored under the key.
    pub(crate) fn create(
        &mut self,
        key: &SessionKey,
        record: &mut Record,
        now: Timestamp,
    ) -> Result<Option<Entry>, StorageErrorKind> {
        if !self.moved.is_empty() {
            if self.moved.get(key).is_some_and(|moved| now < moved.until) {
                return Err(StorageErrorKind::Exists);
            }
            self.remove_moved(key);
        }
        let Err(slot) = self.insert(key, record) else {
            return Ok(None);
        };
        if !self.entries[slot].meta.has_expired(now) {
            return Err(StorageErrorKind::Exists);
        }
        let purged = self.remove(slot);
        let inserted = self.insert(key, record);
        debug_assert!(inserted.is_ok(), "the expired entry was removed");
        Ok(Some(purged))
    }

    /// Replaces the record and releases the lock, in one step. Returns the part of the old record that is to be
    /// dropped.
    pub(crate) fn commit(
        &mut self,
        key: &SessionKey,
        ticket: Option<Ticket>,
        record: &mut Record,
        now: Timestamp,
        options: &Options,
    ) -> Result<Option<Bytes>, StorageErrorKind> {
        let slot = self.require_lock(key, ticket, now)?;
        self.reserve_growth(slot, record, 0, options)?;
        let replaced = self.overwrite(slot, record);
        self.release(slot, || now + options.lease);
        Ok(replaced)
    }

    /// Replaces the record if it is still the known one and its lock is free. Returns the part of the old record that
    /// is to be dropped, or `None` if nothing was done.
    ///
    /// If the key has become an alias, the record is under another key and not the known one. There is no waiter to
    /// wake: see [`is_free`](State::is_free).
    pub(crate) fn replace(
        &mut self,
        known: &Stored,
        record: &mut Record,
        now: Timestamp,
        options: &Options,
    ) -> Result<Option<Option<Bytes>>, StorageErrorKind> {
        let slot = self.require_live(&known.key, now)?;
        let is_held = self.entries[slot].holder.is_some();
        if is_held && !self.is_free(slot, now, now + options.lease) {
            return Ok(None);
        }
        let entry = &self.entries[slot];
        if entry.key != known.key || entry.meta != known.record.meta {
            return Ok(None);
        }
        self.reserve_growth(slot, record, 0, options)?;
        Ok(Some(self.overwrite(slot, record)))
    }

    /// Replaces the record, moves it to the new key, which belongs to this shard, and leaves an alias or a tombstone.
    /// Returns the part of the old record that is to be dropped, and the expired entry that was stored under the new
    /// key.
    #[expect(clippy::too_many_arguments, reason = "they are those of the operation, and the time")]
    pub(crate) fn rotate(
        &mut self,
        key: &SessionKey,
        ticket: Option<Ticket>,
        new_key: &SessionKey,
        record: &mut Record,
        grace: Duration,
        now: Timestamp,
        options: &Options,
    ) -> Result<(Option<Bytes>, Option<Entry>), StorageErrorKind> {
        let slot = self.require_lock(key, ticket, now)?;
        if self.lookup(new_key, now) != Lookup::Missing {
            return Err(StorageErrorKind::Exists);
        }
        let alias_until = now + grace;
        let until = alias_until + options.tombstone_ttl;
        let moved_bytes = if until > now { MOVED_BYTES } else { 0 };
        self.reserve_growth(slot, record, moved_bytes, options)?;
        let purged = self.purge(new_key);
        // Purging may have given the entry another slot.
        let slot = self.require_lock(key, ticket, now)?;
        let queue = self.entries[slot].queue.take();
        self.rename(slot, *new_key);
        let replaced = self.overwrite(slot, record);
        // The lock ends with the old key. Its waiters look the session up again, by an alias if there is one.
        self.entries[slot].holder = None;
        if let Some(queue) = queue {
            self.deferred.wake_all(*queue);
        }
        if until > now {
            let moved = Moved {
                target: *new_key,
                alias_until,
                until,
            };
            self.moved.insert(*key, moved);
            self.deferred.schedule(until);
        }
        Ok((replaced, purged))
    }

    pub(crate) fn renew(
        &mut self,
        key: &SessionKey,
        ticket: Option<Ticket>,
        now: Timestamp,
        options: &Options,
    ) -> Result<(), StorageErrorKind> {
        let slot = self.require_lock(key, ticket, now)?;
        self.entries[slot].lease_until = now + options.lease;
        Ok(())
    }

    pub(crate) fn touch(
        &mut self,
        key: &SessionKey,
        version: u64,
        deadline: Option<Timestamp>,
        last_active: Timestamp,
        now: Timestamp,
    ) -> Result<bool, StorageErrorKind> {
        let slot = self.require_live(key, now)?;
        let meta = &mut self.entries[slot].meta;
        if meta.version != version {
            return Ok(false);
        }
        let before = meta.deadline;
        meta.touch(deadline, last_active);
        self.reindex_deadline(slot, before);
        Ok(true)
    }

    /// Removes the record, under whichever key the session is stored now. Returns that key, and the part of the record
    /// that is to be dropped.
    pub(crate) fn destroy(&mut self, key: &SessionKey, now: Timestamp) -> Lookup<(SessionKey, Option<Bytes>)> {
        let found = match self.lookup(key, now) {
            Lookup::Superseded => self.successor(key, now).map_or(Lookup::Superseded, Lookup::Found),
            found => found,
        };
        found.map(|slot| {
            let entry = self.remove(slot);
            (entry.key, entry.payload.into_long())
        })
    }

    /// Moves up to `limit` expired records to `expired`, and removes expired moved keys. Looks at no more than `budget`
    /// of either, and returns whether there may be more.
    pub(crate) fn sweep(&mut self, limit: usize, budget: usize, expired: &mut Vec<Entry>, now: Timestamp) -> bool {
        let (mut left, mut removed) = (budget, 0);
        while removed < limit
            && let Some(slot) = self.deadlines.due(&mut self.entries, now, &mut left)
        {
            expired.push(self.remove(slot));
            removed += 1;
        }
        let mut more = left == 0;
        left = budget;
        while let Some(key) = self.moved.due(now) {
            if left == 0 {
                more = true;
                break;
            }
            left -= 1;
            self.remove_moved(&key);
        }
        more
    }

    /// Finds the live record of a key, or fails with the reason why there is none.
    fn require_live(&self, key: &SessionKey, now: Timestamp) -> Result<Slot, StorageErrorKind> {
        match self.lookup(key, now) {
            Lookup::Found(slot) => Ok(slot),
            Lookup::Missing => Err(StorageErrorKind::Gone),
            Lookup::Superseded => Err(StorageErrorKind::Superseded),
        }
    }

    /// Finds the live record of a key, or fails if this ticket does not hold its lock.
    fn require_lock(&self, key: &SessionKey, ticket: Option<Ticket>, now: Timestamp) -> Result<Slot, StorageErrorKind> {
        let slot = self.require_live(key, now)?;
        let held = ticket.is_some_and(|ticket| self.entries[slot].is_held_by(ticket, now));
        held.then_some(slot).ok_or(StorageErrorKind::LockLost)
    }

    /// Reserves the bytes by which this record is larger than the one it replaces, and some `more`.
    fn reserve_growth(
        &self,
        slot: Slot,
        record: &Record,
        more: usize,
        options: &Options,
    ) -> Result<(), StorageErrorKind> {
        let new = contents(&record.meta.facts, record.payload.len());
        let growth = new.saturating_sub(self.entries[slot].contents());
        let size = Size::of_bytes(growth + more);
        let is_reserved = size == Size::default() || options.capacity.reserve(size);
        is_reserved.then_some(()).ok_or(StorageErrorKind::Full)
    }

    #[inline]
    fn overwrite(&mut self, slot: Slot, record: &mut Record) -> Option<Bytes> {
        let entry = &mut self.entries[slot];
        let (before, contents) = (entry.meta.deadline, entry.contents());
        let after = record.meta.deadline;
        let replaced = entry.replace(record);
        let new_contents = entry.contents();
        if new_contents < contents {
            self.deferred.free(Size::of_bytes(contents - new_contents));
        }
        match (before, after) {
            // The usual case: a later deadline concerns neither the waiters nor the order of deadlines.
            (Some(before), Some(after)) if before <= after => {}
            _ => self.update_deadline(slot, before),
        }
        replaced
    }

    /// Updates what depends on a deadline that has changed from `before`.
    fn update_deadline(&mut self, slot: Slot, before: Option<Timestamp>) {
        let after = self.entries[slot].meta.deadline;
        if after.unwrap_or(Timestamp::MAX) < before.unwrap_or(Timestamp::MAX) {
            // The timers of the waiters are set to the deadline that the record had.
            self.wake_waiters(slot);
        }
        self.reindex_deadline(slot, before);
    }
}
