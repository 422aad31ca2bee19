//! [`Shared`]: the state that clones of the locks share.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::slots::Slots;
use crate::clock::{Clock, Timestamp};
use crate::entropy::Entropy;
use crate::storage::{LockTicket, Unlock};

/// What the clones share.
pub(super) struct Shared {
    pub(super) clock: Arc<dyn Clock>,
    pub(super) entropy: Arc<dyn Entropy>,
    pub(super) lease: Duration,
    pub(super) max_waiters: usize,
    pub(super) slots: Mutex<Slots>,
}

impl Shared {
    /// The slots change in steps that cannot fail half-way, so a panic elsewhere does not matter.
    pub(super) fn slots(&self) -> MutexGuard<'_, Slots> {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes one step: everything in it happens at one moment. Whoever is to be woken is woken after it.
    pub(super) fn step<T>(&self, step: impl FnOnce(&mut Slots, Timestamp) -> T) -> T {
        let mut slots = self.slots();
        let now = self.clock.now();
        let result = step(&mut slots, now);
        let wakes = slots.take_wakes();
        drop(slots);
        wakes.into_iter().for_each(|wake| wake.notify_one());
        result
    }
}

impl Unlock for Shared {
    fn unlock(&self, ticket: LockTicket) {
        self.step(|slots, now| slots.leave(&ticket, now + self.lease));
    }
}
