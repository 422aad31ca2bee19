//! The steps that change what is stored, one for each verb of the contract.
//!
//! Records that are refused, replaced or removed are given back: to drop one can run code of others, which must not
//! happen under the mutex.

use std::time::Duration;

use bytes::Bytes;
use sessile_core::{Lookup, Record, SessionKey, StorageErrorKind, Stored, Timestamp};

use crate::capacity::{MOVED_BYTES, Room};
use crate::entry::{Entry, Snapshot, Ticket};
use crate::moved::Moved;
use crate::payload::Buffer;
use crate::shard::Settings;
use crate::slab::Slot;
use crate::state::State;

impl State {
    #[inline]
    pub(crate) fn read(&self, key: &SessionKey, buffer: &mut Buffer, now: Timestamp) -> Lookup<Snapshot> {
        self.place(key, now).map(|slot| self.entries[slot].snapshot(buffer))
    }

    /// Takes the record if it can be created. Returns what lay there, long expired.
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
            self.forget_moved(key);
        }
        let Err(slot) = self.insert(key, record) else {
            return Ok(None);
        };
        if !self.entries[slot].meta.has_expired(now) {
            return Err(StorageErrorKind::Exists);
        }
        let cleared = self.take(slot);
        let inserted = self.insert(key, record);
        debug_assert!(inserted.is_ok(), "what was there has been taken out");
        Ok(Some(cleared))
    }

    /// Puts the record in the place of the one that is stored. Returns what is to be dropped of that.
    pub(crate) fn commit(
        &mut self,
        key: &SessionKey,
        ticket: Option<Ticket>,
        record: &mut Record,
        now: Timestamp,
        settings: &Settings,
    ) -> Result<Option<Bytes>, StorageErrorKind> {
        let slot = self.held(key, ticket, now)?;
        self.reserve_growth(slot, record, 0, settings)?;
        let replaced = self.put(slot, record);
        self.give_up(slot, || now + settings.lease);
        Ok(replaced)
    }

    /// Puts the record in the place of the one that is stored, if that is the known one still and nobody holds its
    /// lock. Returns what is to be dropped of that, or `None` if nothing was done.
    ///
    /// Where an alias leads on from the key, the record is under another key now, and not the known one. Nobody has
    /// to be woken: see [`is_free`](State::is_free).
    pub(crate) fn replace(
        &mut self,
        known: &Stored,
        record: &mut Record,
        now: Timestamp,
        settings: &Settings,
    ) -> Result<Option<Option<Bytes>>, StorageErrorKind> {
        let slot = self.live(&known.key, now)?;
        let is_held = self.entries[slot].holder.is_some();
        if is_held && !self.is_free(slot, now, now + settings.lease) {
            return Ok(None);
        }
        let entry = &self.entries[slot];
        if entry.key != known.key || entry.meta != known.record.meta {
            return Ok(None);
        }
        self.reserve_growth(slot, record, 0, settings)?;
        Ok(Some(self.put(slot, record)))
    }

    /// Puts the record in the place of the one that is stored, under the new key, which belongs to this shard. Returns
    /// what is to be dropped of that, and what lay at the new key, long expired.
    #[expect(clippy::too_many_arguments, reason = "they are those of the verb, and the moment")]
    pub(crate) fn rotate(
        &mut self,
        key: &SessionKey,
        ticket: Option<Ticket>,
        new_key: &SessionKey,
        record: &mut Record,
        grace: Duration,
        now: Timestamp,
        settings: &Settings,
    ) -> Result<(Option<Bytes>, Option<Entry>), StorageErrorKind> {
        let slot = self.held(key, ticket, now)?;
        if self.place(new_key, now) != Lookup::Missing {
            return Err(StorageErrorKind::Exists);
        }
        let alias_until = now + grace;
        let until = alias_until + settings.tombstone_ttl;
        let leaves = if until > now { MOVED_BYTES } else { 0 };
        self.reserve_growth(slot, record, leaves, settings)?;
        let cleared = self.clear(new_key);
        // Clearing may have given the entry another slot.
        let slot = self.held(key, ticket, now)?;
        let queue = self.entries[slot].queue.take();
        self.rename(slot, *new_key);
        let replaced = self.put(slot, record);
        self.entries[slot].holder = None;
        if let Some(queue) = queue {
            self.aftermath.wake_all(*queue);
        }
        if until > now {
            let moved = Moved {
                target: *new_key,
                alias_until,
                until,
            };
            self.moved.insert(*key, moved);
            self.aftermath.expect(until);
        }
        Ok((replaced, cleared))
    }

    pub(crate) fn renew(
        &mut self,
        key: &SessionKey,
        ticket: Option<Ticket>,
        now: Timestamp,
        settings: &Settings,
    ) -> Result<(), StorageErrorKind> {
        let slot = self.held(key, ticket, now)?;
        self.entries[slot].lease_until = now + settings.lease;
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
        let slot = self.live(key, now)?;
        let meta = &mut self.entries[slot].meta;
        if meta.version != version {
            return Ok(false);
        }
        let before = meta.deadline;
        meta.touch(deadline, last_active);
        self.note_deadline(slot, before);
        Ok(true)
    }

    /// Returns what is to be dropped of the record that was there, or where the session has moved to.
    pub(crate) fn destroy(&mut self, key: &SessionKey, now: Timestamp) -> Lookup<Option<Bytes>> {
        let place = match self.place(key, now) {
            Lookup::Superseded => self.successor(key, now).map_or(Lookup::Superseded, Lookup::Found),
            place => place,
        };
        place.map(|slot| self.take(slot).payload.into_long())
    }

    /// Takes out up to `limit` records whose deadline has come, into `expired`, and what rotations have left behind.
    /// Looks at no more than `budget` of either; returns whether that was too few.
    pub(crate) fn sweep(&mut self, limit: usize, budget: usize, expired: &mut Vec<Entry>, now: Timestamp) -> bool {
        let (mut left, mut taken) = (budget, 0);
        while taken < limit
            && let Some(slot) = self.deadlines.due(&mut self.entries, now, &mut left)
        {
            expired.push(self.take(slot));
            taken += 1;
        }
        let mut more = left == 0;
        left = budget;
        while let Some(key) = self.moved.due(now) {
            if left == 0 {
                more = true;
                break;
            }
            left -= 1;
            self.forget_moved(&key);
        }
        more
    }

    /// The record at a key, or why there is none.
    fn live(&self, key: &SessionKey, now: Timestamp) -> Result<Slot, StorageErrorKind> {
        match self.place(key, now) {
            Lookup::Found(slot) => Ok(slot),
            Lookup::Missing => Err(StorageErrorKind::Gone),
            Lookup::Superseded => Err(StorageErrorKind::Superseded),
        }
    }

    /// The record at a key, if this ticket holds its lock.
    fn held(&self, key: &SessionKey, ticket: Option<Ticket>, now: Timestamp) -> Result<Slot, StorageErrorKind> {
        let slot = self.live(key, now)?;
        let held = ticket.is_some_and(|ticket| self.entries[slot].is_held_by(ticket, now));
        held.then_some(slot).ok_or(StorageErrorKind::LockLost)
    }

    /// Takes the room by which this record is larger than the one it replaces, and for what else comes with it.
    fn reserve_growth(
        &self,
        slot: Slot,
        record: &Record,
        besides: usize,
        settings: &Settings,
    ) -> Result<(), StorageErrorKind> {
        let growth = record.payload.len().saturating_sub(self.entries[slot].payload.len());
        let room = Room::of_bytes(growth + besides);
        let is_there = room == Room::default() || settings.capacity.reserve(room);
        is_there.then_some(()).ok_or(StorageErrorKind::Full)
    }

    #[inline]
    fn put(&mut self, slot: Slot, record: &mut Record) -> Option<Bytes> {
        let entry = &mut self.entries[slot];
        let (before, length) = (entry.meta.deadline, entry.payload.len());
        let (after, new_length) = (record.meta.deadline, record.payload.len());
        let replaced = entry.replace(record);
        if new_length < length {
            self.aftermath.free(Room::of_bytes(length - new_length));
        }
        match (before, after) {
            // As mostly. Nobody has to know of it.
            (Some(before), Some(after)) if before <= after => {}
            _ => self.move_deadline(slot, before),
        }
        replaced
    }

    /// Follows a deadline that was another `before`.
    fn move_deadline(&mut self, slot: Slot, before: Option<Timestamp>) {
        let after = self.entries[slot].meta.deadline;
        if after.unwrap_or(Timestamp::MAX) < before.unwrap_or(Timestamp::MAX) {
            // Those who wait have set their timers to the end that the record had.
            self.wake_queue(slot);
        }
        self.note_deadline(slot, before);
    }
}
