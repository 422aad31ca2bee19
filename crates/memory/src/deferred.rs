//! [`Deferred`]: work that waits until the mutex of a shard is unlocked.

use std::task::Waker;

use sessile_core::Timestamp;

use crate::capacity::Size;
use crate::queue::Queue;

/// The work that a step defers until the mutex is unlocked. Most steps defer nothing, and one flag says so.
#[derive(Default)]
pub(crate) struct Deferred {
    is_any: bool,
    wakers: WakeList,
    earliest: Option<Timestamp>,
    freed: Size,
}

impl Deferred {
    /// Returns whether there is anything to do.
    pub(crate) fn is_any(&self) -> bool {
        self.is_any
    }

    /// Defers a wake-up.
    pub(crate) fn wake(&mut self, waker: Waker) {
        self.is_any = true;
        self.wakers.push(waker);
    }

    /// Defers waking all waiters of a queue.
    pub(crate) fn wake_all(&mut self, queue: Queue) {
        self.is_any = true;
        queue.into_wakers().for_each(|waker| self.wakers.push(waker));
    }

    /// Defers dropping a waker that is not used.
    pub(crate) fn discard(&mut self, waker: Waker) {
        self.is_any = true;
        self.wakers.unused.push(waker);
    }

    /// Defers telling the sweeper that something expires at this moment.
    pub(crate) fn schedule(&mut self, moment: Timestamp) {
        self.is_any = true;
        self.earliest = Some(self.earliest.map_or(moment, |earliest| earliest.min(moment)));
    }

    /// Defers giving capacity back.
    pub(crate) fn free(&mut self, size: Size) {
        if size != Size::default() {
            self.is_any = true;
            self.freed += size;
        }
    }

    /// Takes the moment for the sweeper, the capacity to give back, and the wakers, of which there are mostly none.
    pub(crate) fn take(&mut self) -> (Option<Timestamp>, Size, Option<WakeList>) {
        self.is_any = false;
        let wakers = (!self.wakers.is_empty()).then(|| std::mem::take(&mut self.wakers));
        (self.earliest.take(), std::mem::take(&mut self.freed), wakers)
    }
}

/// Wakers to wake and to drop once the mutex is unlocked: either can run foreign code.
#[derive(Default)]
pub(crate) struct WakeList {
    /// The usual case, which needs no allocation.
    first: Option<Waker>,
    /// Empty unless `first` is taken.
    more: Vec<Waker>,
    unused: Vec<Waker>,
}

impl WakeList {
    fn push(&mut self, waker: Waker) {
        match &self.first {
            None => self.first = Some(waker),
            Some(_) => self.more.push(waker),
        }
    }

    fn is_empty(&self) -> bool {
        self.first.is_none() && self.unused.is_empty()
    }

    /// Wakes all wakers but the unused ones, which are dropped.
    pub(crate) fn wake_all(self) {
        self.first.into_iter().chain(self.more).for_each(Waker::wake);
    }
}
