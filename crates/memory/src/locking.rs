//! How a lock passes from one to the next.
//!
//! The lock of a session is a number, its holder's, and the end of a lease. Who comes while it is held takes a
//! ticket and stands in the queue. When the lock is given up, the ticket of the first in the queue becomes the
//! holder's number in the same step, and its waiter is woken to find that out: nobody can come in between, and no
//! wake-up carries anything that could be lost with it.

use std::task::Waker;
use std::time::Duration;

use sessile_core::{Lookup, SessionKey, StorageErrorKind, Timestamp};

use crate::entry::{Snapshot, Ticket};
use crate::payload::Buffer;
use crate::shard::Settings;
use crate::slab::Slot;
use crate::state::State;

/// A lock that has been taken, and what it protects.
pub(crate) struct Taken {
    pub(crate) ticket: Ticket,
    pub(crate) found: Snapshot,
}

/// Someone who wants a lock.
pub(crate) struct Turn {
    /// The key that was asked for.
    pub(crate) key: SessionKey,
    /// The place in a queue, and under which key that is, as the key that was asked for may be an alias. The ticket is
    /// also the number of the lock, once that is handed over.
    pub(crate) place: Option<(SessionKey, Ticket)>,
}

/// How a try to take a lock went.
pub(crate) enum Try {
    /// What has become of it.
    Done(Result<Lookup<Taken>, StorageErrorKind>),
    /// It takes longer: the waker will be used when it is this one's turn or the session is gone. Something may
    /// also end by then of itself, at the soonest after this time.
    Wait(Duration),
}

impl State {
    /// Takes the lock if it is free. `None` if it is not.
    #[inline]
    pub(crate) fn try_lock(
        &mut self,
        key: &SessionKey,
        buffer: &mut Buffer,
        now: Timestamp,
        settings: &Settings,
    ) -> Option<Lookup<Taken>> {
        match self.place(key, now) {
            Lookup::Missing => Some(Lookup::Missing),
            Lookup::Superseded => Some(Lookup::Superseded),
            Lookup::Found(slot) => self
                .take_if_free(slot, buffer, now, now + settings.lease)
                .map(Lookup::Found),
        }
    }

    /// Takes the lock if it is free or has been handed over, and stands in the queue otherwise, unless the time
    /// for that is over.
    pub(crate) fn wait_turn(
        &mut self,
        turn: &mut Turn,
        waker: &Waker,
        out_of_time: bool,
        buffer: &mut Buffer,
        now: Timestamp,
        settings: &Settings,
    ) -> Try {
        let lease_until = now + settings.lease;
        let mut asked = turn.key;
        if let Some((key, ticket)) = turn.place.take() {
            if let Some(slot) = self.find_live(&key, now) {
                // An alias that led here need not lead here any more.
                asked = key;
                self.end_lease(slot, now, lease_until);
                if self.entries[slot].holder == Some(ticket) {
                    return Try::Done(Ok(Lookup::Found(self.taken(slot, ticket, buffer, lease_until))));
                }
                if !out_of_time && self.still_waits(slot, ticket, waker) {
                    turn.place = Some((key, ticket));
                    return Try::Wait(self.next_event(slot, now));
                }
            }
            // The session is gone, or the time is over, or the lock was handed over and nobody took it up within its
            // lease: what is left of the turn goes, and the question is asked anew.
            self.leave(&key, ticket, lease_until);
        }
        let slot = match self.place(&asked, now) {
            Lookup::Missing => return Try::Done(Ok(Lookup::Missing)),
            Lookup::Superseded => return Try::Done(Ok(Lookup::Superseded)),
            Lookup::Found(slot) => slot,
        };
        if let Some(taken) = self.take_if_free(slot, buffer, now, lease_until) {
            return Try::Done(Ok(Lookup::Found(taken)));
        }
        if out_of_time {
            return Try::Done(Err(StorageErrorKind::LockTimeout));
        }
        if self.waiting(slot) >= settings.max_waiters {
            return Try::Done(Err(StorageErrorKind::TooManyWaiters));
        }
        let ticket = self.ticket();
        let entry = &mut self.entries[slot];
        entry.queue.get_or_insert_default().push(ticket, waker.clone());
        turn.place = Some((entry.key, ticket));
        Try::Wait(self.next_event(slot, now))
    }

    /// How many stand in the queue.
    fn waiting(&self, slot: Slot) -> usize {
        self.entries[slot].queue.as_ref().map_or(0, |queue| queue.len())
    }

    /// Whether the ticket is in the queue; if so, it is this waker that is used from now on.
    fn still_waits(&mut self, slot: Slot, ticket: Ticket, waker: &Waker) -> bool {
        let queue = self.entries[slot].queue.as_mut();
        let Some(used) = queue.and_then(|queue| queue.waker(ticket)) else {
            return false;
        };
        if !used.will_wake(waker) {
            self.aftermath.discard(std::mem::replace(used, waker.clone()));
        }
        true
    }

    /// Goes away: out of the queue or, if the lock has just been handed over, on to the next.
    pub(crate) fn leave(&mut self, key: &SessionKey, ticket: Ticket, lease_until: Timestamp) {
        self.unlock(key, ticket, || lease_until);
        let Some(slot) = self.find(key) else { return };
        let entry = &mut self.entries[slot];
        let waker = entry.queue.as_mut().and_then(|queue| queue.remove(ticket));
        entry.tidy();
        waker.into_iter().for_each(|waker| self.aftermath.discard(waker));
    }

    /// Gives the lock up, if it is this one's, and hands it to the first in the queue with a lease until then.
    pub(crate) fn unlock(&mut self, key: &SessionKey, ticket: Ticket, lease_until: impl FnOnce() -> Timestamp) {
        if let Some(slot) = self.find(key)
            && self.entries[slot].holder == Some(ticket)
        {
            self.give_up(slot, lease_until);
        }
    }

    /// Gives the lock up. Mostly nobody waits for it, and no lease has to be found.
    #[inline]
    pub(crate) fn give_up(&mut self, slot: Slot, lease_until: impl FnOnce() -> Timestamp) {
        let entry = &mut self.entries[slot];
        if entry.queue.is_none() {
            entry.holder = None;
        } else {
            self.hand_over(slot, lease_until());
        }
    }

    pub(crate) fn hand_over(&mut self, slot: Slot, lease_until: Timestamp) {
        let entry = &mut self.entries[slot];
        let next = entry.queue.as_mut().and_then(|queue| queue.pop());
        entry.tidy();
        entry.holder = next.as_ref().map(|(ticket, _)| *ticket);
        entry.lease_until = lease_until;
        if let Some((_, waker)) = next {
            self.aftermath.wake(waker);
        }
    }

    /// Wakes all who wait for the lock, to look at what has changed.
    pub(crate) fn wake_queue(&mut self, slot: Slot) {
        if let Some(queue) = &self.entries[slot].queue {
            queue.wakers().for_each(|waker| self.aftermath.wake(waker));
        }
    }

    /// Hands the lock over if the lease of its holder has ended. A new one would last until `lease_until`.
    fn end_lease(&mut self, slot: Slot, now: Timestamp, lease_until: Timestamp) {
        let entry = &mut self.entries[slot];
        // No lease has longer to go than a new one, even if the clock was set back.
        entry.lease_until = entry.lease_until.min(lease_until);
        if entry.holder.is_some() && entry.lease_until <= now {
            self.hand_over(slot, lease_until);
        }
    }

    /// Whether nobody holds the lock now. Then nobody waits for it either: a lease that is over has been followed by
    /// that of the first in the queue, and whoever gives a lock up hands it to the first in the queue. So whoever goes
    /// on from here overtakes nobody, and leaves nobody who would have to be woken.
    #[inline]
    pub(crate) fn is_free(&mut self, slot: Slot, now: Timestamp, lease_until: Timestamp) -> bool {
        if self.entries[slot].holder.is_some() {
            self.end_lease(slot, now, lease_until);
        }
        let entry = &self.entries[slot];
        debug_assert!(
            entry.holder.is_some() || entry.queue.is_none(),
            "somebody waits for nobody"
        );
        entry.holder.is_none()
    }

    #[inline]
    fn take_if_free(
        &mut self,
        slot: Slot,
        buffer: &mut Buffer,
        now: Timestamp,
        lease_until: Timestamp,
    ) -> Option<Taken> {
        if !self.is_free(slot, now, lease_until) {
            return None;
        }
        let ticket = self.ticket();
        Some(self.taken(slot, ticket, buffer, lease_until))
    }

    #[inline]
    fn taken(&mut self, slot: Slot, ticket: Ticket, buffer: &mut Buffer, lease_until: Timestamp) -> Taken {
        let entry = &mut self.entries[slot];
        entry.holder = Some(ticket);
        entry.lease_until = lease_until;
        Taken {
            ticket,
            found: entry.snapshot(buffer),
        }
    }

    /// How long it is until the lease or the record ends.
    fn next_event(&self, slot: Slot, now: Timestamp) -> Duration {
        let entry = &self.entries[slot];
        let deadline = entry.meta.deadline.unwrap_or(Timestamp::MAX);
        now.until(entry.lease_until.min(deadline))
    }
}
