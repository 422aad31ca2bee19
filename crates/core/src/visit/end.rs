//! Ending the work of a visit, after which the client is told the outcome.

use std::sync::Arc;

use super::outcome::PendingOutcome;
use crate::error::SessionError;
use crate::visit::state::{Closing, Phase, State};
use crate::visit::{Context, Ended};

impl Context {
    /// Ends the visit if that does not have to wait.
    pub(super) fn end_immediately(self: &Arc<Self>, commit: bool) -> Option<Ended> {
        let now = self.now_if_pended();
        {
            let mut state = self.state();
            let due = now.is_some_and(|now| self.key_to_slide(&state, now).is_some());
            if due || state.closing != Closing::No {
                return None;
            }
            if !state.needs_close(commit) {
                let pending = state.conclude(&self.settings);
                drop(state);
                return Some(self.make_ended(Ok(()), pending));
            }
            if !commit || state.phase != Phase::Writable {
                return None;
            }
        }
        let now = now.unwrap_or_else(|| self.settings.storage.clock().now());
        let closed = self.close_immediate(now, |state| state.conclude(&self.settings))?;
        Some(match closed {
            Ok(pending) => self.make_ended(Ok(()), pending),
            Err(error) => {
                let pending = self.state().conclude(&self.settings);
                self.make_ended(Err(error), pending)
            }
        })
    }

    fn make_ended(&self, result: Result<(), SessionError>, pending: PendingOutcome) -> Ended {
        Ended {
            result,
            outcome: self.complete_outcome(pending),
        }
    }

    /// Ends the visit. When this returns, no operation can produce an id that the client is not told.
    pub(super) async fn end(self: &Arc<Self>, commit: bool) -> Result<(), SessionError> {
        let ended = self.end_work(commit).await;
        while !self.seal_unless_assigning_id() {
            // A transaction in another task is giving the session its id and holds the operation guard: wait for it.
            let guard = self.begin_operation().await;
            if let Err(error) = guard {
                self.state().effects.sealed = true;
                return ended.and(Err(error));
            }
        }
        ended
    }

    async fn end_work(self: &Arc<Self>, commit: bool) -> Result<(), SessionError> {
        // A transaction in a spawned task commits by itself. Wait for it only if other tasks have changed something
        // under its lock: the response then claims that these changes are stored.
        let busy_elsewhere = {
            let state = self.state();
            state.in_transaction && !(commit && state.changed_by_others)
        };
        if !busy_elsewhere {
            if !commit {
                self.abandon_in_operation().await?;
            } else if self.close_if_open().await? {
                // The commit has moved all sliding expirations.
                return Ok(());
            }
        }
        self.slide_now().await;
        Ok(())
    }

    fn seal_unless_assigning_id(&self) -> bool {
        let mut state = self.state();
        let assigns_id = state.closing == Closing::AssignsId;
        state.effects.sealed |= !assigns_id;
        !assigns_id
    }
}

impl State {
    /// Returns whether closing (or, without `commit`, releasing) has to call the storage or to report an error.
    fn needs_close(&self, commit: bool) -> bool {
        match (self.phase, self.lock()) {
            (Phase::Writable, Some(_)) => true,
            (Phase::Writable, None) => commit && self.is_changed(),
            _ => commit && self.undone,
        }
    }
}
