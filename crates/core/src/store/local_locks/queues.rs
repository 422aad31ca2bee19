//! [`LockQueues`]: the holder and the wait queue of each lock, as plain data.
//!
//! A lock passes on in the same step in which it is released: the head of the queue becomes the holder, and is notified
//! to find that out. No other caller can come in between, and a notification carries nothing that could be lost.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;

use crate::clock::Timestamp;
use crate::id::SessionKey;
use crate::storage::{LockId, LockToken};

/// The number of keys below which expired leases are not pruned.
const PRUNE_MIN: usize = 64;

/// The locks that are held or waited for.
#[derive(Default)]
pub(super) struct LockQueues {
    by_key: HashMap<SessionKey, LockQueue>,
    /// Notified after the step.
    pub(super) notifies: Vec<Arc<Notify>>,
    /// The number of keys at which expired leases are pruned next.
    prune_at: usize,
}

struct LockQueue {
    holder: LockToken,
    lease_until: Timestamp,
    waiters: VecDeque<QueuedWaiter>,
}

struct QueuedWaiter {
    token: LockToken,
    notify: Arc<Notify>,
}

/// The result of an attempt to take a lock.
pub(super) enum Acquisition {
    /// The caller holds the lock now.
    Acquired,
    /// Another holder has the lock, for `lease_left` at most.
    Busy { lease_left: Duration, queued: bool },
}

impl LockQueues {
    pub(super) fn len(&self) -> usize {
        self.by_key.len()
    }

    /// Takes the lock until `lease_until` if it is free or has been handed over to `id`. A queued waiter keeps its
    /// position otherwise.
    pub(super) fn try_acquire(&mut self, id: &LockId, now: Timestamp, lease_until: Timestamp) -> Acquisition {
        self.expire_lease(&id.key, now, lease_until);
        let Some(queue) = self.by_key.get_mut(&id.key) else {
            self.prune_expired(now);
            let queue = LockQueue {
                holder: id.token,
                lease_until,
                waiters: VecDeque::new(),
            };
            self.by_key.insert(id.key, queue);
            return Acquisition::Acquired;
        };
        if queue.holder == id.token {
            // The lease began with the hand-over; it starts anew now that the holder knows.
            queue.lease_until = lease_until;
            return Acquisition::Acquired;
        }
        Acquisition::Busy {
            lease_left: now.until(queue.lease_until),
            queued: queue.position(&id.token).is_some(),
        }
    }

    /// Appends a waiter to the queue of a lock that is held, unless the queue is full.
    pub(super) fn enqueue(&mut self, id: &LockId, notify: &Arc<Notify>, max_waiters: usize) -> bool {
        let Some(queue) = self.by_key.get_mut(&id.key) else {
            return false;
        };
        let has_space = queue.waiters.len() < max_waiters;
        if has_space {
            queue.waiters.push_back(QueuedWaiter {
                token: id.token,
                notify: Arc::clone(notify),
            });
        }
        has_space
    }

    /// Removes a holder, and hands the lock over with a lease until `lease_until`, or a waiter.
    pub(super) fn remove(&mut self, id: &LockId, lease_until: Timestamp) {
        let Some(queue) = self.by_key.get_mut(&id.key) else {
            return;
        };
        if queue.holder == id.token {
            self.hand_over(&id.key, lease_until);
        } else if let Some(position) = queue.position(&id.token) {
            queue.waiters.remove(position);
        }
    }

    /// Extends a lease that is not over.
    pub(super) fn renew(&mut self, id: &LockId, now: Timestamp, lease_until: Timestamp) -> bool {
        match self.by_key.get_mut(&id.key) {
            Some(queue) if queue.holder == id.token && now < queue.lease_until => {
                queue.lease_until = lease_until;
                true
            }
            _ => false,
        }
    }

    /// Returns the number of locks that are held.
    pub(super) fn holders(&self, now: Timestamp) -> usize {
        let is_held = |queue: &&LockQueue| now < queue.lease_until;
        self.by_key.values().filter(is_held).count()
    }

    /// Removes all holders, and hands each lock over to its first waiter, with a lease until `lease_until`.
    pub(super) fn release_all(&mut self, lease_until: Timestamp) {
        let keys: Vec<_> = self.by_key.keys().copied().collect();
        keys.iter().for_each(|key| self.hand_over(key, lease_until));
    }

    /// Hands the lock over if the lease of its holder is over.
    ///
    /// A lease that would outlast one that begins now was taken before the clock was set back, and is cut to that.
    fn expire_lease(&mut self, key: &SessionKey, now: Timestamp, lease_until: Timestamp) {
        let Some(queue) = self.by_key.get_mut(key) else { return };
        queue.lease_until = queue.lease_until.min(lease_until);
        if queue.lease_until <= now {
            self.hand_over(key, lease_until);
        }
    }

    /// Makes the first waiter the holder before it runs, so that a call that comes later cannot take the lock first.
    fn hand_over(&mut self, key: &SessionKey, lease_until: Timestamp) {
        let Some(queue) = self.by_key.get_mut(key) else { return };
        match queue.waiters.pop_front() {
            Some(QueuedWaiter { token, notify }) => {
                queue.holder = token;
                queue.lease_until = lease_until;
                self.notifies.push(notify);
            }
            None => {
                self.by_key.remove(key);
            }
        }
    }

    /// Removes expired leases that were never released, once the number of keys has doubled (amortised O(1)).
    fn prune_expired(&mut self, now: Timestamp) {
        if self.by_key.len() >= self.prune_at.max(PRUNE_MIN) {
            self.by_key
                .retain(|_, queue| now < queue.lease_until || !queue.waiters.is_empty());
            self.prune_at = self.by_key.len() * 2;
            if self.by_key.len() * 4 < self.by_key.capacity() {
                self.by_key.shrink_to(self.prune_at);
            }
        }
    }
}

impl LockQueue {
    fn position(&self, token: &LockToken) -> Option<usize> {
        self.waiters.iter().position(|waiter| waiter.token == *token)
    }
}
