//! [`Leases`]: which locks are certainly still held.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::clock::{Clock, Timestamp};
use crate::storage::{LockTicket, LockToken};

/// Below this many leases nobody looks for those that are over.
const FEW: usize = 64;

/// The leases that this process has seen begin. One that is over proves nothing any more and is forgotten by and by.
#[derive(Default)]
pub(super) struct Leases(Mutex<Table>);

#[derive(Default)]
struct Table {
    by_token: HashMap<LockToken, Lease>,
    tidy_at: usize,
    /// How many are giving up locks before their leases are over.
    ambiguous_calls: usize,
    /// Counts the beginnings and the ends of such times.
    drains: u64,
}

/// When a lock was asked for, at the earliest.
#[derive(Clone, Copy)]
pub(super) struct PendingLease {
    moment: Moment,
    drains: u64,
}

struct Lease {
    length: Duration,
    began: Moment,
}

/// A moment, by the clock of the storage and by one that is never set. A lease is certainly running as long as it is by
/// both: the first is an estimate that may be put right meanwhile, and of the second the storage knows nothing.
#[derive(Clone, Copy)]
pub(super) struct Moment {
    shown: Timestamp,
    here: Instant,
}

impl Moment {
    pub(super) fn now(clock: &dyn Clock) -> Self {
        Self {
            shown: clock.now(),
            here: Instant::now(),
        }
    }
}

impl Lease {
    fn is_running(&self, now: Moment) -> bool {
        now.shown < self.began.shown + self.length && now.here.saturating_duration_since(self.began.here) < self.length
    }
}

/// While this is there, and for all leases that began before, nothing is certain.
pub(super) struct Ambiguity<'a>(&'a Leases);

impl Drop for Ambiguity<'_> {
    fn drop(&mut self) {
        let mut table = self.0.table();
        table.by_token.clear();
        table.ambiguous_calls -= 1;
        table.drains += 1;
    }
}

impl Leases {
    /// A lock is about to be asked for.
    pub(super) fn asking(&self, clock: &dyn Clock) -> PendingLease {
        let moment = Moment::now(clock);
        let drains = self.table().drains;
        PendingLease { moment, drains }
    }

    /// The lock was taken, after it had been asked for like this. It may have been given up since for its holder, of
    /// which nothing is known here if it is only now that the answer is heard; then it proves nothing.
    pub(super) fn began(&self, ticket: &LockTicket, asked: PendingLease, length: Duration) {
        let mut table = self.table();
        if table.drains != asked.drains {
            return;
        }
        let asked = asked.moment;
        if table.by_token.len() >= table.tidy_at.max(FEW) {
            table.by_token.retain(|_, lease| lease.is_running(asked));
            table.tidy_at = table.by_token.len() * 2;
        }
        let began = asked;
        table.by_token.insert(ticket.token, Lease { length, began });
    }

    /// The lease was renewed, no earlier than at this moment.
    pub(super) fn renewed(&self, ticket: &LockTicket, asked: Moment) {
        if let Some(lease) = self.table().by_token.get_mut(&ticket.token) {
            lease.began = asked;
        }
    }

    /// Whether the lease cannot be over yet, so that nobody else can have had the lock since.
    pub(super) fn is_running(&self, ticket: &LockTicket, now: Moment) -> bool {
        let table = self.table();
        let lease = table.by_token.get(&ticket.token);
        table.ambiguous_calls == 0 && lease.is_some_and(|lease| lease.is_running(now))
    }

    /// From now on locks may be given up before their leases are over, until what is returned is dropped.
    pub(super) fn ambiguity(&self) -> Ambiguity<'_> {
        let mut table = self.table();
        table.ambiguous_calls += 1;
        table.drains += 1;
        drop(table);
        Ambiguity(self)
    }

    /// The lock was given up.
    pub(super) fn ended(&self, ticket: &LockTicket) {
        self.table().by_token.remove(&ticket.token);
    }

    #[cfg(test)]
    fn len(&self) -> usize {
        self.table().by_token.len()
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Says nothing of the tokens.
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
    fn what_is_over_is_forgotten_by_and_by() {
        let leases = Leases::default();
        let lease = Duration::from_secs(30);
        let key = SessionId::generate(&OsEntropy).key();
        let clock = ManualClock::at(Timestamp::MIN);
        for _ in 0..1_000 {
            let token = LockToken::generate(&OsEntropy);
            clock.advance(Duration::from_secs(1));
            leases.began(&LockTicket { key, token }, leases.asking(&clock), lease);
        }
        assert!(leases.len() <= 64 + 30, "{} leases are remembered", leases.len());
    }

    #[tokio::test(start_paused = true)]
    async fn a_lease_that_is_over_by_either_clock_proves_nothing() {
        let leases = Leases::default();
        let lease = Duration::from_secs(30);
        let key = SessionId::generate(&OsEntropy).key();
        let clock = ManualClock::at(Timestamp::from_millis(1_000_000));
        let ticket = || LockTicket {
            key,
            token: LockToken::generate(&OsEntropy),
        };
        let [by_clock, by_time] = [ticket(), ticket()];

        leases.began(&by_clock, leases.asking(&clock), lease);
        assert!(leases.is_running(&by_clock, Moment::now(&clock)));
        clock.advance(lease);
        assert!(!leases.is_running(&by_clock, Moment::now(&clock)));

        leases.began(&by_time, leases.asking(&clock), lease);
        clock.set(Timestamp::MIN);
        assert!(leases.is_running(&by_time, Moment::now(&clock)));
        tokio::time::advance(lease).await;
        assert!(!leases.is_running(&by_time, Moment::now(&clock)));
    }

    #[test]
    fn what_began_before_locks_were_given_up_proves_nothing() {
        let leases = Leases::default();
        let clock = ManualClock::at(Timestamp::MIN);
        let lease = Duration::from_secs(30);
        let ticket = LockTicket {
            key: SessionId::generate(&OsEntropy).key(),
            token: LockToken::generate(&OsEntropy),
        };
        let now = Moment::now(&clock);
        let before = leases.asking(&clock);
        leases.began(&ticket, before, lease);
        let ambiguity = leases.ambiguity();
        let meanwhile = leases.asking(&clock);
        assert!(!leases.is_running(&ticket, now));
        drop(ambiguity);
        assert!(!leases.is_running(&ticket, now));
        // The answer is heard only now, and what was given up has been given up.
        for asked in [before, meanwhile] {
            leases.began(&ticket, asked, lease);
            assert!(!leases.is_running(&ticket, now));
        }
        leases.began(&ticket, leases.asking(&clock), lease);
        assert!(leases.is_running(&ticket, now));
    }
}
