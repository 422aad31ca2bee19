//! Taking turns: calls of one visit that start, close or update follow each other.
//!
//! The turn is a part of the state. Who has to wait for it stands in a queue, and is given it by whoever had it before:
//! nobody who comes later is faster. Who is given it and does not want it any more passes it on.

use std::mem;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::{Instant, timeout};

use super::state::State;
use super::{Context, current};
use crate::error::SessionError;

/// A visit's turn to start, close or update. The state is not to be locked when it is dropped.
pub(super) struct Turn<'a> {
    /// The visit, if the turn is to be passed on. Nested inside an update there was none to wait for.
    of: Option<&'a Context>,
    /// For how long the lock may still be waited for.
    pub(super) patience: Duration,
}

impl Drop for Turn<'_> {
    #[inline]
    fn drop(&mut self) {
        if let Some(context) = self.of {
            context.pass_turn_on();
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
            self.context.pass_turn_on();
        }
    }
}

impl State {
    /// Takes the turn if nobody has it.
    fn take_turn(&mut self) -> bool {
        !mem::replace(&mut self.turn_is_taken, true)
    }
}

impl Context {
    /// Takes the turn if it is free, or nobody has to wait for it.
    pub(super) fn turn_at_once(&self) -> Option<Turn<'_>> {
        if current::is_updating(self) {
            return Some(self.turn_of(None));
        }
        let is_free = self.state().take_turn();
        is_free.then(|| self.turn_of(Some(self)))
    }

    /// Waits for the calls that came before, at most for as long as for a lock: a call that an update waits for, and
    /// that waits for that update, would wait for ever.
    pub(super) async fn turn(&self) -> Result<Turn<'_>, SessionError> {
        if let Some(turn) = self.turn_at_once() {
            return Ok(turn);
        }
        let wait = self.engine.lock_wait;
        let began = Instant::now();
        // Those who have to wait can as well allocate what it takes.
        let turn = match tokio::runtime::Handle::try_current() {
            Ok(_) => Box::pin(timeout(wait, self.wait_for_turn())).await,
            // Without a runtime there is no timer.
            Err(_) => Ok(Box::pin(self.wait_for_turn()).await),
        };
        let mut turn = turn.map_err(|_| SessionError::LockTimeout)?;
        turn.patience = wait.saturating_sub(began.elapsed());
        Ok(turn)
    }

    async fn wait_for_turn(&self) -> Turn<'_> {
        let (give, given) = oneshot::channel();
        let mut waiting = Waiting { context: self, given };
        {
            let mut state = self.state();
            if state.take_turn() {
                return self.turn_of(Some(self));
            }
            state.rare_mut().queue.push_back(give);
        }
        let given = (&mut waiting.given).await;
        given.expect("whoever has the turn passes it on");
        self.turn_of(Some(self))
    }

    fn turn_of<'a>(&self, of: Option<&'a Self>) -> Turn<'a> {
        let patience = self.engine.lock_wait;
        Turn { of, patience }
    }

    /// Gives the turn to the next who waits for it.
    fn pass_turn_on(&self) {
        loop {
            let next = {
                let mut state = self.state();
                let next = state.rare.as_mut().and_then(|rare| rare.queue.pop_front());
                state.turn_is_taken = next.is_some();
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
