//! [`MemoryStats`]: what is in a storage.

use sessile_core::Timestamp;

use crate::capacity::{MOVED_BYTES, bytes_of};
use crate::state::State;

/// What a [`MemoryStorage`](crate::MemoryStorage) holds, for operators and tests.
///
/// Shards are counted one after the other, so the numbers are of one moment only while nothing changes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct MemoryStats {
    /// Sessions whose deadline has not come.
    pub live: usize,
    /// Records held, whether they have expired or not.
    pub stored: usize,
    /// Aliases and tombstones of keys that were rotated.
    pub moved: usize,
    /// Locks that are held.
    pub locks: usize,
    /// Visits that wait for a lock.
    pub waiters: usize,
    /// What the records and the marks of rotated keys count as, in bytes: see
    /// [`max_bytes`](crate::MemoryStorageBuilder::max_bytes). Counted whether or not there is a limit.
    pub bytes: usize,
}

impl State {
    pub(crate) fn count(&self, stats: &mut MemoryStats, now: Timestamp) {
        stats.stored += self.entries.len();
        stats.moved += self.moved.len();
        stats.bytes += self.moved.len() * MOVED_BYTES;
        for entry in self.entries.iter() {
            stats.bytes += bytes_of(entry.payload.len());
            stats.live += usize::from(!entry.meta.has_expired(now));
            stats.locks += usize::from(entry.holder.is_some() && now < entry.lease_until);
            stats.waiters += entry.queue.as_ref().map_or(0, |queue| queue.len());
        }
    }
}
