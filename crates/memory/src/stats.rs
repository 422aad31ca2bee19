//! [`MemoryStats`]: the number and size of what a storage holds.

use sessile_core::Timestamp;

use crate::capacity::{MOVED_BYTES, SESSION_BYTES};
use crate::state::State;

/// Counts of what a [`MemoryStorage`](crate::MemoryStorage) holds, for operators and tests.
///
/// Shards are counted one after the other, so the counts are a consistent snapshot only while nothing changes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct MemoryStats {
    /// Sessions that have not expired.
    pub live: usize,
    /// Records held, expired ones included.
    pub stored: usize,
    /// Aliases and tombstones that rotations have left at old keys.
    pub moved: usize,
    /// Locks that are held.
    pub locks: usize,
    /// Callers that wait for a lock.
    pub waiters: usize,
    /// The size of all records and moved keys in bytes, as [`max_bytes`](crate::MemoryStorageBuilder::max_bytes) counts
    /// it, with or without a limit.
    pub bytes: usize,
}

impl State {
    pub(crate) fn count(&self, stats: &mut MemoryStats, now: Timestamp) {
        stats.stored += self.entries.len();
        stats.moved += self.moved.len();
        stats.bytes += self.moved.len() * MOVED_BYTES;
        for entry in self.entries.iter() {
            stats.bytes += SESSION_BYTES + entry.contents();
            stats.live += usize::from(!entry.meta.has_expired(now));
            stats.locks += usize::from(entry.holder.is_some() && now < entry.lease_until);
            stats.waiters += entry.queue.as_ref().map_or(0, |queue| queue.len());
        }
    }
}
