//! [`MemoizedStorageBuilder`].

use std::sync::Arc;
use std::time::Duration;

use sessile_core::Storage;

use crate::cache::{Cache, Limits};
use crate::probe::{Probe, Validate};
use crate::storage::MemoizedStorage;

/// Longer than anything is under way, and short enough that there is such a moment.
const LONGEST_SETTLE_TIME: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// Sets up a [`MemoizedStorage`]. It is built by saying who else writes to the storage behind.
///
/// ```
/// use std::time::Duration;
/// use sessile_memoized::MemoizedStorage;
/// use sessile_memory::MemoryStorage;
///
/// let storage = MemoizedStorage::builder(MemoryStorage::new())
///     .capacity(10_000)
///     .max_payload(16 * 1024)
///     .exclusive();
/// ```
#[derive(Debug)]
#[must_use = "a builder does nothing until it builds"]
pub struct MemoizedStorageBuilder<S: ?Sized> {
    limits: Limits,
    inner: Arc<S>,
}

impl<S: Storage + ?Sized> MemoizedStorageBuilder<S> {
    pub(crate) fn new(inner: Arc<S>) -> Self {
        let limits = Limits {
            capacity: 10_000,
            max_payload: 64 * 1024,
            settle_time: Duration::from_secs(60),
        };
        Self { limits, inner }
    }

    /// How many sessions are kept in memory at most. 10,000 by default.
    pub fn capacity(mut self, sessions: usize) -> Self {
        self.limits.capacity = sessions;
        self
    }

    /// How long the payload of a session may be that is kept in memory, in bytes. 65,536 by default. Longer ones are
    /// read from the storage behind each time.
    pub fn max_payload(mut self, bytes: usize) -> Self {
        self.limits.max_payload = bytes;
        self
    }

    /// For how long a session is not kept in memory after a call of which nobody knows what it has done: as long as a
    /// request that was lost may still arrive. 60 seconds by default, and no longer than thirty days.
    pub fn settle_time(mut self, settle_time: Duration) -> Self {
        self.limits.settle_time = settle_time.min(LONGEST_SETTLE_TIME);
        self
    }

    /// The storage, if nobody but this process writes to the one behind, and does so through the one that is returned
    /// and its clones only.
    #[must_use]
    pub fn exclusive(self) -> MemoizedStorage<S> {
        self.build(None)
    }

    fn build(self, validate: Validate) -> MemoizedStorage<S> {
        MemoizedStorage::from_parts(self.inner, validate, Cache::new(self.limits))
    }
}

impl<S: Probe> MemoizedStorageBuilder<S> {
    /// The storage, if others write to the one behind as well: each read asks it whether what is kept still stands.
    #[must_use]
    pub fn validated(self) -> MemoizedStorage<S> {
        let probe = Arc::clone(&self.inner);
        self.build(Some(probe))
    }
}
