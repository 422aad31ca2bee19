//! [`Slots`]: who holds which lock, and who waits for it, as plain data.
//!
//! A lock passes from one to the next in the step in which it is given up: the first in the queue becomes the holder,
//! and is woken to find that out. Nobody can come in between, and no wake-up carries anything that could be lost.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;

use crate::clock::Timestamp;
use crate::id::SessionKey;
use crate::storage::{LockTicket, LockToken};

/// Below this many slots nobody looks for leftovers.
const FEW: usize = 64;

/// The locks that are held or waited for.
#[derive(Default)]
pub(super) struct Slots {
    by_key: HashMap<SessionKey, Slot>,
    /// To be woken when the step is over.
    wakes: Vec<Arc<Notify>>,
    /// At how many slots to look for locks whose lease is over and that nobody wants.
    tidy_at: usize,
}

struct Slot {
    holder: LockToken,
    lease_until: Timestamp,
    queue: VecDeque<QueueEntry>,
}

struct QueueEntry {
    token: LockToken,
    wake: Arc<Notify>,
}

/// How a look at a lock went.
pub(super) enum Look {
    /// It is one's own now.
    Taken,
    /// It is another's, for as long as this at most.
    Busy { time: Duration, queued: bool },
}

impl Slots {
    pub(super) fn len(&self) -> usize {
        self.by_key.len()
    }

    pub(super) fn take_wakes(&mut self) -> Vec<Arc<Notify>> {
        std::mem::take(&mut self.wakes)
    }

    /// Takes the lock until `lease_until`, if it is free or has been handed over. Otherwise the place in the queue is
    /// kept, if there is one.
    pub(super) fn look(&mut self, ticket: &LockTicket, now: Timestamp, lease_until: Timestamp) -> Look {
        self.end_lease(&ticket.key, now, lease_until);
        let Some(slot) = self.by_key.get_mut(&ticket.key) else {
            self.tidy(now);
            let slot = Slot {
                holder: ticket.token,
                lease_until,
                queue: VecDeque::new(),
            };
            self.by_key.insert(ticket.key, slot);
            return Look::Taken;
        };
        if slot.holder == ticket.token {
            // The lease began when the lock was handed over; it begins anew now that its holder knows.
            slot.lease_until = lease_until;
            return Look::Taken;
        }
        Look::Busy {
            time: now.until(slot.lease_until),
            queued: slot.position(&ticket.token).is_some(),
        }
    }

    /// Takes a place at the end of the queue of a lock that is another's, if there is room.
    pub(super) fn enqueue(&mut self, ticket: &LockTicket, wake: &Arc<Notify>, max_waiters: usize) -> bool {
        let Some(slot) = self.by_key.get_mut(&ticket.key) else {
            return false;
        };
        let room = slot.queue.len() < max_waiters;
        if room {
            slot.queue.push_back(QueueEntry {
                token: ticket.token,
                wake: Arc::clone(wake),
            });
        }
        room
    }

    /// Goes away: hands the lock over if it is one's own, with a lease until then, or gives up the place in the queue.
    pub(super) fn leave(&mut self, ticket: &LockTicket, lease_until: Timestamp) {
        let Some(slot) = self.by_key.get_mut(&ticket.key) else {
            return;
        };
        if slot.holder == ticket.token {
            self.hand_over(&ticket.key, lease_until);
        } else if let Some(position) = slot.position(&ticket.token) {
            slot.queue.remove(position);
        }
    }

    /// Moves the end of the lease, if it has not come.
    pub(super) fn renew(&mut self, ticket: &LockTicket, now: Timestamp, lease_until: Timestamp) -> bool {
        match self.by_key.get_mut(&ticket.key) {
            Some(slot) if slot.holder == ticket.token && now < slot.lease_until => {
                slot.lease_until = lease_until;
                true
            }
            _ => false,
        }
    }

    /// How many locks are held.
    pub(super) fn holders(&self, now: Timestamp) -> usize {
        let held = |slot: &&Slot| now < slot.lease_until;
        self.by_key.values().filter(held).count()
    }

    /// Takes every lock from its holder, and hands it to the first who waits for it, with a lease until then.
    pub(super) fn give_up_all(&mut self, lease_until: Timestamp) {
        let keys: Vec<_> = self.by_key.keys().copied().collect();
        keys.iter().for_each(|key| self.hand_over(key, lease_until));
    }

    /// Hands the lock over if the lease of its holder is over. One that would last longer than one that begins now was
    /// taken before the clock was set back, and lasts no longer than that.
    fn end_lease(&mut self, key: &SessionKey, now: Timestamp, lease_until: Timestamp) {
        let Some(slot) = self.by_key.get_mut(key) else { return };
        slot.lease_until = slot.lease_until.min(lease_until);
        if slot.lease_until <= now {
            self.hand_over(key, lease_until);
        }
    }

    fn hand_over(&mut self, key: &SessionKey, lease_until: Timestamp) {
        let Some(slot) = self.by_key.get_mut(key) else { return };
        match slot.queue.pop_front() {
            Some(QueueEntry { token, wake }) => {
                slot.holder = token;
                slot.lease_until = lease_until;
                self.wakes.push(wake);
            }
            None => {
                self.by_key.remove(key);
            }
        }
    }

    /// Now and then, so seldom that it costs next to nothing, removes what holders that never came back have left.
    fn tidy(&mut self, now: Timestamp) {
        if self.by_key.len() >= self.tidy_at.max(FEW) {
            self.by_key
                .retain(|_, slot| now < slot.lease_until || !slot.queue.is_empty());
            self.tidy_at = self.by_key.len() * 2;
            if self.by_key.len() * 4 < self.by_key.capacity() {
                self.by_key.shrink_to(self.tidy_at);
            }
        }
    }
}

impl Slot {
    fn position(&self, token: &LockToken) -> Option<usize> {
        self.queue.iter().position(|waiter| waiter.token == *token)
    }
}
