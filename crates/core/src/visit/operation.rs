//! Mutual exclusion of operations: the calls of one visit that start, close or run a transaction run one after the
//! other.
//!
//! The flag and the wait queue are part of the visit's state. A finished operation hands over to the first waiter
//! directly, so the order is first come, first served. A waiter that is dropped after the hand-over passes it on.

use std::mem;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::{Instant, timeout};

use crate::error::SessionError;
use crate::visit::state::State;
use crate::visit::{Context, stack};

/// The exclusive right to start, close or run a transaction within a visit. Must not be dropped while the state is
/// locked.
pub(super) struct OperationGuard<'a> {
    /// The visit to hand over to the next waiter. `None` inside a transaction, whose own guard covers the nested
    /// operation.
    context: Option<&'a Context>,
    /// The time that the operation may still wait for the session's lock.
    pub(super) remaining_wait: Duration,
}

impl Drop for OperationGuard<'_> {
    #[inline]
    fn drop(&mut self) {
        if let Some(context) = self.context {
            context.end_operation();
        }
    }
}

/// An entry in the wait queue.
struct Waiter<'a> {
    context: &'a Context,
    granted: oneshot::Receiver<()>,
}

impl Drop for Waiter<'_> {
    fn drop(&mut self) {
        // Close first, so that no hand-over can arrive any more; then pass on one that arrived before.
        self.granted.close();
        if self.granted.try_recv().is_ok() {
            self.context.end_operation();
        }
    }
}

impl State {
    /// Claims the right to operate if it is free.
    fn try_claim(&mut self) -> bool {
        !mem::replace(&mut self.is_operating, true)
    }
}

impl Context {
    /// Returns a guard if no operation is running, or if the current code is inside a transaction of the visit.
    pub(super) fn try_begin_operation(&self) -> Option<OperationGuard<'_>> {
        if stack::is_in_transaction(self) {
            return Some(self.operation_guard(None));
        }
        let is_free = self.state().try_claim();
        is_free.then(|| self.operation_guard(Some(self)))
    }

    /// Waits for earlier operations, at most as long as for the session's lock. The limit resolves a deadlock: an
    /// transaction that waits for an operation that waits for the transaction.
    pub(super) async fn begin_operation(&self) -> Result<OperationGuard<'_>, SessionError> {
        if let Some(guard) = self.try_begin_operation() {
            return Ok(guard);
        }
        let wait = self.settings.lock_wait;
        let began = Instant::now();
        // Box the slow path: only waiters pay for it.
        let guard = match tokio::runtime::Handle::try_current() {
            Ok(_) => Box::pin(timeout(wait, self.wait_for_operation())).await,
            // The timer needs a runtime.
            Err(_) => Ok(Box::pin(self.wait_for_operation()).await),
        };
        let mut guard = guard.map_err(|_| SessionError::LockTimeout)?;
        guard.remaining_wait = wait.saturating_sub(began.elapsed());
        Ok(guard)
    }

    async fn wait_for_operation(&self) -> OperationGuard<'_> {
        let (grant, granted) = oneshot::channel();
        let mut waiter = Waiter { context: self, granted };
        {
            let mut state = self.state();
            // Checked again under the same lock that the hand-over takes, so that no wake-up is lost.
            if state.try_claim() {
                return self.operation_guard(Some(self));
            }
            state.cold_mut().queue.push_back(grant);
        }
        let granted = (&mut waiter.granted).await;
        granted.expect("a dropped guard hands over to the first waiter");
        self.operation_guard(Some(self))
    }

    fn operation_guard<'a>(&self, context: Option<&'a Self>) -> OperationGuard<'a> {
        let remaining_wait = self.settings.lock_wait;
        OperationGuard {
            context,
            remaining_wait,
        }
    }

    /// Hands over to the first waiter, or marks the visit as free.
    fn end_operation(&self) {
        loop {
            let next = {
                let mut state = self.state();
                let next = state.cold.as_mut().and_then(|cold| cold.queue.pop_front());
                // The flag stays set during a hand-over, so that a newcomer cannot overtake the waiter.
                state.is_operating = next.is_some();
                next
            };
            // Sending wakes the waiter, which may run foreign code, so the state is unlocked. Skip waiters that have
            // gone.
            if next.is_none_or(|next| next.send(()).is_ok()) {
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests;
