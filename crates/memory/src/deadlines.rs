//! [`Deadlines`]: a heap of the deadlines of a shard.

use sessile_core::Timestamp;

use crate::entry::NO_POSITION;
use crate::slab::{Slab, Slot};

/// The number of children of a node. With four the heap is half as deep as with two, and they share a cache line.
const ARITY: usize = 4;

/// The number of nodes, at least, by which the heap grows.
const SPARE: usize = 8;

/// A min-heap whose nodes refer to their entries and whose entries refer to their nodes.
///
/// A node is never later than the deadline of its entry, but it may be earlier: a deadline that moves on, as most do
/// with every visit, leaves its node where it is. The node is corrected when its time comes.
#[derive(Default)]
pub(crate) struct Deadlines {
    nodes: Vec<Node>,
}

/// A time and the slot of an entry, in twelve bytes: every session has a node.
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
    /// Returns a time before which no record of the shard expires.
    pub(crate) fn earliest(&self) -> Option<Timestamp> {
        self.nodes.first().map(|node| node.at())
    }

    /// Finds an entry whose deadline has come. Looks at no more than `budget` nodes.
    pub(crate) fn due(&mut self, entries: &mut Slab, now: Timestamp, budget: &mut usize) -> Option<Slot> {
        while let Some(&node) = self.nodes.first()
            && node.at() <= now
            && *budget > 0
        {
            *budget -= 1;
            match entries[node.slot].meta.deadline {
                Some(deadline) if deadline > now => {
                    self.nodes[0] = Node::new(deadline, node.slot);
                    self.sift_down(entries, 0);
                }
                _ => return Some(node.slot),
            }
        }
        None
    }

    /// Updates the heap after the deadline of an entry has changed from `before`. Returns whether its node is earlier
    /// now.
    pub(crate) fn update(&mut self, entries: &mut Slab, slot: Slot, before: Option<Timestamp>) -> bool {
        let entry = &entries[slot];
        let position = entry.position;
        match entry.meta.deadline {
            // The node is early enough already. It is not even read: that could miss the cache.
            Some(at) if before.is_some_and(|before| before <= at) => false,
            None => {
                self.remove(entries, slot);
                false
            }
            Some(at) if position == NO_POSITION => {
                let position = self.nodes.len();
                if position == self.nodes.capacity() {
                    // By a quarter: doubling could leave half of it unused.
                    self.nodes.reserve_exact(position / 4 + SPARE);
                }
                self.nodes.push(Node::new(at, slot));
                self.sift_up(entries, position);
                true
            }
            Some(at) => {
                let position = position as usize;
                let earlier = at < self.nodes[position].at();
                if earlier {
                    self.nodes[position] = Node::new(at, slot);
                    self.sift_up(entries, position);
                }
                earlier
            }
        }
    }

    /// Removes the node of an entry, if it has one.
    pub(crate) fn remove(&mut self, entries: &mut Slab, slot: Slot) {
        let position = std::mem::replace(&mut entries[slot].position, NO_POSITION);
        if position == NO_POSITION {
            return;
        }
        let position = position as usize;
        self.nodes.swap_remove(position);
        if position < self.nodes.len() {
            self.sift_up(entries, position);
            let position = entries[self.nodes[position].slot].position as usize;
            self.sift_down(entries, position);
        }
        if self.nodes.len() * 2 + SPARE < self.nodes.capacity() {
            self.nodes.shrink_to(self.nodes.len() + self.nodes.len() / 4 + SPARE);
        }
    }

    /// Updates the node of an entry that was moved to this slot.
    pub(crate) fn relocate(&mut self, entries: &Slab, slot: Slot) {
        let position = entries[slot].position;
        if position != NO_POSITION {
            self.nodes[position as usize].slot = slot;
        }
    }

    fn sift_up(&mut self, entries: &mut Slab, mut position: usize) {
        let node = self.nodes[position];
        while position > 0 {
            let parent = (position - 1) / ARITY;
            if self.nodes[parent].at <= node.at {
                break;
            }
            self.put(entries, position, self.nodes[parent]);
            position = parent;
        }
        self.put(entries, position, node);
    }

    fn sift_down(&mut self, entries: &mut Slab, mut position: usize) {
        let node = self.nodes[position];
        loop {
            let first = position * ARITY + 1;
            let children = first..(first + ARITY).min(self.nodes.len());
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
