//! [`Capacity`]: the limits to the number of sessions and to the bytes they take.

use std::ops::AddAssign;
use std::sync::atomic::{AtomicUsize, Ordering};

use sessile_core::Facts;

/// The bytes that a session counts as besides its payload and its facts.
///
/// It is no less than the heap that a session takes: its entry, its shares of the index and of the heap of deadlines
/// with their spare room, and the reference count of a payload outside the entry. A payload inside the entry takes
/// nothing more, and counts all the same: so the size of a session has no steps.
pub(crate) const SESSION_BYTES: usize = 256;

/// The bytes that an alias or a tombstone counts as: no less than the heap that it takes.
pub(crate) const MOVED_BYTES: usize = 320;

/// The bytes that facts count as besides their length: no less than what their reference count and their place take.
pub(crate) const FACTS_BYTES: usize = 32;

/// Returns the bytes that a record counts as beyond [`SESSION_BYTES`]: its payload and its facts.
#[inline]
pub(crate) fn contents(facts: &Facts, payload: usize) -> usize {
    if facts.is_empty() {
        return payload;
    }
    FACTS_BYTES + facts.as_bytes().len() + payload
}

/// A number of sessions and a number of bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Size {
    pub(crate) sessions: usize,
    pub(crate) bytes: usize,
}

impl Size {
    /// Returns the size of one session with these [`contents`].
    pub(crate) fn of_session(contents: usize) -> Self {
        Self {
            sessions: 1,
            bytes: SESSION_BYTES + contents,
        }
    }

    pub(crate) fn of_bytes(bytes: usize) -> Self {
        Self { sessions: 0, bytes }
    }
}

impl AddAssign for Size {
    fn add_assign(&mut self, other: Self) {
        self.sessions += other.sessions;
        self.bytes += other.bytes;
    }
}

/// The limits of a storage and how much of each is used, over all shards.
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

    /// Reserves the whole size, or returns `false` and reserves nothing.
    pub(crate) fn reserve(&self, size: Size) -> bool {
        if !self.sessions.reserve(size.sessions) {
            return false;
        }
        let reserved = self.bytes.reserve(size.bytes);
        if !reserved {
            self.sessions.free(size.sessions);
        }
        reserved
    }

    pub(crate) fn free(&self, size: Size) {
        self.sessions.free(size.sessions);
        self.bytes.free(size.bytes);
    }
}

/// A counter with a maximum.
///
/// Without a maximum nothing is counted: the counter would be the one thing that all shards write to. It has a cache
/// line to itself, so that its writers do not slow down the readers of its neighbours.
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
        // Relaxed: the counter guards no other memory.
        self.used
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, take)
            .is_ok()
    }

    fn free(&self, amount: usize) {
        if self.max.is_some() && amount > 0 {
            self.used.fetch_sub(amount, Ordering::Relaxed);
        }
    }
}
