//! [`Waiting`]: a future that stands in the queue.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use sessile_core::{Locked, Lookup, SessionKey, StorageErrorKind};

use crate::locking::{Try, Turn};
use crate::payload::Buffer;
use crate::shard::Shard;
use crate::timer::{Alarm, Instant};

/// Waits for a lock. Dropped, it leaves the queue or, if the lock has come to it, passes it on.
pub(crate) struct Waiting {
    shard: Arc<Shard>,
    turn: Turn,
    /// `None` if the limit is beyond all time.
    limit: Option<Instant>,
    alarm: Alarm,
}

impl Waiting {
    pub(crate) fn new(shard: Arc<Shard>, key: SessionKey, wait: Duration) -> Self {
        Self {
            shard,
            turn: Turn { key, place: None },
            limit: Instant::now().checked_add(wait),
            alarm: Alarm::default(),
        }
    }
}

impl Future for Waiting {
    type Output = Result<Lookup<Locked>, StorageErrorKind>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let Self {
            shard,
            turn,
            limit,
            alarm,
        } = self.get_mut();
        loop {
            let moment = Instant::now();
            let out_of_time = limit.is_some_and(|limit| limit <= moment);
            let waker = cx.waker();
            let mut buffer = Buffer::new();
            let tried =
                shard.step(|state, now| state.wait_turn(turn, waker, out_of_time, &mut buffer, now, &shard.settings));
            let event = match tried {
                Try::Done(result) => {
                    return Poll::Ready(result.map(|found| found.map(|taken| shard.locked(taken, &buffer))));
                }
                Try::Wait(time) => moment.checked_add(time),
            };
            let Some(next) = event.into_iter().chain(*limit).min() else {
                return Poll::Pending;
            };
            if alarm.poll_at(next, cx).is_pending() {
                return Poll::Pending;
            }
        }
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        if let Some((key, ticket)) = self.turn.place.take() {
            let shard = &self.shard;
            shard.step(|state, now| state.leave(&key, ticket, now + shard.settings.lease));
        }
    }
}
