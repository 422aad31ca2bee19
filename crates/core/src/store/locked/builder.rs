//! [`PairedBuilder`].

use std::sync::Arc;
use std::time::Duration;

use super::{LockTable, Paired, Parts, Watches};
use crate::entropy::{Entropy, OsEntropy};
use crate::store::{Locks, RecordStore};

/// Sets up a [`Paired`] storage.
///
/// The clock and the lease are set where the locks are; see [`LocalLocksBuilder`](crate::LocalLocksBuilder).
#[derive(Debug, Clone)]
#[must_use = "a builder does nothing until it builds"]
pub struct PairedBuilder<R, L> {
    store: R,
    locks: L,
    tombstone_ttl: Duration,
    entropy: Arc<dyn Entropy>,
}

impl<R: RecordStore, L: Locks> PairedBuilder<R, L> {
    pub(super) fn new(store: R, locks: L) -> Self {
        Self {
            store,
            locks,
            tombstone_ttl: Duration::from_secs(60),
            entropy: Arc::new(OsEntropy),
        }
    }

    /// For how long a tombstone stands where a session has moved away from. 60 seconds by default; with zero there
    /// are none.
    pub fn tombstone_ttl(mut self, tombstone_ttl: Duration) -> Self {
        self.tombstone_ttl = tombstone_ttl;
        self
    }

    /// Where the versions of entries come from. By default it is the operating system; see [`OsEntropy`].
    ///
    /// A source that repeats itself gives lost updates away.
    pub fn entropy(mut self, entropy: impl Entropy) -> Self {
        self.entropy = Arc::new(entropy);
        self
    }

    /// Makes the storage.
    #[must_use]
    pub fn build(self) -> Paired<R, L> {
        Paired {
            parts: Arc::new(Parts {
                entropy: self.entropy,
                tombstone_ttl: self.tombstone_ttl,
                held: LockTable::default(),
                watches: Watches::default(),
            }),
            locks: Arc::new(self.locks),
            store: Arc::new(self.store),
        }
    }
}
