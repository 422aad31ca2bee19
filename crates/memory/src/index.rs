//! [`Index`]: where the entry of a key is.

use sessile_core::SessionKey;

use crate::slab::{Slab, Slot};

/// How full the index becomes at most: four places of five are taken then, and who is looked for is found at the third
/// on average. As eight places lie in a line of the cache, that is one way to memory, seldom two.
const FULL: (usize, usize) = (4, 5);

/// The number of places that room is made for at first.
const FIRST: usize = 8;

/// The slots of a shard's entries, by key: a table with linear probing (Knuth, The Art of Computer Programming, volume
/// 3, section 6.4, algorithms L and R).
///
/// Beside each slot lie 32 bits of the key's digest. They say where a place belongs and tell other keys apart, and they
/// are all that it takes to find a place anew when the table grows: entries, which are a way to memory each, are not
/// looked at for either. Places are in the order of these bits but for those that had to give way. So a table of any
/// size can be filled from another from its beginning to its end.
#[derive(Default)]
pub(crate) struct Index {
    places: Vec<Place>,
    len: usize,
}

#[derive(Debug, Clone, Copy)]
struct Place {
    tag: Tag,
    slot: Slot,
}

impl Place {
    /// One where nobody stands. No entry has this slot.
    const FREE: Self = Self {
        tag: Tag(0),
        slot: Slot::MAX,
    };

    fn is_free(self) -> bool {
        self.slot == Slot::MAX
    }
}

/// A part of a key's digest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Tag(u32);

impl Tag {
    fn of(key: &SessionKey) -> Self {
        let first = key.digest().first_chunk().expect("a digest is longer than four bytes");
        Self(u32::from_be_bytes(*first))
    }

    /// Where this belongs in a table of so many places: as far from its beginning as the tag is among all tags.
    fn home(self, places: usize) -> usize {
        ((u64::from(self.0) * places as u64) >> 32) as usize
    }
}

/// Where a key that is not in the index would stand.
pub(crate) struct Vacancy<'a> {
    tag: Tag,
    place: &'a mut Place,
    len: &'a mut usize,
}

impl Vacancy<'_> {
    /// Puts the key in.
    pub(crate) fn fill(self, slot: Slot) {
        *self.place = Place { tag: self.tag, slot };
        *self.len += 1;
    }
}

impl Index {
    #[inline]
    pub(crate) fn find(&self, key: &SessionKey, entries: &Slab) -> Option<Slot> {
        if self.places.is_empty() {
            return None;
        }
        let position = self.search(Tag::of(key), |slot| entries[slot].key == *key);
        Some(self.places[position].slot).filter(|&slot| slot != Slot::MAX)
    }

    /// Where a new key would stand, or in which slot it is.
    pub(crate) fn vacancy(&mut self, key: &SessionKey, entries: &Slab) -> Result<Vacancy<'_>, Slot> {
        self.make_room();
        let tag = Tag::of(key);
        let position = self.search(tag, |slot| entries[slot].key == *key);
        let place = &mut self.places[position];
        if !place.is_free() {
            return Err(place.slot);
        }
        Ok(Vacancy {
            tag,
            place,
            len: &mut self.len,
        })
    }

    /// Puts in a key that is not there.
    pub(crate) fn insert(&mut self, key: &SessionKey, slot: Slot) {
        self.make_room();
        let tag = Tag::of(key);
        let position = self.search(tag, |_| false);
        self.places[position] = Place { tag, slot };
        self.len += 1;
    }

    pub(crate) fn remove(&mut self, key: &SessionKey, slot: Slot) {
        let position = self.position(key, slot);
        self.vacate(position);
        self.len -= 1;
        // Memory comes back as the index empties, but not so soon that the next to come makes it grow again.
        if self.len * 4 + 2 * FIRST < self.places.len() {
            self.rebuild(self.len * 2);
        }
    }

    /// Follows an entry that gets another slot.
    pub(crate) fn renumber(&mut self, key: &SessionKey, from: Slot, to: Slot) {
        let position = self.position(key, from);
        self.places[position].slot = to;
    }

    /// The place of a key whose slot is known.
    fn position(&self, key: &SessionKey, slot: Slot) -> usize {
        let position = self.search(Tag::of(key), |found| found == slot);
        assert!(!self.places[position].is_free(), "every entry is indexed");
        position
    }

    /// The place with this tag whose slot it is, or else the one that is free for it. There is always one that is free.
    #[inline]
    fn search(&self, tag: Tag, is_it: impl Fn(Slot) -> bool) -> usize {
        let mut position = tag.home(self.places.len());
        loop {
            let place = self.places[position];
            if place.is_free() || (place.tag == tag && is_it(place.slot)) {
                return position;
            }
            position = self.after(position);
        }
    }

    fn after(&self, position: usize) -> usize {
        if position + 1 == self.places.len() {
            0
        } else {
            position + 1
        }
    }

    /// Frees a place. Those that had given way move up, so that nothing free lies before any of them.
    fn vacate(&mut self, mut free: usize) {
        let places = self.places.len();
        let distance = |from: usize, to: usize| if to < from { to + places - from } else { to - from };
        let mut position = self.after(free);
        while !self.places[position].is_free() {
            let home = self.places[position].tag.home(places);
            if distance(home, position) >= distance(free, position) {
                self.places[free] = self.places[position];
                free = position;
            }
            position = self.after(position);
        }
        self.places[free] = Place::FREE;
    }

    fn make_room(&mut self) {
        let (part, whole) = FULL;
        if (self.len + 1) * whole > self.places.len() * part {
            // By a half: doubling would leave more than half of it unused.
            self.rebuild((self.places.len() + self.places.len() / 2).max(FIRST));
        }
    }

    #[cold]
    fn rebuild(&mut self, places: usize) {
        let before = std::mem::replace(&mut self.places, vec![Place::FREE; places]);
        for place in before.into_iter().filter(|place| !place.is_free()) {
            let position = self.search(place.tag, |_| false);
            self.places[position] = place;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use sessile_core::{Meta, Record, Timestamp};

    use super::*;
    use crate::entry::Entry;

    /// A key whose tag is one of few at either end: many are equal, and clusters reach over the end of the table.
    fn key(number: u8) -> SessionKey {
        let tag = if number.is_multiple_of(2) { 0xffff_ff00 } else { 0 } | u32::from(number / 8);
        let text = format!("abc:{tag:08x}{number:056x}");
        text.parse().expect("a shard and 64 digits")
    }

    fn entry(key: SessionKey) -> Entry {
        Entry::new(key, &mut Record::new(Meta::new(Timestamp::MIN), ""))
    }

    proptest! {
        #[test]
        fn it_finds_what_was_put_in_and_not_taken_out(steps in prop::collection::vec(any::<(u8, bool)>(), 0..600)) {
            let (mut index, mut entries) = (Index::default(), Slab::default());
            for (number, is_insertion) in steps {
                let found = index.find(&key(number), &entries);
                match (found, is_insertion) {
                    (None, true) => {
                        let vacancy = index.vacancy(&key(number), &entries).expect("it is not there");
                        vacancy.fill(entries.push(entry(key(number))));
                    }
                    (Some(slot), true) => prop_assert_eq!(index.vacancy(&key(number), &entries).err(), Some(slot)),
                    (Some(slot), false) => {
                        index.remove(&key(number), slot);
                        let last = Slot::try_from(entries.len() - 1).expect("a slot");
                        if last != slot {
                            index.renumber(&entries[last].key, last, slot);
                        }
                        entries.swap_remove(slot);
                    }
                    (None, false) => {}
                }
                prop_assert_eq!(index.len, entries.len());
                prop_assert!(index.places.len() <= 4 * index.len + 2 * FIRST, "{} places", index.places.len());
                for (slot, entry) in (0..).zip(entries.iter()) {
                    prop_assert_eq!(index.find(&entry.key, &entries), Some(slot));
                }
            }
        }
    }
}
