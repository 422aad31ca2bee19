//! [`LockWaiter`]: a call that waits for a lock.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

use super::queues::Acquisition;
use super::shared::SharedLocks;
use crate::id::SessionKey;
use crate::storage::{LockId, LockToken, StorageErrorKind};

/// The shortest pause between two attempts to take a lock whose lease should be over. Without it, a clock that stands
/// between two of its milliseconds would cause a busy loop.
const MIN_PAUSE: Duration = Duration::from_millis(1);

/// A call that waits for a lock. Dropping it leaves the queue, or passes on a lock that was already handed over.
pub(super) struct LockWaiter<'a> {
    shared: &'a SharedLocks,
    id: LockId,
    notify: Arc<Notify>,
    /// Whether the queues may hold this token.
    registered: bool,
}

impl<'a> LockWaiter<'a> {
    pub(super) fn new(shared: &'a SharedLocks, key: &SessionKey) -> Self {
        let token = LockToken::generate(&*shared.entropy);
        Self {
            shared,
            id: LockId { key: *key, token },
            notify: Arc::default(),
            registered: false,
        }
    }

    /// Waits until the lock is acquired, at most for `wait`.
    pub(super) async fn wait(mut self, wait: Duration) -> Result<LockId, StorageErrorKind> {
        let limit = Instant::now().checked_add(wait);
        loop {
            let may_wait = limit.is_none_or(|limit| Instant::now() < limit);
            let Some(lease_left) = self.try_acquire(may_wait)? else {
                // The caller releases the lock from now on.
                self.registered = false;
                return Ok(self.id);
            };
            // `notify_one` stores a permit, so a notification between the attempt and this await is not missed.
            let retry_at = Instant::now().checked_add(lease_left.max(MIN_PAUSE));
            match retry_at.into_iter().chain(limit).min() {
                Some(retry_at) => drop(tokio::time::timeout_at(retry_at, self.notify.notified()).await),
                None => self.notify.notified().await,
            }
        }
    }

    /// Takes the lock, or returns the time after which to try again without a notification.
    fn try_acquire(&mut self, may_wait: bool) -> Result<Option<Duration>, StorageErrorKind> {
        let SharedLocks { lease, max_waiters, .. } = *self.shared;
        self.registered = true;
        let (id, notify) = (&self.id, &self.notify);
        self.shared
            .step(|queues, now| match queues.try_acquire(id, now, now + lease) {
                Acquisition::Acquired => Ok(None),
                Acquisition::Busy { .. } if !may_wait => Err(StorageErrorKind::LockTimeout),
                Acquisition::Busy {
                    lease_left,
                    queued: true,
                } => Ok(Some(lease_left)),
                // On the first attempt, and after a hand-over that this waiter did not take up within the lease.
                Acquisition::Busy { lease_left, .. } if queues.enqueue(id, notify, max_waiters) => Ok(Some(lease_left)),
                Acquisition::Busy { .. } => Err(StorageErrorKind::TooManyWaiters),
            })
    }
}

impl Drop for LockWaiter<'_> {
    fn drop(&mut self) {
        if self.registered {
            self.shared
                .step(|queues, now| queues.remove(&self.id, now + self.shared.lease));
        }
    }
}
