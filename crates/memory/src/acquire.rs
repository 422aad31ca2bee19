//! [`Acquire`]: a future that waits for a lock.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use sessile_core::{Locked, Lookup, SessionKey, StorageErrorKind};

use crate::locking::{Attempt, Waiter};
use crate::payload::Buffer;
use crate::shard::Shard;
use crate::timer::{Instant, Timer};

/// Waits for a lock. Dropped, it leaves the queue or, if the lock was already handed over to it, passes the lock on.
pub(crate) struct Acquire {
    shard: Arc<Shard>,
    waiter: Waiter,
    /// `None` if the limit is too far away to be represented.
    limit: Option<Instant>,
    timer: Timer,
}

impl Acquire {
    pub(crate) fn new(shard: Arc<Shard>, key: SessionKey, wait: Duration) -> Self {
        Self {
            shard,
            waiter: Waiter { key, queued: None },
            limit: Instant::now().checked_add(wait),
            timer: Timer::default(),
        }
    }
}

impl Future for Acquire {
    type Output = Result<Lookup<Locked>, StorageErrorKind>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let Self {
            shard,
            waiter,
            limit,
            timer,
        } = self.get_mut();
        loop {
            let moment = Instant::now();
            let is_over = limit.is_some_and(|limit| limit <= moment);
            let waker = cx.waker();
            let mut buffer = Buffer::new();
            let attempt =
                shard.step(|state, now| state.poll_lock(waiter, waker, is_over, &mut buffer, now, &shard.options));
            let event = match attempt {
                Attempt::Done(result) => {
                    return Poll::Ready(result.map(|found| found.map(|acquired| shard.locked(acquired, &buffer))));
                }
                Attempt::Pending(time) => moment.checked_add(time),
            };
            // The end of the lease, the deadline of the record or the limit, whichever comes first.
            let Some(next) = event.into_iter().chain(*limit).min() else {
                return Poll::Pending;
            };
            if timer.poll_at(next, cx).is_pending() {
                return Poll::Pending;
            }
        }
    }
}

impl Drop for Acquire {
    fn drop(&mut self) {
        if let Some((key, ticket)) = self.waiter.queued.take() {
            let shard = &self.shard;
            shard.step(|state, now| state.cancel_wait(&key, ticket, now + shard.options.lease));
        }
    }
}
