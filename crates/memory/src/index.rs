//! [`Index`]: a hash table from keys to slots.

use sessile_core::SessionKey;

use crate::slab::{Slab, Slot};

/// The maximum load: four buckets of five. A search then looks at three buckets on average. As a cache line holds
/// eight, it costs one cache miss, seldom two.
const MAX_LOAD: (usize, usize) = (4, 5);

/// The initial number of buckets.
const INITIAL: usize = 8;

/// The slots of a shard's entries, by key: a hash table with linear probing (Knuth, The Art of Computer Programming,
/// volume 3, section 6.4, algorithms L and R).
///
/// Each bucket holds a slot and a tag, which is 32 bits of the key's digest. The tag decides the home of a bucket and
/// tells other keys apart, and it is all that resizing needs: neither reads entries, which would be a cache miss each.
/// Buckets are in the order of their tags, except for those that were displaced. So a table of any size is filled from
/// another in one pass from its beginning to its end.
#[derive(Default)]
pub(crate) struct Index {
    buckets: Vec<Bucket>,
    len: usize,
}

#[derive(Debug, Clone, Copy)]
struct Bucket {
    tag: Tag,
    slot: Slot,
}

impl Bucket {
    /// A bucket without an entry: no entry has this slot.
    const FREE: Self = Self {
        tag: Tag(0),
        slot: Slot::MAX,
    };

    fn is_free(self) -> bool {
        self.slot == Slot::MAX
    }
}

/// The first 32 bits of a key's digest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Tag(u32);

impl Tag {
    fn of(key: &SessionKey) -> Self {
        let first = key.digest().first_chunk().expect("a digest is longer than four bytes");
        Self(u32::from_be_bytes(*first))
    }

    /// Returns the bucket at which a search for this tag begins. It divides the table as the tag divides all tags.
    fn home(self, buckets: usize) -> usize {
        ((u64::from(self.0) * buckets as u64) >> 32) as usize
    }
}

/// The free bucket of a key that is not in the index.
pub(crate) struct VacantBucket<'a> {
    tag: Tag,
    bucket: &'a mut Bucket,
    len: &'a mut usize,
}

impl VacantBucket<'_> {
    /// Inserts the key.
    pub(crate) fn insert(self, slot: Slot) {
        *self.bucket = Bucket { tag: self.tag, slot };
        *self.len += 1;
    }
}

impl Index {
    #[inline]
    pub(crate) fn find(&self, key: &SessionKey, entries: &Slab) -> Option<Slot> {
        if self.buckets.is_empty() {
            return None;
        }
        let position = self.probe(Tag::of(key), |slot| entries[slot].key == *key);
        Some(self.buckets[position].slot).filter(|&slot| slot != Slot::MAX)
    }

    /// Finds the free bucket for a new key. Fails with the slot of the key if it is in the index.
    pub(crate) fn vacant(&mut self, key: &SessionKey, entries: &Slab) -> Result<VacantBucket<'_>, Slot> {
        self.grow_if_full();
        let tag = Tag::of(key);
        let position = self.probe(tag, |slot| entries[slot].key == *key);
        let bucket = &mut self.buckets[position];
        if !bucket.is_free() {
            return Err(bucket.slot);
        }
        Ok(VacantBucket {
            tag,
            bucket,
            len: &mut self.len,
        })
    }

    /// Inserts a key that is not in the index.
    pub(crate) fn insert(&mut self, key: &SessionKey, slot: Slot) {
        self.grow_if_full();
        let tag = Tag::of(key);
        let position = self.probe(tag, |_| false);
        self.buckets[position] = Bucket { tag, slot };
        self.len += 1;
    }

    pub(crate) fn remove(&mut self, key: &SessionKey, slot: Slot) {
        let position = self.position(key, slot);
        self.free(position);
        self.len -= 1;
        // Shrinks as the index empties, but not so early that the next insertion makes it grow again.
        if self.len * 4 + 2 * INITIAL < self.buckets.len() {
            self.resize(self.len * 2);
        }
    }

    /// Updates the slot of an entry that is moved.
    pub(crate) fn relocate(&mut self, key: &SessionKey, from: Slot, to: Slot) {
        let position = self.position(key, from);
        self.buckets[position].slot = to;
    }

    /// Returns the bucket of a key whose slot is known.
    fn position(&self, key: &SessionKey, slot: Slot) -> usize {
        let position = self.probe(Tag::of(key), |found| found == slot);
        assert!(!self.buckets[position].is_free(), "every entry is indexed");
        position
    }

    /// Returns the bucket with this tag whose slot matches, or else the free bucket for it. One is always free.
    #[inline]
    fn probe(&self, tag: Tag, matches: impl Fn(Slot) -> bool) -> usize {
        let mut position = tag.home(self.buckets.len());
        loop {
            let bucket = self.buckets[position];
            if bucket.is_free() || (bucket.tag == tag && matches(bucket.slot)) {
                return position;
            }
            position = self.next(position);
        }
    }

    fn next(&self, position: usize) -> usize {
        if position + 1 == self.buckets.len() {
            0
        } else {
            position + 1
        }
    }

    /// Frees a bucket. Displaced buckets behind it move up, so that no free bucket lies between any of them and its
    /// home.
    fn free(&mut self, mut free: usize) {
        let buckets = self.buckets.len();
        let distance = |from: usize, to: usize| if to < from { to + buckets - from } else { to - from };
        let mut position = self.next(free);
        while !self.buckets[position].is_free() {
            let home = self.buckets[position].tag.home(buckets);
            if distance(home, position) >= distance(free, position) {
                self.buckets[free] = self.buckets[position];
                free = position;
            }
            position = self.next(position);
        }
        self.buckets[free] = Bucket::FREE;
    }

    fn grow_if_full(&mut self) {
        let (part, whole) = MAX_LOAD;
        if (self.len + 1) * whole > self.buckets.len() * part {
            // By a half: doubling would leave more than half of it unused.
            self.resize((self.buckets.len() + self.buckets.len() / 2).max(INITIAL));
        }
    }

    #[cold]
    fn resize(&mut self, buckets: usize) {
        let before = std::mem::replace(&mut self.buckets, vec![Bucket::FREE; buckets]);
        for bucket in before.into_iter().filter(|bucket| !bucket.is_free()) {
            let position = self.probe(bucket.tag, |_| false);
            self.buckets[position] = bucket;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use sessile_core::{Meta, Record, Timestamp};

    use super::*;
    use crate::entry::Entry;

    /// Returns a key whose tag is one of few at either end: many are equal, and clusters wrap around the table's end.
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
        fn it_finds_inserted_keys_until_they_are_removed(steps in prop::collection::vec(any::<(u8, bool)>(), 0..600)) {
            let (mut index, mut entries) = (Index::default(), Slab::default());
            for (number, is_insertion) in steps {
                let found = index.find(&key(number), &entries);
                match (found, is_insertion) {
                    (None, true) => {
                        let vacant = index.vacant(&key(number), &entries).expect("it is not there");
                        vacant.insert(entries.push(entry(key(number))));
                    }
                    (Some(slot), true) => prop_assert_eq!(index.vacant(&key(number), &entries).err(), Some(slot)),
                    (Some(slot), false) => {
                        index.remove(&key(number), slot);
                        let last = Slot::try_from(entries.len() - 1).expect("a slot");
                        if last != slot {
                            index.relocate(&entries[last].key, last, slot);
                        }
                        entries.swap_remove(slot);
                    }
                    (None, false) => {}
                }
                prop_assert_eq!(index.len, entries.len());
                prop_assert!(index.buckets.len() <= 4 * index.len + 2 * INITIAL, "{} buckets", index.buckets.len());
                for (slot, entry) in (0..).zip(entries.iter()) {
                    prop_assert_eq!(index.find(&entry.key, &entries), Some(slot));
                }
            }
        }
    }
}
