//! [`HeldLocks`]: the locks that this process holds.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use sessile_core::{LockTicket, LockToken, SessionKey};
use tokio::sync::Notify;

/// The number of independently locked stripes, so that tasks seldom contend for one mutex.
const STRIPES: usize = 16;

/// The locks that were taken and neither released nor dropped.
#[derive(Default)]
pub(crate) struct HeldLocks {
    stripes: [Mutex<HashMap<LockToken, SessionKey>>; STRIPES],
    removed: Notify,
}

impl HeldLocks {
    pub(crate) fn insert(&self, ticket: &LockTicket) {
        self.stripe(ticket).insert(ticket.token, ticket.key);
    }

    pub(crate) fn remove(&self, ticket: &LockTicket) {
        self.stripe(ticket).remove(&ticket.token);
        self.removed.notify_waiters();
    }

    fn stripe(&self, ticket: &LockTicket) -> MutexGuard<'_, HashMap<LockToken, SessionKey>> {
        lock(&self.stripes[usize::from(ticket.token.as_bytes()[0]) % STRIPES])
    }

    pub(crate) fn tickets(&self) -> Vec<LockTicket> {
        let ticket = |(token, key): (&LockToken, &SessionKey)| LockTicket::new(*key, *token);
        let tickets = |stripe: &Mutex<HashMap<_, _>>| lock(stripe).iter().map(ticket).collect::<Vec<_>>();
        self.stripes.iter().flat_map(tickets).collect()
    }

    /// Waits until no lock is held.
    pub(crate) async fn wait_until_empty(&self) {
        loop {
            let mut removed = std::pin::pin!(self.removed.notified());
            // Registered before the check, so that a lock that is removed after it is not missed.
            removed.as_mut().enable();
            if self.stripes.iter().all(|stripe| lock(stripe).is_empty()) {
                return;
            }
            removed.await;
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
