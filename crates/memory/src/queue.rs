//! [`Queue`]: the wait queue of a lock.

use std::collections::VecDeque;
use std::num::NonZeroU64;
use std::task::Waker;

/// The number of a lock, or of a waiter in the queue for it. A waiter's number becomes the number of the lock when the
/// lock is handed over to it.
///
/// Numbers ascend within a shard, and none is given twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Ticket(pub(crate) NonZeroU64);

/// Waiters for a lock, first in, first out. Their tickets ascend.
#[derive(Default)]
pub(crate) struct Queue(VecDeque<Queued>);

struct Queued {
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

    /// Adds a waiter, whose ticket must be newer than all others.
    pub(crate) fn push(&mut self, ticket: Ticket, waker: Waker) {
        self.0.push_back(Queued { ticket, waker });
    }

    /// Removes the waiter at the head of the queue.
    pub(crate) fn pop(&mut self) -> Option<(Ticket, Waker)> {
        self.0.pop_front().map(|queued| (queued.ticket, queued.waker))
    }

    /// Returns the waker of a waiter, if its ticket is in the queue.
    pub(crate) fn waker(&mut self, ticket: Ticket) -> Option<&mut Waker> {
        let index = self.index(ticket)?;
        Some(&mut self.0[index].waker)
    }

    /// Removes a waiter.
    pub(crate) fn remove(&mut self, ticket: Ticket) -> Option<Waker> {
        let index = self.index(ticket)?;
        self.0.remove(index).map(|queued| queued.waker)
    }

    /// Clones the wakers of all waiters.
    pub(crate) fn wakers(&self) -> impl Iterator<Item = Waker> {
        self.0.iter().map(|queued| queued.waker.clone())
    }

    /// Takes the wakers of all waiters.
    pub(crate) fn into_wakers(self) -> impl Iterator<Item = Waker> {
        self.0.into_iter().map(|queued| queued.waker)
    }

    fn index(&self, ticket: Ticket) -> Option<usize> {
        self.0.binary_search_by_key(&ticket, |queued| queued.ticket).ok()
    }
}
