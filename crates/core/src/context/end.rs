//! Ending the work of a visit, after which the client is told what came of it.

use std::sync::Arc;

use super::outcome::Conclusion;
use super::state::{Closing, Phase, State};
use super::{Context, Ended};
use crate::error::SessionError;

impl Context {
    /// Ends the visit if that takes nothing that has to be waited for.
    pub(super) fn end_at_once(self: &Arc<Self>, commit: bool) -> Option<Ended> {
        let now = self.now_if_later();
        {
            let mut state = self.state();
            let due = now.is_some_and(|now| self.is_due_to_slide(&state, now).is_some());
            if due || state.closing != Closing::No {
                return None;
            }
            if !state.is_open(commit) {
                let told = state.conclude(&self.engine);
                drop(state);
                return Some(self.ended(Ok(()), told));
            }
            if !commit || state.phase != Phase::Writable {
                return None;
            }
        }
        let now = now.unwrap_or_else(|| self.engine.storage.clock().now());
        let closed = self.close_at_once(now, |state| state.conclude(&self.engine))?;
        Some(match closed {
            Ok(told) => self.ended(Ok(()), told),
            Err(error) => {
                let told = self.state().conclude(&self.engine);
                self.ended(Err(error), told)
            }
        })
    }

    fn ended(&self, result: Result<(), SessionError>, told: Conclusion) -> Ended {
        Ended {
            result,
            outcome: self.outcome_of(told),
        }
    }

    /// Ends the visit. When this returns, no id is on its way that the client is not told of.
    pub(super) async fn end(self: &Arc<Self>, commit: bool) -> Result<(), SessionError> {
        let ended = self.end_work(commit).await;
        while !self.seal_unless_naming() {
            // An update elsewhere gives the session its id, and holds the turn meanwhile.
            let turn = self.turn().await;
            if let Err(error) = turn {
                self.state().told.sealed = true;
                return ended.and(Err(error));
            }
        }
        ended
    }

    async fn end_work(self: &Arc<Self>, commit: bool) -> Result<(), SessionError> {
        // An update that a spawned task has under way commits by itself, and is waited for only if it has to be: others
        // may have changed something under its lock, which the answer then says is stored.
        let busy_elsewhere = {
            let state = self.state();
            state.updating && !(commit && state.shared)
        };
        if !busy_elsewhere {
            if !commit {
                self.give_up_in_turn().await?;
            } else if self.close_if_open().await? {
                // Everything that slides has moved with it.
                return Ok(());
            }
        }
        self.slide_now().await;
        Ok(())
    }

    fn seal_unless_naming(&self) -> bool {
        let mut state = self.state();
        let naming = state.closing == Closing::Naming;
        state.told.sealed |= !naming;
        !naming
    }
}

impl State {
    /// Whether closing, or only releasing, would have to ask the storage for something, or to report something.
    fn is_open(&self, commit: bool) -> bool {
        match (self.phase, self.lock()) {
            (Phase::Writable, Some(_)) => true,
            (Phase::Writable, None) => commit && self.is_changed(),
            _ => commit && self.undone,
        }
    }
}
