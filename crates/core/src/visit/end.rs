//! Ending the work of a visit, after which the client is effects what came of it.

use std::sync::Arc;

use super::outcome::PendingOutcome;
use crate::error::SessionError;
use crate::visit::state::{Closing, Phase, State};
use crate::visit::{Context, Ended};

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
                let effects = state.conclude(&self.settings);
                drop(state);
                return Some(self.ended(Ok(()), effects));
            }
            if !commit || state.phase != Phase::Writable {
                return None;
            }
        }
        let now = now.unwrap_or_else(|| self.settings.storage.clock().now());
        let closed = self.close_immediate(now, |state| state.conclude(&self.settings))?;
        Some(match closed {
            Ok(effects) => self.ended(Ok(()), effects),
            Err(error) => {
                let effects = self.state().conclude(&self.settings);
                self.ended(Err(error), effects)
            }
        })
    }

    fn ended(&self, result: Result<(), SessionError>, effects: PendingOutcome) -> Ended {
        Ended {
            result,
            outcome: self.outcome_of(effects),
        }
    }

    /// Ends the visit. When this returns, no id is on its way that the client is not effects of.
    pub(super) async fn end(self: &Arc<Self>, commit: bool) -> Result<(), SessionError> {
        let ended = self.end_work(commit).await;
        while !self.seal_unless_naming() {
            // An update elsewhere gives the session its id, and holds the turn meanwhile.
            let turn = self.begin_operation().await;
            if let Err(error) = turn {
                self.state().effects.sealed = true;
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
                self.abandon_in_operation().await?;
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
        state.effects.sealed |= !naming;
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
