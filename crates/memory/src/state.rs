//! [`State`]: what a shard holds, and how keys are looked up, put in and taken out.

use std::num::NonZeroU64;

use hashbrown::HashTable;
use sessile_core::{Lookup, Record, SessionKey, Stored, Timestamp};

use crate::deadlines::Deadlines;
use crate::entry::{Entry, Ticket};
use crate::moved::MovedKeys;
use crate::queue::Wakes;
use crate::slab::{Slab, Slot};

/// The contents of a shard. Everything here happens under the shard's mutex, and nothing here waits.
pub(crate) struct State {
    /// Where the entries are, by key.
    index: HashTable<Slot>,
    pub(crate) entries: Slab,
    pub(crate) deadlines: Deadlines,
    pub(crate) moved: MovedKeys,
    next_ticket: NonZeroU64,
    /// To be woken when the mutex is free again.
    pub(crate) wakes: Wakes,
    /// The earliest deadline that this step has brought, for the sweeper.
    pub(crate) sooner: Option<Timestamp>,
    /// How many records this step has taken out, for the capacity.
    pub(crate) freed: usize,
}

fn hash(key: &SessionKey) -> u64 {
    let first = key.digest().first_chunk().expect("a digest is longer than eight bytes");
    u64::from_le_bytes(*first)
}

impl State {
    pub(crate) fn new(first_ticket: NonZeroU64) -> Self {
        Self {
            index: HashTable::new(),
            entries: Slab::default(),
            deadlines: Deadlines::default(),
            moved: MovedKeys::default(),
            next_ticket: first_ticket,
            wakes: Wakes::default(),
            sooner: None,
            freed: 0,
        }
    }

    pub(crate) fn ticket(&mut self) -> Ticket {
        let ticket = self.next_ticket;
        self.next_ticket = ticket.checked_add(1).expect("2^63 locks are not taken in a lifetime");
        Ticket(ticket)
    }

    /// The entry stored under exactly this key, expired or not.
    pub(crate) fn find(&self, key: &SessionKey) -> Option<Slot> {
        let entries = &self.entries;
        self.index.find(hash(key), |&slot| entries[slot].key == *key).copied()
    }

    /// The entry stored under exactly this key, if it is live.
    pub(crate) fn find_live(&self, key: &SessionKey, now: Timestamp) -> Option<Slot> {
        self.find(key)
            .filter(|&slot| !self.entries[slot].record.meta.has_expired(now))
    }

    /// In which state a key is, aliases followed.
    pub(crate) fn place(&self, key: &SessionKey, now: Timestamp) -> Lookup<Slot> {
        let (mut key, mut at, mut superseded) = (*key, now, false);
        loop {
            if let Some(slot) = self.find(&key) {
                return if self.entries[slot].record.meta.has_expired(at) {
                    Lookup::Missing
                } else if superseded {
                    Lookup::Superseded
                } else {
                    Lookup::Found(slot)
                };
            }
            let Some(moved) = self.moved.get(&key).filter(|moved| at < moved.until) else {
                return Lookup::Missing;
            };
            if moved.alias_until <= at {
                // A tombstone, unless the session ended while this was still an alias of it: an alias ends with
                // its session. Nobody may have come by since, so it is decided by how things stood at its last moment.
                superseded = true;
                at = Timestamp::from_millis(moved.alias_until.as_millis().saturating_sub(1));
            }
            match moved.target {
                Some(target) => key = target,
                None => return Lookup::Superseded,
            }
        }
    }

    /// Puts a record in under a key at which nothing is stored.
    pub(crate) fn insert(&mut self, key: SessionKey, record: Record) {
        let slot = self.entries.push(Entry::new(key, record));
        self.index_as(&key, slot);
        self.note_deadline(slot);
    }

    /// Removes what is still stored under a key that is missing.
    pub(crate) fn clear(&mut self, key: &SessionKey, now: Timestamp) -> Option<Stored> {
        self.forget(key, now);
        self.find(key).map(|slot| self.take(slot, now))
    }

    /// Takes a record out: its lock goes, those who waited are woken, and what is an alias of it goes too.
    pub(crate) fn take(&mut self, slot: Slot, now: Timestamp) -> Stored {
        let alias = self.entries[slot].extra.as_ref().and_then(|extra| extra.alias);
        self.drop_aliases(alias, now);
        self.deadlines.remove(&mut self.entries, slot);
        self.unindex(slot);
        let last = Slot::try_from(self.entries.len() - 1).expect("a slot");
        if last != slot {
            // The last entry will get the number of this one.
            let key = self.entries[last].key;
            let number = self.index.find_mut(hash(&key), |&other| other == last);
            *number.expect("every entry is indexed") = slot;
        }
        let entry = self.entries.swap_remove(slot);
        if last != slot {
            self.deadlines.renumber(&self.entries, slot);
        }
        if let Some(extra) = entry.extra {
            self.wakes.wake_all(extra.queue);
        }
        self.freed += 1;
        Stored {
            key: entry.key,
            record: entry.record,
        }
    }

    /// Gives an entry another key, under which nothing is stored, and keeps its slot: a scan neither misses nor
    /// repeats it.
    pub(crate) fn rename(&mut self, slot: Slot, key: SessionKey) {
        self.unindex(slot);
        self.entries[slot].key = key;
        self.index_as(&key, slot);
    }

    /// Takes note of the deadline that an entry has now.
    pub(crate) fn note_deadline(&mut self, slot: Slot) {
        if self.deadlines.note(&mut self.entries, slot) {
            let deadline = self.entries[slot].record.meta.deadline;
            self.expect_at(deadline);
        }
    }

    /// Tells the sweeper, after this step, that something leaves at this moment.
    pub(crate) fn expect_at(&mut self, moment: Option<Timestamp>) {
        self.sooner = self.sooner.into_iter().chain(moment).min();
    }

    /// The first moment at which something leaves.
    pub(crate) fn next_end(&self) -> Option<Timestamp> {
        self.deadlines.next().into_iter().chain(self.moved.next()).min()
    }

    /// Removes what has been left at a key that has moved.
    pub(crate) fn forget(&mut self, key: &SessionKey, now: Timestamp) {
        let Some(moved) = self.moved.get(key) else { return };
        let target = moved.target;
        self.drop_aliases(moved.alias, now);
        self.moved.remove(key);
        let Some(target) = target else { return };
        if let Some(slot) = self.find(&target) {
            let entry = &mut self.entries[slot];
            if let Some(extra) = &mut entry.extra {
                extra.alias = None;
            }
            entry.tidy();
        } else if let Some(next) = self.moved.get_mut(&target) {
            next.alias = None;
        }
    }

    /// Removes what is an alias of something that is about to go, and the aliases of that. One that is a tombstone by
    /// now stays.
    ///
    /// What is about to go must still be there: which of them are tombstones may depend on when it ended.
    pub(crate) fn drop_aliases(&mut self, alias: Option<SessionKey>, now: Timestamp) {
        let (mut gone, mut next) = (Vec::new(), alias);
        while let Some(key) = next
            && let Some(moved) = self.moved.get(&key)
        {
            if moved.alias_until <= now && self.place(&key, now) == Lookup::Superseded {
                break;
            }
            gone.push(key);
            next = moved.alias;
        }
        if let Some(tombstone) = next.and_then(|key| self.moved.get_mut(&key)) {
            tombstone.target = None;
        }
        for key in gone {
            self.moved.remove(&key);
        }
    }

    fn index_as(&mut self, key: &SessionKey, slot: Slot) {
        let entries = &self.entries;
        self.index
            .insert_unique(hash(key), slot, |&other| hash(&entries[other].key));
    }

    fn unindex(&mut self, slot: Slot) {
        let key = self.entries[slot].key;
        let entry = self.index.find_entry(hash(&key), |&other| other == slot);
        entry.expect("every entry is indexed").remove();
        // Memory comes back as the index empties, but not so soon that the next to come makes it grow again.
        if self.index.len() * 4 + 16 < self.index.capacity() {
            let (entries, room) = (&self.entries, self.index.len() * 2);
            self.index.shrink_to(room, |&other| hash(&entries[other].key));
        }
    }
}
