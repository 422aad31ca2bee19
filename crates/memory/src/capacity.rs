//! [`Capacity`]: how many sessions there may be.

use std::sync::atomic::{AtomicUsize, Ordering};

/// A limit to the number of records in all shards, and how many there are. Without a limit nothing is counted: the
/// count would be the one thing that all shards write to.
#[derive(Debug)]
pub(crate) struct Capacity {
    limit: Option<usize>,
    used: AtomicUsize,
}

impl Capacity {
    pub(crate) fn new(limit: Option<usize>) -> Self {
        Self {
            limit,
            used: AtomicUsize::new(0),
        }
    }

    /// Takes room for one record, if there is any.
    pub(crate) fn reserve(&self) -> bool {
        let Some(limit) = self.limit else { return true };
        let take_one = |used: usize| (used < limit).then_some(used + 1);
        self.used
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, take_one)
            .is_ok()
    }

    /// Gives room back.
    pub(crate) fn give_back(&self, records: usize) {
        if self.limit.is_some() && records > 0 {
            self.used.fetch_sub(records, Ordering::Relaxed);
        }
    }
}
