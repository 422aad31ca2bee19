//! [`LocalLocksBuilder`]: the settings of local locks.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::LocalLocks;
use super::shared::SharedLocks;
use crate::clock::{Clock, SteadyClock};
use crate::entropy::{Entropy, OsEntropy};
use crate::storage::{DEFAULT_LEASE, DEFAULT_MAX_WAITERS};

/// Builds [`LocalLocks`].
///
/// ```
/// use std::time::Duration;
/// use sessile_core::LocalLocks;
///
/// let locks = LocalLocks::builder().lease(Duration::from_secs(10)).max_waiters(100).build();
/// ```
#[derive(Debug, Clone)]
#[must_use = "a builder does nothing until it builds"]
pub struct LocalLocksBuilder {
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    lease: Duration,
    max_waiters: usize,
}

impl LocalLocksBuilder {
    pub(super) fn new() -> Self {
        Self {
            clock: Arc::new(SteadyClock::start()),
            entropy: Arc::new(OsEntropy),
            lease: DEFAULT_LEASE,
            max_waiters: DEFAULT_MAX_WAITERS,
        }
    }

    /// Sets the clock by which leases are judged, and with them the deadlines of a [`LockedStore`](crate::LockedStore)
    /// storage. By default it is a [`SteadyClock`], started now, so that no lease or session ends because the clock of
    /// the machine is set. If the store has a clock of its own, it is best to use that one.
    ///
    /// It is read while a mutex of the locks is held, so it must be quick and must not use them.
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// Sets the source of lock tokens. By default it is the operating system; see [`OsEntropy`].
    pub fn entropy(mut self, entropy: impl Entropy) -> Self {
        self.entropy = Arc::new(entropy);
        self
    }

    /// Sets the time for which a lock is held without being renewed. 6 seconds by default.
    pub fn lease(mut self, lease: Duration) -> Self {
        self.lease = lease;
        self
    }

    /// Sets the maximum number of waiters for one lock. 1,024 by default.
    pub fn max_waiters(mut self, max_waiters: usize) -> Self {
        self.max_waiters = max_waiters;
        self
    }

    /// Builds the locks.
    #[must_use]
    pub fn build(self) -> LocalLocks {
        LocalLocks {
            shared: Arc::new(SharedLocks {
                clock: self.clock,
                entropy: self.entropy,
                lease: self.lease,
                max_waiters: self.max_waiters,
                queues: Mutex::default(),
            }),
        }
    }
}
