//! [`State`]: what a shard holds, and how keys are looked up, put in and taken out.

use std::num::NonZeroU64;

use sessile_core::{Lookup, MAX_ALIASES, Record, SessionKey, Timestamp};

use crate::aftermath::Aftermath;
use crate::capacity::{MOVED_BYTES, Room};
use crate::deadlines::Deadlines;
use crate::entry::{Entry, Ticket};
use crate::index::Index;
use crate::moved::MovedKeys;
use crate::slab::{Slab, Slot};

/// The contents of a shard. Everything here happens under the shard's mutex, and nothing here waits.
pub(crate) struct State {
    /// Where the entries are, by key.
    index: Index,
    pub(crate) entries: Slab,
    pub(crate) deadlines: Deadlines,
    pub(crate) moved: MovedKeys,
    next_ticket: NonZeroU64,
    /// The work that this step leaves to be done.
    pub(crate) aftermath: Aftermath,
}

impl State {
    pub(crate) fn new(first_ticket: NonZeroU64) -> Self {
        Self {
            index: Index::default(),
            entries: Slab::default(),
            deadlines: Deadlines::default(),
            moved: MovedKeys::default(),
            next_ticket: first_ticket,
            aftermath: Aftermath::default(),
        }
    }

    pub(crate) fn ticket(&mut self) -> Ticket {
        let ticket = self.next_ticket;
        self.next_ticket = ticket.checked_add(1).expect("2^63 locks are not taken in a lifetime");
        Ticket(ticket)
    }

    /// The entry stored under exactly this key, expired or not.
    #[inline]
    pub(crate) fn find(&self, key: &SessionKey) -> Option<Slot> {
        self.index.find(key, &self.entries)
    }

    /// The entry stored under exactly this key, if it is live.
    pub(crate) fn find_live(&self, key: &SessionKey, now: Timestamp) -> Option<Slot> {
        self.find(key).filter(|&slot| !self.entries[slot].meta.has_expired(now))
    }

    /// In which state a key is, aliases followed.
    #[inline]
    pub(crate) fn place(&self, key: &SessionKey, now: Timestamp) -> Lookup<Slot> {
        match self.find(key) {
            Some(slot) if !self.entries[slot].meta.has_expired(now) => Lookup::Found(slot),
            Some(_) => Lookup::Missing,
            None if self.moved.is_empty() => Lookup::Missing,
            None => self.place_moved(key, now),
        }
    }

    /// In which state a key is at which nothing is stored.
    fn place_moved(&self, key: &SessionKey, now: Timestamp) -> Lookup<Slot> {
        let mut left = self.moved.get(key).filter(|moved| now < moved.until);
        if left.is_none() {
            return Lookup::Missing;
        }
        for _ in 0..MAX_ALIASES {
            let Some(alias) = left.filter(|moved| now < moved.alias_until) else {
                break;
            };
            if let Some(slot) = self.find_live(&alias.target, now) {
                return Lookup::Found(slot);
            }
            left = self.moved.get(&alias.target);
        }
        Lookup::Superseded
    }

    /// The live entry of a session that has moved away from this key, aliases and tombstones followed to the end.
    ///
    /// There is an end: a session moves only to a key from which nothing leads on.
    pub(crate) fn successor(&self, key: &SessionKey, now: Timestamp) -> Option<Slot> {
        let mut key = key;
        loop {
            key = &self.moved.get(key).filter(|moved| now < moved.until)?.target;
            if let Some(slot) = self.find_live(key, now) {
                return Some(slot);
            }
        }
    }

    /// Puts a record in under a key at which nothing is stored, unless there is an entry. Looks into the index once.
    pub(crate) fn insert(&mut self, key: &SessionKey, record: &mut Record) -> Result<(), Slot> {
        let vacancy = self.index.vacancy(key, &self.entries)?;
        let slot = self.entries.push(Entry::new(*key, record));
        vacancy.fill(slot);
        self.note_deadline(slot, None);
        Ok(())
    }

    /// Removes what is still stored under a key that is missing.
    pub(crate) fn clear(&mut self, key: &SessionKey) -> Option<Entry> {
        self.forget_moved(key);
        self.find(key).map(|slot| self.take(slot))
    }

    /// Removes what a rotation has left at a key.
    pub(crate) fn forget_moved(&mut self, key: &SessionKey) {
        if self.moved.remove(key) {
            self.aftermath.free(Room::of_bytes(MOVED_BYTES));
        }
    }

    /// Takes an entry out: its lock goes, and those who waited are woken.
    pub(crate) fn take(&mut self, slot: Slot) -> Entry {
        self.deadlines.remove(&mut self.entries, slot);
        self.index.remove(&self.entries[slot].key, slot);
        let last = Slot::try_from(self.entries.len() - 1).expect("a slot");
        if last != slot {
            // The last entry will get the number of this one.
            self.index.renumber(&self.entries[last].key, last, slot);
        }
        let mut entry = self.entries.swap_remove(slot);
        if last != slot {
            self.deadlines.renumber(&self.entries, slot);
        }
        if let Some(queue) = entry.queue.take() {
            self.aftermath.wake_all(*queue);
        }
        self.aftermath.free(Room::of(entry.payload.len()));
        entry
    }

    /// Gives an entry another key, under which nothing is stored, and keeps its slot: a scan neither misses nor
    /// repeats it.
    pub(crate) fn rename(&mut self, slot: Slot, key: SessionKey) {
        self.index.remove(&self.entries[slot].key, slot);
        self.entries[slot].key = key;
        self.index.insert(&key, slot);
    }

    /// Takes note of the deadline that an entry has now, where it had another `before`.
    pub(crate) fn note_deadline(&mut self, slot: Slot, before: Option<Timestamp>) {
        if self.deadlines.note(&mut self.entries, slot, before) {
            let deadline = self.entries[slot].meta.deadline;
            deadline
                .into_iter()
                .for_each(|deadline| self.aftermath.expect(deadline));
        }
    }

    /// The first moment at which something leaves.
    pub(crate) fn next_end(&self) -> Option<Timestamp> {
        self.deadlines.next().into_iter().chain(self.moved.next()).min()
    }
}
