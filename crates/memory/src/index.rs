//! [`Index`]: where the entry of a key is.

use hashbrown::HashTable;
use hashbrown::hash_table::{Entry as Found, VacantEntry};
use sessile_core::SessionKey;

use crate::slab::{Slab, Slot};

/// The slots of a shard's entries, by key.
///
/// Beside each slot lie 32 bits of the key's digest. They tell other keys apart, and are all that it takes to find a
/// place anew when the table grows: entries, which are a way to memory each, are not looked at for either.
#[derive(Default)]
pub(crate) struct Index(HashTable<Place>);

#[derive(Debug)]
struct Place {
    tag: Tag,
    slot: Slot,
}

/// A part of a key's digest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Tag(u32);

impl Tag {
    fn of(key: &SessionKey) -> Self {
        let first = key.digest().first_chunk().expect("a digest is longer than four bytes");
        Self(u32::from_le_bytes(*first))
    }

    /// The table takes the place from the lower bits, and a few more to compare by from the upper ones.
    fn hash(self) -> u64 {
        u64::from(self.0) << 32 | u64::from(self.0)
    }
}

/// Where a key that is not in the index would stand.
pub(crate) struct Vacancy<'a> {
    tag: Tag,
    place: VacantEntry<'a, Place>,
}

impl Vacancy<'_> {
    /// Puts the key in.
    pub(crate) fn fill(self, slot: Slot) {
        self.place.insert(Place { tag: self.tag, slot });
    }
}

impl Index {
    pub(crate) fn find(&self, key: &SessionKey, entries: &Slab) -> Option<Slot> {
        let tag = Tag::of(key);
        let is_it = |place: &Place| place.tag == tag && entries[place.slot].key == *key;
        self.0.find(tag.hash(), is_it).map(|place| place.slot)
    }

    /// Where a new key would stand, or in which slot it is.
    pub(crate) fn vacancy(&mut self, key: &SessionKey, entries: &Slab) -> Result<Vacancy<'_>, Slot> {
        let tag = Tag::of(key);
        let is_it = |place: &Place| place.tag == tag && entries[place.slot].key == *key;
        match self.0.entry(tag.hash(), is_it, |place| place.tag.hash()) {
            Found::Occupied(place) => Err(place.get().slot),
            Found::Vacant(place) => Ok(Vacancy { tag, place }),
        }
    }

    /// Puts in a key that is not there.
    pub(crate) fn insert(&mut self, key: &SessionKey, slot: Slot) {
        let tag = Tag::of(key);
        self.0
            .insert_unique(tag.hash(), Place { tag, slot }, |place| place.tag.hash());
    }

    pub(crate) fn remove(&mut self, key: &SessionKey, slot: Slot) {
        let place = self.0.find_entry(Tag::of(key).hash(), |place| place.slot == slot);
        place.expect("every entry is indexed").remove();
        // Memory comes back as the index empties, but not so soon that the next to come makes it grow again.
        if self.0.len() * 4 + 16 < self.0.capacity() {
            let room = self.0.len() * 2;
            self.0.shrink_to(room, |place| place.tag.hash());
        }
    }

    /// Follows an entry that gets another slot.
    pub(crate) fn renumber(&mut self, key: &SessionKey, from: Slot, to: Slot) {
        let place = self.0.find_mut(Tag::of(key).hash(), |place| place.slot == from);
        place.expect("every entry is indexed").slot = to;
    }
}
