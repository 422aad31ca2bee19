//! [`Leases`]: which locks are certainly still held.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::clock::Timestamp;
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
}

struct Lease {
    length: Duration,
    until: Timestamp,
}

impl Leases {
    /// The lock was taken, no earlier than at this moment.
    pub(super) fn began(&self, ticket: &LockTicket, asked: Timestamp, length: Duration) {
        let mut table = self.table();
        if table.by_token.len() >= table.tidy_at.max(FEW) {
            table.by_token.retain(|_, lease| asked < lease.until);
            table.tidy_at = table.by_token.len() * 2;
        }
        let until = asked + length;
        table.by_token.insert(ticket.token, Lease { length, until });
    }

    /// The lease was renewed, no earlier than at this moment.
    pub(super) fn renewed(&self, ticket: &LockTicket, asked: Timestamp) {
        if let Some(lease) = self.table().by_token.get_mut(&ticket.token) {
            lease.until = asked + lease.length;
        }
    }

    /// Whether the lease cannot be over yet, so that nobody else can have had the lock since.
    pub(super) fn is_running(&self, ticket: &LockTicket, now: Timestamp) -> bool {
        self.table()
            .by_token
            .get(&ticket.token)
            .is_some_and(|lease| now < lease.until)
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
    use crate::entropy::OsEntropy;
    use crate::id::SessionId;

    #[test]
    fn what_is_over_is_forgotten_by_and_by() {
        let leases = Leases::default();
        let lease = Duration::from_secs(30);
        let key = SessionId::generate(&OsEntropy).key();
        for second in 0..1_000 {
            let token = LockToken::generate(&OsEntropy);
            let now = Timestamp::from_millis(second * 1_000);
            leases.began(&LockTicket { key, token }, now, lease);
        }
        assert!(leases.len() <= 64 + 30, "{} leases are remembered", leases.len());
    }
}
