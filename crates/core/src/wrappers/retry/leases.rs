//! [`Leases`]: the locks that are certainly still held.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::clock::{Clock, Timestamp};
use crate::storage::{LockId, LockToken};

/// The number of leases below which expired ones are not pruned.
const PRUNE_MIN: usize = 64;

/// The leases that this process has seen begin. An expired lease proves nothing and is pruned.
#[derive(Default)]
pub(super) struct Leases(Mutex<LeaseTable>);

#[derive(Default)]
struct LeaseTable {
    by_token: HashMap<LockToken, Lease>,
    /// The number of leases at which expired ones are pruned next.
    prune_at: usize,
    /// The number of drains in progress, which release locks before their leases are over.
    drains: usize,
    /// Incremented when a drain begins or ends.
    epoch: u64,
}

/// The earliest moment at which a lease can begin whose lock is requested now.
#[derive(Clone, Copy)]
pub(super) struct LeaseRequest {
    moment: Moment,
    epoch: u64,
}

struct Lease {
    length: Duration,
    start: Moment,
}

/// A moment by the clock of the storage and by the monotonic clock.
///
/// A lease is certainly running only if it is by both: the first clock is an estimate that may be corrected meanwhile,
/// and the storage does not judge by the second.
#[derive(Clone, Copy)]
pub(super) struct Moment {
    storage: Timestamp,
    monotonic: Instant,
}

impl Moment {
    pub(super) fn now(clock: &dyn Clock) -> Self {
        Self {
            storage: clock.now(),
            monotonic: Instant::now(),
        }
    }
}

impl Lease {
    fn is_running(&self, now: Moment) -> bool {
        let elapsed = now.monotonic.saturating_duration_since(self.start.monotonic);
        now.storage < self.start.storage + self.length && elapsed < self.length
    }
}

/// A drain in progress. Leases prove nothing while it exists, nor afterwards if they began before its end.
pub(super) struct Drain<'a>(&'a Leases);

impl Drop for Drain<'_> {
    fn drop(&mut self) {
        let mut table = self.0.table();
        table.by_token.clear();
        table.drains -= 1;
        table.epoch += 1;
    }
}

impl Leases {
    /// Notes the moment before a lock is requested.
    pub(super) fn request(&self, clock: &dyn Clock) -> LeaseRequest {
        let moment = Moment::now(clock);
        let epoch = self.table().epoch;
        LeaseRequest { moment, epoch }
    }

    /// Adds the lease of a lock that was taken, unless a drain may have released it before the reply arrived.
    pub(super) fn start(&self, id: &LockId, request: LeaseRequest, length: Duration) {
        let mut table = self.table();
        if table.epoch != request.epoch {
            return;
        }
        let start = request.moment;
        if table.by_token.len() >= table.prune_at.max(PRUNE_MIN) {
            table.by_token.retain(|_, lease| lease.is_running(start));
            table.prune_at = table.by_token.len() * 2;
        }
        table.by_token.insert(id.token, Lease { length, start });
    }

    /// Restarts a lease that was renewed at `start` or later.
    pub(super) fn renew(&self, id: &LockId, start: Moment) {
        if let Some(lease) = self.table().by_token.get_mut(&id.token) {
            lease.start = start;
        }
    }

    /// Returns whether the lease cannot be over yet, so that no other holder can have had the lock since.
    pub(super) fn is_running(&self, id: &LockId, now: Moment) -> bool {
        let table = self.table();
        let lease = table.by_token.get(&id.token);
        table.drains == 0 && lease.is_some_and(|lease| lease.is_running(now))
    }

    /// Begins a drain, which ends when the result is dropped.
    pub(super) fn begin_drain(&self) -> Drain<'_> {
        let mut table = self.table();
        table.drains += 1;
        table.epoch += 1;
        drop(table);
        Drain(self)
    }

    /// Removes the lease of a lock that was released.
    pub(super) fn remove(&self, id: &LockId) {
        self.table().by_token.remove(&id.token);
    }

    #[cfg(test)]
    fn len(&self) -> usize {
        self.table().by_token.len()
    }

    fn table(&self) -> MutexGuard<'_, LeaseTable> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Hides the tokens.
impl fmt::Debug for Leases {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Leases").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::ManualClock;
    use crate::entropy::OsEntropy;
    use crate::id::SessionId;

    #[test]
    fn expired_leases_are_pruned() {
        let leases = Leases::default();
        let lease = Duration::from_secs(30);
        let key = SessionId::generate(&OsEntropy).key();
        let clock = ManualClock::at(Timestamp::MIN);
        for _ in 0..1_000 {
            let token = LockToken::generate(&OsEntropy);
            clock.advance(Duration::from_secs(1));
            leases.start(&LockId { key, token }, leases.request(&clock), lease);
        }
        assert!(leases.len() <= 64 + 30, "{} leases are remembered", leases.len());
    }

    #[tokio::test(start_paused = true)]
    async fn a_lease_that_is_over_by_either_clock_proves_nothing() {
        let leases = Leases::default();
        let lease = Duration::from_secs(30);
        let key = SessionId::generate(&OsEntropy).key();
        let clock = ManualClock::at(Timestamp::from_millis(1_000_000));
        let id = || LockId {
            key,
            token: LockToken::generate(&OsEntropy),
        };
        let [by_clock, by_time] = [id(), id()];

        leases.start(&by_clock, leases.request(&clock), lease);
        assert!(leases.is_running(&by_clock, Moment::now(&clock)));
        clock.advance(lease);
        assert!(!leases.is_running(&by_clock, Moment::now(&clock)));

        leases.start(&by_time, leases.request(&clock), lease);
        clock.set(Timestamp::MIN);
        assert!(leases.is_running(&by_time, Moment::now(&clock)));
        tokio::time::advance(lease).await;
        assert!(!leases.is_running(&by_time, Moment::now(&clock)));
    }

    #[test]
    fn a_lease_that_began_before_a_drain_ended_proves_nothing() {
        let leases = Leases::default();
        let clock = ManualClock::at(Timestamp::MIN);
        let lease = Duration::from_secs(30);
        let id = LockId {
            key: SessionId::generate(&OsEntropy).key(),
            token: LockToken::generate(&OsEntropy),
        };
        let now = Moment::now(&clock);
        let before = leases.request(&clock);
        leases.start(&id, before, lease);
        let drain = leases.begin_drain();
        let meanwhile = leases.request(&clock);
        assert!(!leases.is_running(&id, now));
        drop(drain);
        assert!(!leases.is_running(&id, now));
        // The replies arrive only now, after the drain has released the locks.
        for request in [before, meanwhile] {
            leases.start(&id, request, lease);
            assert!(!leases.is_running(&id, now));
        }
        leases.start(&id, leases.request(&clock), lease);
        assert!(leases.is_running(&id, now));
    }
}
