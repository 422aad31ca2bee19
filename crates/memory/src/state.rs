//! [`State`]: the contents of a shard, and how entries are found, inserted and removed.

use std::num::NonZeroU64;

use sessile_core::{Lookup, MAX_ALIASES, Record, SessionKey, Timestamp};

use crate::capacity::{MOVED_BYTES, Size};
use crate::deadlines::Deadlines;
use crate::deferred::Deferred;
use crate::entry::Entry;
use crate::index::Index;
use crate::moved::MovedKeys;
use crate::queue::Ticket;
use crate::slab::{Slab, Slot};

/// The contents of a shard. All methods run under the mutex of the shard, and none of them waits.
pub(crate) struct State {
    /// The slots of the entries, by key.
    index: Index,
    pub(crate) entries: Slab,
    pub(crate) deadlines: Deadlines,
    pub(crate) moved: MovedKeys,
    next_ticket: NonZeroU64,
    /// The work that the present step defers until the mutex is unlocked.
    pub(crate) deferred: Deferred,
}

impl State {
    pub(crate) fn new(first_ticket: NonZeroU64) -> Self {
        Self {
            index: Index::default(),
            entries: Slab::default(),
            deadlines: Deadlines::default(),
            moved: MovedKeys::default(),
            next_ticket: first_ticket,
            deferred: Deferred::default(),
        }
    }

    pub(crate) fn next_ticket(&mut self) -> Ticket {
        let ticket = self.next_ticket;
        self.next_ticket = ticket.checked_add(1).expect("2^63 locks are not taken in a lifetime");
        Ticket(ticket)
    }

    /// Finds the entry stored under exactly this key, expired or not.
    #[inline]
    pub(crate) fn find(&self, key: &SessionKey) -> Option<Slot> {
        self.index.find(key, &self.entries)
    }

    /// Finds the entry stored under exactly this key, if it is live.
    pub(crate) fn find_live(&self, key: &SessionKey, now: Timestamp) -> Option<Slot> {
        self.find(key).filter(|&slot| !self.entries[slot].meta.has_expired(now))
    }

    /// Finds the live entry of a key, following aliases.
    #[inline]
    pub(crate) fn lookup(&self, key: &SessionKey, now: Timestamp) -> Lookup<Slot> {
        match self.find(key) {
            Some(slot) if !self.entries[slot].meta.has_expired(now) => Lookup::Found(slot),
            Some(_) => Lookup::Missing,
            None if self.moved.is_empty() => Lookup::Missing,
            None => self.follow_aliases(key, now),
        }
    }

    /// Looks up a key under which no entry is stored.
    fn follow_aliases(&self, key: &SessionKey, now: Timestamp) -> Lookup<Slot> {
        let mut moved = self.moved.get(key).filter(|moved| now < moved.until);
        if moved.is_none() {
            return Lookup::Missing;
        }
        for _ in 0..MAX_ALIASES {
            let Some(alias) = moved.filter(|moved| now < moved.alias_until) else {
                break;
            };
            if let Some(slot) = self.find_live(&alias.target, now) {
                return Lookup::Found(slot);
            }
            moved = self.moved.get(&alias.target);
        }
        Lookup::Superseded
    }

    /// Finds the live entry of a session that has moved away from this key, following aliases and tombstones.
    ///
    /// The chain ends: a session moves only to a key that is neither alias nor tombstone.
    pub(crate) fn successor(&self, key: &SessionKey, now: Timestamp) -> Option<Slot> {
        let mut key = key;
        loop {
            key = &self.moved.get(key).filter(|moved| now < moved.until)?.target;
            if let Some(slot) = self.find_live(key, now) {
                return Some(slot);
            }
        }
    }

    /// Inserts a record under a key that has not moved. Fails with the slot of the entry if there is one, so that the
    /// index is searched once.
    pub(crate) fn insert(&mut self, key: &SessionKey, record: &mut Record) -> Result<(), Slot> {
        let vacant = self.index.vacant(key, &self.entries)?;
        let slot = self.entries.push(Entry::new(*key, record));
        vacant.insert(slot);
        self.reindex_deadline(slot, None);
        Ok(())
    }

    /// Removes what is still stored under a key whose session is missing: an alias, a tombstone or an entry that has
    /// expired.
    pub(crate) fn purge(&mut self, key: &SessionKey) -> Option<Entry> {
        self.remove_moved(key);
        self.find(key).map(|slot| self.remove(slot))
    }

    /// Removes the alias or tombstone at a key.
    pub(crate) fn remove_moved(&mut self, key: &SessionKey) {
        if self.moved.remove(key) {
            self.deferred.free(Size::of_bytes(MOVED_BYTES));
        }
    }

    /// Removes an entry with its lock, and wakes the waiters.
    pub(crate) fn remove(&mut self, slot: Slot) -> Entry {
        self.deadlines.remove(&mut self.entries, slot);
        self.index.remove(&self.entries[slot].key, slot);
        let last = Slot::try_from(self.entries.len() - 1).expect("a slot");
        if last != slot {
            // The last entry will get the slot of this one.
            self.index.relocate(&self.entries[last].key, last, slot);
        }
        let mut entry = self.entries.swap_remove(slot);
        if last != slot {
            self.deadlines.relocate(&self.entries, slot);
        }
        if let Some(queue) = entry.queue.take() {
            self.deferred.wake_all(*queue);
        }
        self.deferred.free(Size::of_session(entry.contents()));
        entry
    }

    /// Gives an entry another key, under which nothing is stored. The entry keeps its slot: a scan neither misses nor
    /// repeats it.
    pub(crate) fn rename(&mut self, slot: Slot, key: SessionKey) {
        self.index.remove(&self.entries[slot].key, slot);
        self.entries[slot].key = key;
        self.index.insert(&key, slot);
    }

    /// Updates the order of deadlines after the deadline of an entry has changed from `before`.
    pub(crate) fn reindex_deadline(&mut self, slot: Slot, before: Option<Timestamp>) {
        if self.deadlines.update(&mut self.entries, slot, before) {
            let deadline = self.entries[slot].meta.deadline;
            deadline
                .into_iter()
                .for_each(|deadline| self.deferred.schedule(deadline));
        }
    }

    /// Returns the first moment at which an entry, an alias or a tombstone expires.
    pub(crate) fn next_expiry(&self) -> Option<Timestamp> {
        let deadline = self.deadlines.earliest();
        deadline.into_iter().chain(self.moved.earliest()).min()
    }
}
