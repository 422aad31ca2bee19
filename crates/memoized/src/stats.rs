//! [`MemoizedStats`]: of what use the memory is.

use std::sync::atomic::{AtomicU64, Ordering};

/// What a [`MemoizedStorage`](crate::MemoizedStorage) holds, and how reads were answered so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct MemoizedStats {
    /// Sessions that are kept in memory.
    pub records: usize,
    /// Reads whose payload came from memory.
    pub hits: u64,
    /// Reads that went to the storage behind for it.
    pub misses: u64,
    /// Reads that got the answer to another one, which was under way.
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
