//! [`Held`]: the locks that this process holds, to be given up when it is about to end.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use sessile_core::{LockTicket, LockToken, SessionKey, Unlock};
use tokio::sync::Notify;
use tokio::time::{Instant, timeout, timeout_at};

use crate::engine::Engine;
use crate::servers::CENTURY;

/// How many independent parts they are kept in, so that tasks seldom meet at one.
const PARTS: usize = 16;

/// The locks that were taken and neither given up nor dropped.
#[derive(Default)]
pub(crate) struct Held {
    parts: [Mutex<HashMap<LockToken, SessionKey>>; PARTS],
    fewer: Notify,
}

impl Held {
    fn part(&self, ticket: &LockTicket) -> MutexGuard<'_, HashMap<LockToken, SessionKey>> {
        lock(&self.parts[usize::from(ticket.token.as_bytes()[0]) % PARTS])
    }

    fn tickets(&self) -> Vec<LockTicket> {
        let ticket = |(token, key): (&LockToken, &SessionKey)| LockTicket::new(*key, *token);
        let tickets = |part: &Mutex<HashMap<_, _>>| lock(part).iter().map(ticket).collect::<Vec<_>>();
        self.parts.iter().flat_map(tickets).collect()
    }

    /// Waits until there is none.
    async fn none(&self) {
        loop {
            let mut fewer = std::pin::pin!(self.fewer.notified());
            fewer.as_mut().enable();
            if self.parts.iter().all(|part| lock(part).is_empty()) {
                return;
            }
            fewer.await;
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Engine {
    /// Takes note of a lock that was taken. What is returned takes it back when it is dropped. `may_stand` says that the
    /// token was ever left in the server's queue.
    pub(crate) fn hold(self: &Arc<Self>, ticket: LockTicket, may_stand: bool) -> Arc<dyn Unlock> {
        self.held.part(&ticket).insert(ticket.token, ticket.key);
        let engine = Arc::clone(self);
        Arc::new(Holding {
            engine,
            ticket,
            may_stand,
        })
    }

    /// Waits until no lock is held, at most for `patience`, and then gives up those that are left: their holders find
    /// out when they want to commit. Waits for what is given back in the background as well, at most as long as a call
    /// may take.
    pub(crate) async fn drain(self: &Arc<Self>, patience: Duration) {
        if timeout_at(Instant::now() + patience.min(CENTURY), self.held.none())
            .await
            .is_err()
        {
            // In the background, so that all are given up even if this future is dropped, and tried until it succeeds.
            for ticket in self.held.tickets() {
                self.unlock(ticket);
            }
        }
        let _ = timeout(self.net.timeout(), self.background.idle()).await;
    }
}

/// A lock that is held. It goes when the lock is given up, or dropped.
struct Holding {
    engine: Arc<Engine>,
    ticket: LockTicket,
    may_stand: bool,
}

impl Unlock for Holding {
    fn unlock(&self, ticket: LockTicket) {
        self.engine.unlock(ticket);
    }
}

impl Drop for Holding {
    fn drop(&mut self) {
        self.engine.held.part(&self.ticket).remove(&self.ticket.token);
        self.engine.held.fewer.notify_waiters();
        if self.may_stand {
            self.engine.lines.linger(&self.ticket, self.engine.lingers());
        }
    }
}
