//! [`Queue`]: those who wait for one lock, in the order in which they came.

use std::collections::VecDeque;
use std::task::Waker;

use crate::entry::Ticket;

/// Waiters, first come first served. Tickets ascend.
#[derive(Default)]
pub(crate) struct Queue(VecDeque<Waiter>);

struct Waiter {
    ticket: Ticket,
    waker: Waker,
}

impl Queue {
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Adds a waiter whose ticket is newer than all others.
    pub(crate) fn push(&mut self, ticket: Ticket, waker: Waker) {
        self.0.push_back(Waiter { ticket, waker });
    }

    /// Takes the waiter who has waited longest.
    pub(crate) fn pop(&mut self) -> Option<(Ticket, Waker)> {
        self.0.pop_front().map(|waiter| (waiter.ticket, waiter.waker))
    }

    /// What wakes the holder of a ticket, if it waits here.
    pub(crate) fn waker(&mut self, ticket: Ticket) -> Option<&mut Waker> {
        let index = self.index(ticket)?;
        Some(&mut self.0[index].waker)
    }

    /// Removes a waiter.
    pub(crate) fn remove(&mut self, ticket: Ticket) -> Option<Waker> {
        let index = self.index(ticket)?;
        self.0.remove(index).map(|waiter| waiter.waker)
    }

    /// The wakers of all who wait.
    pub(crate) fn wakers(&self) -> impl Iterator<Item = Waker> {
        self.0.iter().map(|waiter| waiter.waker.clone())
    }

    fn index(&self, ticket: Ticket) -> Option<usize> {
        self.0.binary_search_by_key(&ticket, |waiter| waiter.ticket).ok()
    }
}

/// Wakers to use, and to drop, once the shard is no longer locked: both can run code of others.
#[derive(Default)]
pub(crate) struct Wakes {
    /// The usual case, which needs no allocation.
    first: Option<Waker>,
    more: Vec<Waker>,
    unused: Vec<Waker>,
}

impl Wakes {
    pub(crate) fn wake(&mut self, waker: Waker) {
        match &self.first {
            None => self.first = Some(waker),
            // Only then, so whoever looks at the first knows of these.
            Some(_) => self.more.push(waker),
        }
    }

    pub(crate) fn wake_all(&mut self, queue: Queue) {
        queue.0.into_iter().for_each(|waiter| self.wake(waiter.waker));
    }

    pub(crate) fn discard(&mut self, waker: Waker) {
        self.unused.push(waker);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.first.is_none() && self.unused.is_empty()
    }

    /// Wakes them all.
    pub(crate) fn fire(self) {
        self.first.into_iter().chain(self.more).for_each(Waker::wake);
    }
}
