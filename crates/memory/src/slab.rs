//! [`Slab`]: the entries of a shard, without holes.

use std::ops::{Index, IndexMut};

use crate::entry::Entry;

/// How many entries lie together.
///
/// A single growing `Vec` would be up to half empty, and would copy every session of the shard when it grows. With
/// chunks that are much smaller, the list of them would no longer stay in the cache.
const CHUNK: usize = 128;

/// By how many entries a chunk grows, once there are as many: what is kept for those to come is less than this.
///
/// The entries of a chunk are copied when it grows. So it grows less often where there are [many](MANY), and the room
/// that is kept is little beside them.
const STEPS: (usize, usize) = (32, 64);

/// How many chunks are many.
const MANY: usize = 4;

/// For how many entries there is room kept in a shard that is empty.
const KEPT: usize = 1;

/// The number of an entry in its shard. It changes when entries are removed. No entry has the last one, `Slot::MAX`.
pub(crate) type Slot = u32;

/// Entries numbered from zero, without gaps: the last one fills the place of one that is removed.
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
            // Many shards stay small, so the first does not begin with a whole step.
            let room = if slot == 0 { KEPT } else { self.step() };
            self.chunks.push(Vec::with_capacity(room));
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

    /// By how much the last chunk grows.
    fn step(&self) -> usize {
        let (few, many) = STEPS;
        if self.chunks.len() < MANY { few } else { many }
    }

    /// Removes an entry. The last one, if it is another, gets its number.
    pub(crate) fn swap_remove(&mut self, slot: Slot) -> Entry {
        self.len -= 1;
        let last = self.chunks[self.len / CHUNK].pop().expect("the slab has no gaps");
        let removed = if slot as usize == self.len {
            last
        } else {
            std::mem::replace(&mut self[slot], last)
        };
        self.give_back();
        removed
    }

    /// Frees the chunk at the end once it is empty and the one before it has room to spare, so that removing and
    /// adding in turn does not allocate each time.
    fn give_back(&mut self) {
        let used = self.len.div_ceil(CHUNK).max(1);
        if self.chunks.len() > used && used * CHUNK - self.len >= CHUNK / 2 {
            self.chunks.truncate(used);
            if self.chunks.len() * 4 < self.chunks.capacity() {
                self.chunks.shrink_to(self.chunks.len() * 2);
            }
        }
        if self.len == 0 {
            self.chunks[0].shrink_to(KEPT);
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
