//! [`MemoizedStorageBuilder`], and the constructors of a storage.

use std::sync::Arc;
use std::time::Duration;

use sessile_core::Storage;

use crate::cache::{Cache, Limits};
use crate::probe::Probe;
use crate::storage::MemoizedStorage;

/// The maximum of the settle time: longer than any request is in flight, and short enough to be added to any moment.
const MAX_SETTLE_TIME: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// Configures a [`MemoizedStorage`]. The method that builds it chooses the mode: who else writes to the inner storage.
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

impl<S: Storage> MemoizedStorage<S> {
    /// Returns a builder of a cache in front of a storage.
    pub fn builder(inner: S) -> MemoizedStorageBuilder<S> {
        MemoizedStorageBuilder::new(Arc::new(inner))
    }
}

impl<S: Storage + ?Sized> MemoizedStorage<S> {
    /// Returns a builder of a cache in front of a storage that is shared, or whose type is not known.
    pub fn shared(inner: Arc<S>) -> MemoizedStorageBuilder<S> {
        MemoizedStorageBuilder::new(inner)
    }
}

impl<S: Storage + ?Sized> MemoizedStorageBuilder<S> {
    fn new(inner: Arc<S>) -> Self {
        let limits = Limits {
            capacity: 10_000,
            max_payload: 64 * 1024,
            settle_time: Duration::from_secs(60),
        };
        Self { limits, inner }
    }

    /// Sets the maximum number of cached sessions. The default is 10,000.
    pub fn capacity(mut self, sessions: usize) -> Self {
        self.limits.capacity = sessions;
        self
    }

    /// Sets the maximum length of a cached payload, in bytes. The default is 65,536. Sessions with longer payloads are
    /// read from the inner storage each time.
    pub fn max_payload(mut self, bytes: usize) -> Self {
        self.limits.max_payload = bytes;
        self
    }

    /// Sets for how long a session is not cached after a write with an ambiguous outcome: as long as a request that was
    /// lost may still arrive. The default is 60 seconds, and the maximum thirty days.
    pub fn settle_time(mut self, settle_time: Duration) -> Self {
        self.limits.settle_time = settle_time.min(MAX_SETTLE_TIME);
        self
    }

    /// Builds a storage for the only writer: all writes to the inner storage go through the returned storage and its
    /// clones.
    #[must_use]
    pub fn exclusive(self) -> MemoizedStorage<S> {
        MemoizedStorage::from_parts(self.inner, None, Cache::new(self.limits))
    }
}

impl<S: Probe> MemoizedStorageBuilder<S> {
    /// Builds a storage for one of several writers: each read asks the inner storage whether the cached record is still
    /// current.
    #[must_use]
    pub fn validated(self) -> MemoizedStorage<S> {
        let probe = Arc::clone(&self.inner);
        MemoizedStorage::from_parts(self.inner, Some(probe), Cache::new(self.limits))
    }
}
