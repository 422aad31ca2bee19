//! Taking turns: calls of one visit that start, close or update follow each other.
//!
//! The turn is a part of the state. Who has to wait for it stands in a queue, and is given it by whoever had it before:
//! nobody who comes later is faster. Who is given it and does not want it any more passes it on.

use std::mem;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::{Instant, timeout};

use crate::error::SessionError;
use crate::visit::state::State;
use crate::visit::{Context, stack};

/// A visit's turn to start, close or update. The state is not to be locked when it is dropped.
pub(super) struct OperationGuard<'a> {
    /// The visit, if the turn is to be passed on. Nested inside an update there was none to wait for.
    of: Option<&'a Context>,
    /// For how long the lock may still be waited for.
    pub(super) patience: Duration,
}

impl Drop for OperationGuard<'_> {
    #[inline]
    fn drop(&mut self) {
        if let Some(context) = self.of {
            context.end_operation();
        }
    }
}

/// A place in the queue for the turn.
struct Waiting<'a> {
    context: &'a Context,
    given: oneshot::Receiver<()>,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        // From here on it is given to others. It may have been given to this one just before.
        self.given.close();
        if self.given.try_recv().is_ok() {
            self.context.end_operation();
        }
    }
}

impl State {
    /// Takes the turn if nobody has it.
    fn try_claim(&mut self) -> bool {
        !mem::replace(&mut self.is_operating, true)
    }
}

impl Context {
    /// Takes the turn if it is free, or nobody has to wait for it.
    pub(super) fn try_begin_operation(&self) -> Option<OperationGuard<'_>> {
        if stack::is_updating(self) {
            return Some(self.operation_guard(None));
        }
        let is_free = self.state().try_claim();
        is_free.then(|| self.operation_guard(Some(self)))
    }

    /// Waits for the calls that came before, at most for as long as for a lock: a call that an update waits for, and
    /// that waits for that update, would wait for ever.
    pub(super) async fn begin_operation(&self) -> Result<OperationGuard<'_>, SessionError> {
        if let Some(turn) = self.try_begin_operation() {
            return Ok(turn);
        }
        let wait = self.settings.lock_wait;
        let began = Instant::now();
        // Those who have to wait can as well allocate what it takes.
        let turn = match tokio::runtime::Handle::try_current() {
            Ok(_) => Box::pin(timeout(wait, self.wait_for_operation())).await,
            // Without a runtime there is no timer.
            Err(_) => Ok(Box::pin(self.wait_for_operation()).await),
        };
        let mut turn = turn.map_err(|_| SessionError::LockTimeout)?;
        turn.patience = wait.saturating_sub(began.elapsed());
        Ok(turn)
    }

    async fn wait_for_operation(&self) -> OperationGuard<'_> {
        let (give, given) = oneshot::channel();
        let mut waiting = Waiting { context: self, given };
        {
            let mut state = self.state();
            if state.try_claim() {
                return self.operation_guard(Some(self));
            }
            state.cold_mut().queue.push_back(give);
        }
        let given = (&mut waiting.given).await;
        given.expect("whoever has the turn passes it on");
        self.operation_guard(Some(self))
    }

    fn operation_guard<'a>(&self, of: Option<&'a Self>) -> OperationGuard<'a> {
        let patience = self.settings.lock_wait;
        OperationGuard { of, patience }
    }

    /// Gives the turn to the next who waits for it.
    fn end_operation(&self) {
        loop {
            let next = {
                let mut state = self.state();
                let next = state.cold.as_mut().and_then(|cold| cold.queue.pop_front());
                state.is_operating = next.is_some();
                next
            };
            // This wakes, which is code of others. Who has gone meanwhile is passed over.
            if next.is_none_or(|next| next.send(()).is_ok()) {
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests;
