//! Acquiring locks, waiting for them, and handing them over.
//!
//! The lock of a session is the ticket of its holder and the end of its lease. A caller that finds the lock held takes
//! a ticket and joins the wait queue. Releasing the lock makes the ticket at the head of the queue the holder in the
//! same step, and wakes its waiter, which then finds the lock its own: no newcomer can get in between, and a wake-up
//! carries nothing that could be lost with it.

use std::task::Waker;
use std::time::Duration;

use sessile_core::{Lookup, SessionKey, StorageErrorKind, Timestamp};

use crate::entry::Snapshot;
use crate::options::Options;
use crate::payload::Buffer;
use crate::queue::Ticket;
use crate::slab::Slot;
use crate::state::State;

/// A lock that was acquired, and the record it protects.
pub(crate) struct Acquired {
    pub(crate) ticket: Ticket,
    pub(crate) snapshot: Snapshot,
}

/// A caller that waits for a lock.
pub(crate) struct Waiter {
    /// The key that was asked for.
    pub(crate) key: SessionKey,
    /// The ticket in a queue and the key of that queue, which is another one if `key` is an alias. The ticket becomes
    /// the number of the lock when the lock is handed over.
    pub(crate) queued: Option<(SessionKey, Ticket)>,
}

/// The result of an attempt to acquire a lock.
pub(crate) enum Attempt {
    Done(Result<Lookup<Acquired>, StorageErrorKind>),
    /// The waker is woken when the lock is handed over or the session is gone. The lease or the record may also end by
    /// itself, after this time at the earliest.
    Pending(Duration),
}

impl State {
    /// Acquires the lock if it is free. Returns `None` if it is not.
    #[inline]
    pub(crate) fn try_lock(
        &mut self,
        key: &SessionKey,
        buffer: &mut Buffer,
        now: Timestamp,
        options: &Options,
    ) -> Option<Lookup<Acquired>> {
        match self.lookup(key, now) {
            Lookup::Missing => Some(Lookup::Missing),
            Lookup::Superseded => Some(Lookup::Superseded),
            Lookup::Found(slot) => self
                .acquire_if_free(slot, buffer, now, now + options.lease)
                .map(Lookup::Found),
        }
    }

    /// Acquires the lock if it is free or was handed over to the waiter. Joins the wait queue otherwise, unless the
    /// time for that `is_over`.
    pub(crate) fn poll_lock(
        &mut self,
        waiter: &mut Waiter,
        waker: &Waker,
        is_over: bool,
        buffer: &mut Buffer,
        now: Timestamp,
        options: &Options,
    ) -> Attempt {
        let lease_until = now + options.lease;
        let mut wanted = waiter.key;
        if let Some((key, ticket)) = waiter.queued.take() {
            if let Some(slot) = self.find_live(&key, now) {
                // The alias that led here may have ended meanwhile, so the session is asked for by its present key.
                wanted = key;
                self.expire_lease(slot, now, lease_until);
                if self.entries[slot].holder == Some(ticket) {
                    return Attempt::Done(Ok(Lookup::Found(self.acquire(slot, ticket, buffer, lease_until))));
                }
                if !is_over && self.update_waker(slot, ticket, waker) {
                    waiter.queued = Some((key, ticket));
                    return Attempt::Pending(self.next_event(slot, now));
                }
            }
            // The session is gone, or the time is over, or the lock was handed over and its lease ended before the
            // waiter was polled: the ticket is void, and the waiter starts over.
            self.cancel_wait(&key, ticket, lease_until);
        }
        let slot = match self.lookup(&wanted, now) {
            Lookup::Missing => return Attempt::Done(Ok(Lookup::Missing)),
            Lookup::Superseded => return Attempt::Done(Ok(Lookup::Superseded)),
            Lookup::Found(slot) => slot,
        };
        if let Some(acquired) = self.acquire_if_free(slot, buffer, now, lease_until) {
            return Attempt::Done(Ok(Lookup::Found(acquired)));
        }
        if is_over {
            return Attempt::Done(Err(StorageErrorKind::LockTimeout));
        }
        let waiters = self.entries[slot].queue.as_ref().map_or(0, |queue| queue.len());
        if waiters >= options.max_waiters {
            return Attempt::Done(Err(StorageErrorKind::TooManyWaiters));
        }
        let ticket = self.next_ticket();
        let entry = &mut self.entries[slot];
        entry.queue.get_or_insert_default().push(ticket, waker.clone());
        waiter.queued = Some((entry.key, ticket));
        Attempt::Pending(self.next_event(slot, now))
    }

    /// Stores the waker of a waiter that is polled again. Returns `false` if its ticket is not in the queue.
    fn update_waker(&mut self, slot: Slot, ticket: Ticket, waker: &Waker) -> bool {
        let queue = self.entries[slot].queue.as_mut();
        let Some(stored) = queue.and_then(|queue| queue.waker(ticket)) else {
            return false;
        };
        if !stored.will_wake(waker) {
            self.deferred.discard(std::mem::replace(stored, waker.clone()));
        }
        true
    }

    /// Removes a waiter from the queue or, if the lock was just handed over to it, hands the lock over to the next.
    pub(crate) fn cancel_wait(&mut self, key: &SessionKey, ticket: Ticket, lease_until: Timestamp) {
        self.unlock(key, ticket, || lease_until);
        let Some(slot) = self.find(key) else { return };
        let entry = &mut self.entries[slot];
        let waker = entry.queue.as_mut().and_then(|queue| queue.remove(ticket));
        entry.drop_empty_queue();
        waker.into_iter().for_each(|waker| self.deferred.discard(waker));
    }

    /// Releases the lock if this ticket holds it.
    pub(crate) fn unlock(&mut self, key: &SessionKey, ticket: Ticket, lease_until: impl FnOnce() -> Timestamp) {
        if let Some(slot) = self.find(key)
            && self.entries[slot].holder == Some(ticket)
        {
            self.release(slot, lease_until);
        }
    }

    /// Releases the lock, and hands it over to the head of the queue with a lease until `lease_until`. The lease is
    /// computed only if there is a waiter: mostly there is none.
    #[inline]
    pub(crate) fn release(&mut self, slot: Slot, lease_until: impl FnOnce() -> Timestamp) {
        let entry = &mut self.entries[slot];
        if entry.queue.is_none() {
            entry.holder = None;
        } else {
            self.hand_over(slot, lease_until());
        }
    }

    /// Makes the head of the queue the holder, and wakes it. The lock is never free between the two holders.
    pub(crate) fn hand_over(&mut self, slot: Slot, lease_until: Timestamp) {
        let entry = &mut self.entries[slot];
        let next = entry.queue.as_mut().and_then(|queue| queue.pop());
        entry.drop_empty_queue();
        entry.holder = next.as_ref().map(|(ticket, _)| *ticket);
        entry.lease_until = lease_until;
        if let Some((_, waker)) = next {
            self.deferred.wake(waker);
        }
    }

    /// Wakes all waiters, which then look at the entry again.
    pub(crate) fn wake_waiters(&mut self, slot: Slot) {
        if let Some(queue) = &self.entries[slot].queue {
            queue.wakers().for_each(|waker| self.deferred.wake(waker));
        }
    }

    /// Hands the lock over if the lease of its holder has ended. The new lease lasts until `lease_until`.
    fn expire_lease(&mut self, slot: Slot, now: Timestamp, lease_until: Timestamp) {
        let entry = &mut self.entries[slot];
        // No lease lasts longer than a new one would, even if the clock was set back.
        entry.lease_until = entry.lease_until.min(lease_until);
        if entry.holder.is_some() && entry.lease_until <= now {
            self.hand_over(slot, lease_until);
        }
    }

    /// Returns whether the lock is free now. If it is, there are no waiters either: both the end of a lease and a
    /// release hand the lock over to the head of the queue. So a caller that goes on from here overtakes no waiter,
    /// and has none to wake.
    #[inline]
    pub(crate) fn is_free(&mut self, slot: Slot, now: Timestamp, lease_until: Timestamp) -> bool {
        if self.entries[slot].holder.is_some() {
            self.expire_lease(slot, now, lease_until);
        }
        let entry = &self.entries[slot];
        debug_assert!(
            entry.holder.is_some() || entry.queue.is_none(),
            "a free lock has waiters"
        );
        entry.holder.is_none()
    }

    #[inline]
    fn acquire_if_free(
        &mut self,
        slot: Slot,
        buffer: &mut Buffer,
        now: Timestamp,
        lease_until: Timestamp,
    ) -> Option<Acquired> {
        if !self.is_free(slot, now, lease_until) {
            return None;
        }
        let ticket = self.next_ticket();
        Some(self.acquire(slot, ticket, buffer, lease_until))
    }

    #[inline]
    fn acquire(&mut self, slot: Slot, ticket: Ticket, buffer: &mut Buffer, lease_until: Timestamp) -> Acquired {
        let entry = &mut self.entries[slot];
        entry.holder = Some(ticket);
        entry.lease_until = lease_until;
        Acquired {
            ticket,
            snapshot: entry.snapshot(buffer),
        }
    }

    /// Returns the time until the lease or the record ends.
    fn next_event(&self, slot: Slot, now: Timestamp) -> Duration {
        let entry = &self.entries[slot];
        let deadline = entry.meta.deadline.unwrap_or(Timestamp::MAX);
        now.until(entry.lease_until.min(deadline))
    }
}
