//! [`LockedStoreBuilder`]: the settings of a storage that combines a store and locks.

use std::sync::Arc;
use std::time::Duration;

use super::{LockTable, LockedStore, Notifiers, Shared};
use crate::entropy::{Entropy, OsEntropy};
use crate::store::{Locks, RecordStore};

/// Builds a [`LockedStore`] storage.
///
/// The clock and the lease are settings of the locks; see [`LocalLocksBuilder`](crate::LocalLocksBuilder).
#[derive(Debug, Clone)]
#[must_use = "a builder does nothing until it builds"]
pub struct LockedStoreBuilder<R, L> {
    store: R,
    locks: L,
    tombstone_ttl: Duration,
    entropy: Arc<dyn Entropy>,
}

impl<R: RecordStore, L: Locks> LockedStoreBuilder<R, L> {
    pub(super) fn new(store: R, locks: L) -> Self {
        Self {
            store,
            locks,
            tombstone_ttl: Duration::from_secs(60),
            entropy: Arc::new(OsEntropy),
        }
    }

    /// Sets the time for which a tombstone stands after a session has moved away from a key and the grace is over. 60
    /// seconds by default; with zero there are no tombstones.
    pub fn tombstone_ttl(mut self, tombstone_ttl: Duration) -> Self {
        self.tombstone_ttl = tombstone_ttl;
        self
    }

    /// Sets the source of entry versions. By default it is the operating system; see [`OsEntropy`].
    ///
    /// A source that repeats itself permits lost updates.
    pub fn entropy(mut self, entropy: impl Entropy) -> Self {
        self.entropy = Arc::new(entropy);
        self
    }

    /// Builds the storage.
    #[must_use]
    pub fn build(self) -> LockedStore<R, L> {
        LockedStore {
            shared: Arc::new(Shared {
                entropy: self.entropy,
                tombstone_ttl: self.tombstone_ttl,
                held_locks: LockTable::default(),
                notifiers: Notifiers::default(),
            }),
            locks: Arc::new(self.locks),
            store: Arc::new(self.store),
        }
    }
}
