//! [`Deadlines`]: which record expires next.

use sessile_core::Timestamp;

use crate::slab::{Slab, Slot};

/// The position of an entry that has no deadline.
pub(crate) const NOWHERE: u32 = u32::MAX;

/// How many children a node has. Four make the heap half as deep as two, and lie in one line of the cache.
const FAN: usize = 4;

/// For how many nodes, at least, there is room made at a time.
const ROOM: usize = 8;

/// The deadlines of a shard, as a heap whose nodes know their entries and whose entries know their nodes.
///
/// A node never stands for a later moment than the deadline of its entry, but it may stand for an earlier one: a
/// deadline that slides on, as most do with every visit, leaves its node where it is. The node is put right when its
/// moment comes.
#[derive(Default)]
pub(crate) struct Deadlines {
    nodes: Vec<Node>,
}

/// A moment and the entry it is about, in twelve bytes: every session has one.
#[derive(Clone, Copy)]
struct Node {
    at: [u32; 2],
    slot: Slot,
}

impl Node {
    fn new(at: Timestamp, slot: Slot) -> Self {
        let millis = at.as_millis();
        #[expect(clippy::cast_possible_truncation, reason = "it is cut in two")]
        let at = [(millis >> 32) as u32, millis as u32];
        Self { at, slot }
    }

    fn at(self) -> Timestamp {
        let [high, low] = self.at;
        Timestamp::from_millis(u64::from(high) << 32 | u64::from(low))
    }
}

impl Deadlines {
    /// The moment before which no record of the shard expires.
    pub(crate) fn next(&self) -> Option<Timestamp> {
        self.nodes.first().map(|node| node.at())
    }

    /// An entry whose deadline has come, if there is one. Looks at no more than `budget` nodes.
    pub(crate) fn due(&mut self, entries: &mut Slab, now: Timestamp, budget: &mut usize) -> Option<Slot> {
        while let Some(&node) = self.nodes.first()
            && node.at() <= now
            && *budget > 0
        {
            *budget -= 1;
            match entries[node.slot].meta.deadline {
                Some(deadline) if deadline > now => {
                    self.nodes[0] = Node::new(deadline, node.slot);
                    self.sink(entries, 0);
                }
                _ => return Some(node.slot),
            }
        }
        None
    }

    /// Takes note of the deadline that the entry has now, where it had another `before`. Returns whether it comes
    /// earlier than was known.
    pub(crate) fn note(&mut self, entries: &mut Slab, slot: Slot, before: Option<Timestamp>) -> bool {
        let entry = &entries[slot];
        let position = entry.position;
        match entry.meta.deadline {
            // Its node stands for no later moment than before. It is not even looked at: that would be a way to memory.
            Some(at) if before.is_some_and(|before| before <= at) => false,
            None => {
                self.remove(entries, slot);
                false
            }
            Some(at) if position == NOWHERE => {
                let position = self.nodes.len();
                if position == self.nodes.capacity() {
                    // By a quarter: doubling would leave half of it unused at worst.
                    self.nodes.reserve_exact(position / 4 + ROOM);
                }
                self.nodes.push(Node::new(at, slot));
                self.rise(entries, position);
                true
            }
            Some(at) => {
                let position = position as usize;
                let earlier = at < self.nodes[position].at();
                if earlier {
                    self.nodes[position] = Node::new(at, slot);
                    self.rise(entries, position);
                }
                earlier
            }
        }
    }

    /// Forgets the deadline of an entry.
    pub(crate) fn remove(&mut self, entries: &mut Slab, slot: Slot) {
        let position = std::mem::replace(&mut entries[slot].position, NOWHERE);
        if position == NOWHERE {
            return;
        }
        let position = position as usize;
        self.nodes.swap_remove(position);
        if position < self.nodes.len() {
            self.rise(entries, position);
            let position = entries[self.nodes[position].slot].position as usize;
            self.sink(entries, position);
        }
        if self.nodes.len() * 2 + ROOM < self.nodes.capacity() {
            self.nodes.shrink_to(self.nodes.len() + self.nodes.len() / 4 + ROOM);
        }
    }

    /// Follows an entry that has got another number.
    pub(crate) fn renumber(&mut self, entries: &Slab, slot: Slot) {
        let position = entries[slot].position;
        if position != NOWHERE {
            self.nodes[position as usize].slot = slot;
        }
    }

    fn rise(&mut self, entries: &mut Slab, mut position: usize) {
        let node = self.nodes[position];
        while position > 0 {
            let parent = (position - 1) / FAN;
            if self.nodes[parent].at <= node.at {
                break;
            }
            self.put(entries, position, self.nodes[parent]);
            position = parent;
        }
        self.put(entries, position, node);
    }

    fn sink(&mut self, entries: &mut Slab, mut position: usize) {
        let node = self.nodes[position];
        loop {
            let first = position * FAN + 1;
            let children = first..(first + FAN).min(self.nodes.len());
            let Some(least) = children.min_by_key(|&child| self.nodes[child].at) else {
                break;
            };
            if node.at <= self.nodes[least].at {
                break;
            }
            self.put(entries, position, self.nodes[least]);
            position = least;
        }
        self.put(entries, position, node);
    }

    fn put(&mut self, entries: &mut Slab, position: usize, node: Node) {
        self.nodes[position] = node;
        entries[node.slot].position = u32::try_from(position).expect("no more nodes than entries");
    }
}
