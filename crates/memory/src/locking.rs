//! How a lock passes from one to the next.
//!
//! The lock of a session is a number, its holder's, and the end of a lease. Who comes while it is held takes a
//! ticket and stands in the queue. When the lock is given up, the ticket of the first in the queue becomes the
//! holder's number in the same step, and its waiter is woken to find that out: nobody can come in between, and no
//! wake-up carries anything that could be lost with it.

use std::task::Waker;
use std::time::Duration;

use sessile_core::{Lookup, Record, SessionKey, StorageErrorKind, Timestamp};

use crate::entry::Ticket;
use crate::shard::Settings;
use crate::slab::Slot;
use crate::state::State;

/// A lock that has been taken, and what it protects.
pub(crate) struct Taken {
    pub(crate) key: SessionKey,
    pub(crate) ticket: Ticket,
    pub(crate) record: Record,
}

/// Someone who wants a lock.
pub(crate) struct Turn {
    /// The key that was asked for or, once there is a ticket, the one it waits at.
    pub(crate) key: SessionKey,
    /// The place in the queue. It is also the number of the lock, once that is handed over.
    pub(crate) ticket: Option<Ticket>,
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
    /// Takes the lock if it is free.
    pub(crate) fn try_lock(
        &mut self,
        key: &SessionKey,
        now: Timestamp,
        settings: &Settings,
    ) -> Result<Lookup<Taken>, StorageErrorKind> {
        match self.place(key, now) {
            Lookup::Missing => Ok(Lookup::Missing),
            Lookup::Superseded => Ok(Lookup::Superseded),
            Lookup::Found(slot) => {
                let lease_until = now + settings.lease;
                self.end_lease(slot, now, lease_until);
                if self.entries[slot].holder.is_some() {
                    return Err(StorageErrorKind::LockTimeout);
                }
                let ticket = self.ticket();
                Ok(Lookup::Found(self.taken(slot, ticket, lease_until)))
            }
        }
    }

    /// Takes the lock if it is free or has been handed over, and stands in the queue otherwise, unless the time
    /// for that is over.
    pub(crate) fn wait_turn(
        &mut self,
        turn: &mut Turn,
        waker: Waker,
        out_of_time: bool,
        now: Timestamp,
        settings: &Settings,
    ) -> Try {
        let lease_until = now + settings.lease;
        let mut unused = Some(waker);
        if let Some(ticket) = turn.ticket.take() {
            if let Some(slot) = self.find_live(&turn.key, now) {
                self.end_lease(slot, now, lease_until);
                if self.entries[slot].holder == Some(ticket) {
                    return Try::Done(Ok(Lookup::Found(self.taken(slot, ticket, lease_until))));
                }
                if out_of_time {
                    self.leave(&turn.key, ticket, lease_until);
                    self.discard(unused);
                    return Try::Done(Err(StorageErrorKind::LockTimeout));
                }
                let queued = self.entries[slot].extra.as_mut().zip(unused.take());
                if let Some((extra, waker)) = queued {
                    let (waits, old) = extra.queue.renew(ticket, waker);
                    if waits {
                        self.wakes.discard(old);
                        turn.ticket = Some(ticket);
                        return Try::Wait(self.next_event(slot, now));
                    }
                    unused = Some(old);
                }
            } else {
                self.leave(&turn.key, ticket, lease_until);
            }
            // The session is gone, or the lock was handed over and nobody took it up within its lease: ask anew.
        }
        let result = match self.try_lock(&turn.key, now, settings) {
            Err(StorageErrorKind::LockTimeout) if !out_of_time => match self.place(&turn.key, now) {
                Lookup::Found(slot) => {
                    let ticket = self.ticket();
                    let entry = &mut self.entries[slot];
                    let key = entry.key;
                    let queue = &mut entry.extra().queue;
                    if queue.len() < settings.max_waiters
                        && let Some(waker) = unused.take()
                    {
                        queue.push(ticket, waker);
                        *turn = Turn {
                            key,
                            ticket: Some(ticket),
                        };
                        return Try::Wait(self.next_event(slot, now));
                    }
                    entry.tidy();
                    Err(StorageErrorKind::TooManyWaiters)
                }
                Lookup::Missing => Ok(Lookup::Missing),
                Lookup::Superseded => Ok(Lookup::Superseded),
            },
            done => done,
        };
        self.discard(unused);
        Try::Done(result)
    }

    /// Goes away: out of the queue or, if the lock has just been handed over, on to the next.
    pub(crate) fn leave(&mut self, key: &SessionKey, ticket: Ticket, lease_until: Timestamp) {
        self.unlock(key, ticket, lease_until);
        let Some(slot) = self.find(key) else { return };
        let entry = &mut self.entries[slot];
        let waker = entry.extra.as_mut().and_then(|extra| extra.queue.remove(ticket));
        entry.tidy();
        self.discard(waker);
    }

    /// Gives the lock up, if it is this one's, and hands it to the first in the queue with a lease until then.
    pub(crate) fn unlock(&mut self, key: &SessionKey, ticket: Ticket, lease_until: Timestamp) {
        if let Some(slot) = self.find(key)
            && self.entries[slot].holder == Some(ticket)
        {
            self.hand_over(slot, lease_until);
        }
    }

    pub(crate) fn hand_over(&mut self, slot: Slot, lease_until: Timestamp) {
        let entry = &mut self.entries[slot];
        let next = entry.extra.as_mut().and_then(|extra| extra.queue.pop());
        entry.tidy();
        entry.holder = next.as_ref().map(|(ticket, _)| *ticket);
        entry.lease_until = lease_until;
        if let Some((_, waker)) = next {
            self.wakes.wake(waker);
        }
    }

    /// Wakes all who wait for the lock, to look at what has changed.
    pub(crate) fn wake_queue(&mut self, slot: Slot) {
        if let Some(extra) = &self.entries[slot].extra {
            extra.queue.wakers().for_each(|waker| self.wakes.wake(waker));
        }
    }

    /// Hands the lock over if the lease of its holder has ended.
    fn end_lease(&mut self, slot: Slot, now: Timestamp, lease_until: Timestamp) {
        let entry = &self.entries[slot];
        if entry.holder.is_some() && entry.lease_until <= now {
            self.hand_over(slot, lease_until);
        }
    }

    fn taken(&mut self, slot: Slot, ticket: Ticket, lease_until: Timestamp) -> Taken {
        let entry = &mut self.entries[slot];
        entry.holder = Some(ticket);
        entry.lease_until = lease_until;
        Taken {
            key: entry.key,
            ticket,
            record: entry.record.clone(),
        }
    }

    /// How long it is until the lease or the record ends.
    fn next_event(&self, slot: Slot, now: Timestamp) -> Duration {
        let entry = &self.entries[slot];
        let deadline = entry.record.meta.deadline.unwrap_or(Timestamp::MAX);
        now.until(entry.lease_until.min(deadline))
    }

    fn discard(&mut self, waker: Option<Waker>) {
        waker.into_iter().for_each(|waker| self.wakes.discard(waker));
    }
}
