//! [`Capacity`]: how many sessions there may be, and how many bytes they may take.

use std::ops::AddAssign;
use std::sync::atomic::{AtomicUsize, Ordering};

/// What a session is counted as besides its payload.
///
/// No less than it takes of the heap: its entry, its places in the index and in the order of deadlines with the room
/// that these keep to grow, and the count of those who share a payload that does not lie in the entry. One that does
/// takes nothing more, and counts all the same: what a session counts as has no steps.
pub(crate) const SESSION_BYTES: usize = 256;

/// What the mark that a rotation leaves is counted as: no less than it takes of the heap.
pub(crate) const MOVED_BYTES: usize = 320;

/// The size as which a record with a payload of this length is counted.
pub(crate) fn bytes_of(payload: usize) -> usize {
    SESSION_BYTES + payload
}

/// An amount of room.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Room {
    pub(crate) sessions: usize,
    pub(crate) bytes: usize,
}

impl Room {
    /// The size of a session with a payload of this length.
    pub(crate) fn of(payload: usize) -> Self {
        Self {
            sessions: 1,
            bytes: bytes_of(payload),
        }
    }

    pub(crate) fn of_bytes(bytes: usize) -> Self {
        Self { sessions: 0, bytes }
    }
}

impl AddAssign for Room {
    fn add_assign(&mut self, other: Self) {
        self.sessions += other.sessions;
        self.bytes += other.bytes;
    }
}

/// The limits to what is in all shards together, and how much of each is used.
#[derive(Debug)]
pub(crate) struct Capacity {
    sessions: Limit,
    bytes: Limit,
}

impl Capacity {
    pub(crate) fn new(sessions: Option<usize>, bytes: Option<usize>) -> Self {
        Self {
            sessions: Limit::new(sessions),
            bytes: Limit::new(bytes),
        }
    }

    /// Takes this room, all of it or none.
    pub(crate) fn reserve(&self, room: Room) -> bool {
        if !self.sessions.reserve(room.sessions) {
            return false;
        }
        let reserved = self.bytes.reserve(room.bytes);
        if !reserved {
            self.sessions.give_back(room.sessions);
        }
        reserved
    }

    pub(crate) fn give_back(&self, room: Room) {
        self.sessions.give_back(room.sessions);
        self.bytes.give_back(room.bytes);
    }
}

/// A number that must not become too large. Without a maximum nothing is counted: the count would be the one thing
/// that all shards write to. It has a line of the cache to itself, as those who count nothing read what is beside it.
#[derive(Debug)]
#[repr(align(64))]
struct Limit {
    max: Option<usize>,
    used: AtomicUsize,
}

impl Limit {
    fn new(max: Option<usize>) -> Self {
        Self {
            max,
            used: AtomicUsize::new(0),
        }
    }

    fn reserve(&self, amount: usize) -> bool {
        let Some(max) = self.max.filter(|_| amount > 0) else {
            return true;
        };
        let take = |used: usize| used.checked_add(amount).filter(|used| *used <= max);
        self.used
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, take)
            .is_ok()
    }

    fn give_back(&self, amount: usize) {
        if self.max.is_some() && amount > 0 {
            self.used.fetch_sub(amount, Ordering::Relaxed);
        }
    }
}
