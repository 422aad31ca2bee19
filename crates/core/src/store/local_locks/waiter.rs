//! [`Waiter`]: someone who wants a lock.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

use super::shared::Shared;
use super::slots::Look;
use crate::id::SessionKey;
use crate::storage::{LockTicket, LockToken, StorageErrorKind};

/// The shortest pause between two looks at a lock whose lease should be over: what the clock does between two of its
/// milliseconds is not to make a busy loop.
const PAUSE: Duration = Duration::from_millis(1);

/// Someone who wants a lock. Dropped, he leaves the queue or, if the lock has come to him, passes it on.
pub(super) struct Waiter<'a> {
    shared: &'a Shared,
    ticket: LockTicket,
    wake: Arc<Notify>,
    /// Whether there may be something in the slots under this token.
    involved: bool,
}

impl<'a> Waiter<'a> {
    pub(super) fn new(shared: &'a Shared, key: &SessionKey) -> Self {
        let token = LockToken::generate(&*shared.entropy);
        Self {
            shared,
            ticket: LockTicket { key: *key, token },
            wake: Arc::default(),
            involved: false,
        }
    }

    /// Waits until it is his turn.
    pub(super) async fn wait(mut self, wait: Duration) -> Result<LockTicket, StorageErrorKind> {
        let limit = Instant::now().checked_add(wait);
        loop {
            let patient = limit.is_none_or(|limit| Instant::now() < limit);
            let Some(time) = self.look(patient)? else {
                self.involved = false;
                return Ok(self.ticket);
            };
            // The notification keeps: one that comes before it is waited for is not missed.
            let again = Instant::now().checked_add(time.max(PAUSE));
            match again.into_iter().chain(limit).min() {
                Some(again) => drop(tokio::time::timeout_at(again, self.wake.notified()).await),
                None => self.wake.notified().await,
            }
        }
    }

    /// Takes the lock, or says when to look again if nothing happens before.
    fn look(&mut self, patient: bool) -> Result<Option<Duration>, StorageErrorKind> {
        let Shared { lease, max_waiters, .. } = *self.shared;
        self.involved = true;
        let (ticket, wake) = (&self.ticket, &self.wake);
        self.shared
            .step(|slots, now| match slots.look(ticket, now, now + lease) {
                Look::Taken => Ok(None),
                Look::Busy { .. } if !patient => Err(StorageErrorKind::LockTimeout),
                Look::Busy { time, queued: true } => Ok(Some(time)),
                // At first, and when the lock was handed over and nobody came to take it within its lease.
                Look::Busy { time, .. } if slots.enqueue(ticket, wake, max_waiters) => Ok(Some(time)),
                Look::Busy { .. } => Err(StorageErrorKind::TooManyWaiters),
            })
    }
}

impl Drop for Waiter<'_> {
    fn drop(&mut self) {
        if self.involved {
            self.shared
                .step(|slots, now| slots.leave(&self.ticket, now + self.shared.lease));
        }
    }
}
