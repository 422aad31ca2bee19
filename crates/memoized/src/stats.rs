//! [`MemoizedStats`]: counters of the cache.

use std::sync::atomic::{AtomicU64, Ordering};

/// The number of sessions in the cache of a [`MemoizedStorage`](crate::MemoizedStorage), and of reads by their source.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct MemoizedStats {
    /// Sessions in the cache.
    pub records: usize,
    /// Reads whose payload came from the cache.
    pub hits: u64,
    /// Reads that went to the inner storage.
    pub misses: u64,
    /// Reads that shared the result of another read in flight.
    pub shared: u64,
}

/// Counts reads.
#[derive(Debug, Default)]
pub(crate) struct Reads {
    hits: AtomicU64,
    misses: AtomicU64,
    shared: AtomicU64,
}

impl Reads {
    pub(crate) fn hit(&self) {
        self.hits.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn miss(&self) {
        self.misses.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn share(&self) {
        self.shared.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn stats(&self, records: usize) -> MemoizedStats {
        MemoizedStats {
            records,
            hits: self.hits.load(Ordering::Relaxed),
            misses: self.misses.load(Ordering::Relaxed),
            shared: self.shared.load(Ordering::Relaxed),
        }
    }
}
