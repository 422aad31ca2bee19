//! [`Slab`]: the entries of a shard, without gaps.

use std::ops::{Index, IndexMut};

use crate::entry::Entry;

/// The number of entries in a chunk.
///
/// A single growing `Vec` would be up to half empty, and would copy every session of the shard when it grows. With much
/// smaller chunks, the list of them would no longer stay in the cache.
const CHUNK: usize = 128;

/// The number of entries by which a chunk grows once it has as many: the spare capacity is less than this.
///
/// Growing a chunk copies its entries. So it grows less often if there are [many](MANY) chunks, beside which the spare
/// capacity is small.
const STEPS: (usize, usize) = (32, 64);

/// The number of chunks from which on they are many.
const MANY: usize = 4;

/// The spare capacity of an empty shard.
const SPARE: usize = 1;

/// The position of an entry in its shard. It can change when another entry is removed. No entry has `Slot::MAX`.
pub(crate) type Slot = u32;

/// Entries in slots from zero up, without gaps: the last entry moves to the slot of one that is removed.
#[derive(Default)]
pub(crate) struct Slab {
    chunks: Vec<Vec<Entry>>,
    len: usize,
}

impl Slab {
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Entry> {
        self.chunks.iter().flatten()
    }

    pub(crate) fn push(&mut self, entry: Entry) -> Slot {
        let slot = self.len;
        if slot / CHUNK == self.chunks.len() {
            // Many shards stay small, so the first chunk does not begin with a whole step.
            let capacity = if slot == 0 { SPARE } else { self.step() };
            self.chunks.push(Vec::with_capacity(capacity));
        }
        let step = self.step();
        let chunk = &mut self.chunks[slot / CHUNK];
        if chunk.len() == chunk.capacity() {
            chunk.reserve_exact(chunk.len().clamp(1, step));
        }
        chunk.push(entry);
        self.len += 1;
        let number = Slot::try_from(slot).ok().filter(|&slot| slot != Slot::MAX);
        number.expect("a shard holds less than 2^32 - 1 sessions")
    }

    /// Returns by how many entries the last chunk grows.
    fn step(&self) -> usize {
        let (few, many) = STEPS;
        if self.chunks.len() < MANY { few } else { many }
    }

    /// Removes an entry, and moves the last entry to its slot.
    pub(crate) fn swap_remove(&mut self, slot: Slot) -> Entry {
        self.len -= 1;
        let last = self.chunks[self.len / CHUNK].pop().expect("the slab has no gaps");
        let removed = if slot as usize == self.len {
            last
        } else {
            std::mem::replace(&mut self[slot], last)
        };
        self.shrink();
        removed
    }

    /// Frees the last chunk once it is empty and the one before it is half empty, so that removing and adding by turns
    /// does not allocate each time.
    fn shrink(&mut self) {
        let used = self.len.div_ceil(CHUNK).max(1);
        if self.chunks.len() > used && used * CHUNK - self.len >= CHUNK / 2 {
            self.chunks.truncate(used);
            if self.chunks.len() * 4 < self.chunks.capacity() {
                self.chunks.shrink_to(self.chunks.len() * 2);
            }
        }
        if self.len == 0 {
            self.chunks[0].shrink_to(SPARE);
        }
    }
}

impl Index<Slot> for Slab {
    type Output = Entry;

    #[inline]
    fn index(&self, slot: Slot) -> &Entry {
        &self.chunks[slot as usize / CHUNK][slot as usize % CHUNK]
    }
}

impl IndexMut<Slot> for Slab {
    #[inline]
    fn index_mut(&mut self, slot: Slot) -> &mut Entry {
        &mut self.chunks[slot as usize / CHUNK][slot as usize % CHUNK]
    }
}
