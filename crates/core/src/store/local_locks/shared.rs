//! [`SharedLocks`]: the state that clones of the locks share.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::queues::LockQueues;
use crate::clock::{Clock, Timestamp};
use crate::entropy::Entropy;
use crate::storage::{LockId, Unlock};

/// The state that clones of the locks share.
pub(super) struct SharedLocks {
    pub(super) clock: Arc<dyn Clock>,
    pub(super) entropy: Arc<dyn Entropy>,
    pub(super) lease: Duration,
    pub(super) max_waiters: usize,
    pub(super) queues: Mutex<LockQueues>,
}

impl SharedLocks {
    /// Locks the queues. They change in steps that cannot fail half-way, so a poisoned mutex is harmless.
    pub(super) fn queues(&self) -> MutexGuard<'_, LockQueues> {
        self.queues.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes one step, in which everything happens at the same time. The new holders are notified after it.
    pub(super) fn step<T>(&self, step: impl FnOnce(&mut LockQueues, Timestamp) -> T) -> T {
        let mut queues = self.queues();
        let now = self.clock.now();
        let result = step(&mut queues, now);
        let notifies = std::mem::take(&mut queues.notifies);
        // Wakers run outside the mutex.
        drop(queues);
        notifies.into_iter().for_each(|notify| notify.notify_one());
        result
    }
}

impl Unlock for SharedLocks {
    fn unlock(&self, id: LockId) {
        self.step(|queues, now| queues.remove(&id, now + self.lease));
    }
}
