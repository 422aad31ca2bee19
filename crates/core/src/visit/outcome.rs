//! [`Outcome`]: what the client is to be effects when a visit ends.

use std::time::Duration;

use crate::clock::Timestamp;
use crate::expiration::earliest;
use crate::id::SessionId;
use crate::settings::Settings;
use crate::visit::Context;
use crate::visit::state::State;
use crate::window::{ShownWindow, WindowId};

/// What the carrier of a session's id has to tell the client when a visit is over.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Outcome {
    /// What becomes of the id the client carries.
    pub id: IdChange,
    /// Which of the ids that the visit came with names the session, counted from zero; `None` if none of them does, or
    /// the visit did not look.
    pub candidate: Option<usize>,
    /// What becomes of the browser window the client shows.
    pub window: WindowChange,
    /// Whether the visit looked at its session.
    pub read: bool,
    /// Whether the visit changed its session: stored, moved or destroyed it.
    pub written: bool,
}

/// What becomes of the id that a client carries.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum IdChange {
    /// It is right as it is, or is not ours to change.
    Keep,
    /// The client is to carry this id.
    Set {
        /// The id.
        id: SessionId,
        /// For how long it is worth keeping. `None` means until the browser window closes, [`Duration::MAX`] for as
        /// long as can be.
        max_age: Option<Duration>,
    },
    /// The client's id names no session any more.
    Remove,
}

/// What becomes of the browser window that a client [shows](crate::ShownWindow).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum WindowChange {
    /// It is right as it is.
    Keep,
    /// The session holds data that ends with this window: the client is to keep the window's id twice, once for as long
    /// as it can and once until the window closes.
    Set(WindowId),
    /// Nothing in the session ends with a window any more: the client can forget both.
    Remove,
}

impl Context {
    pub(super) fn outcome(&self) -> Outcome {
        let effects = self.state().outcome(&self.settings);
        self.outcome_of(effects)
    }

    /// The outcome, for which the clock is asked if it has to say how long an id is worth keeping.
    pub(super) fn outcome_of(&self, effects: PendingOutcome) -> Outcome {
        let PendingOutcome { mut outcome, ends_at } = effects;
        if let IdChange::Set { max_age, .. } = &mut outcome.id
            && let Some(end) = ends_at
        {
            *max_age = Some(self.settings.storage.clock().now().until(end));
        }
        outcome
    }
}

/// The message for the client, and the date until which its id is worth keeping if there is one.
pub(super) struct PendingOutcome {
    outcome: Outcome,
    ends_at: Option<Timestamp>,
}

impl State {
    /// Seals the visit, and says what its client is to be effects.
    pub(super) fn conclude(&mut self, settings: &Settings) -> PendingOutcome {
        self.effects.sealed = true;
        self.outcome(settings)
    }

    fn outcome(&self, settings: &Settings) -> PendingOutcome {
        let effects = self.effects;
        let mut ends_at = None;
        let id = match &self.id {
            // A parallel visit has given the client a new id; whatever is said now would destroy that.
            _ if effects.superseded => IdChange::Keep,
            _ if effects.aliased && !effects.new_id && !effects.ended => IdChange::Keep,
            Some(id) if effects.new_id || effects.renewed => {
                let lifetime = self.payload().lifetime;
                let transient = lifetime.is_some_and(|lifetime| lifetime.transient);
                if !transient {
                    // Idleness is for the server to notice: to tell the client of every visit would be to send the id
                    // again and again, and each time a late answer could put it in the place of a newer one.
                    let payload = self.payload();
                    let limit = self.meta().and_then(|meta| settings.limit(payload, meta.created_at));
                    ends_at = earliest(lifetime.and_then(|lifetime| lifetime.limit), limit);
                }
                IdChange::Set {
                    id: id.clone(),
                    max_age: (!transient).then_some(Duration::MAX),
                }
            }
            _ if effects.ended => IdChange::Remove,
            _ => IdChange::Keep,
        };
        let outcome = Outcome {
            window: self.window_change(&id),
            id,
            candidate: self.candidate,
            read: effects.read,
            written: effects.written,
        };
        PendingOutcome { outcome, ends_at }
    }

    fn window_change(&self, id: &IdChange) -> WindowChange {
        let shown = self.cold().shown != ShownWindow::Nothing;
        if *id == IdChange::Remove {
            return if shown {
                WindowChange::Remove
            } else {
                WindowChange::Keep
            };
        }
        // As long as something of a closed window stands in the storage, the client has to show that it was closed.
        if !self.seen || self.restarted {
            return WindowChange::Keep;
        }
        let payload = self.payload();
        let own = payload.window().filter(|_| payload.holds_transient());
        match own {
            Some(own) if self.cold().shown == ShownWindow::Open(own) => WindowChange::Keep,
            Some(own) => WindowChange::Set(own),
            None if shown => WindowChange::Remove,
            None => WindowChange::Keep,
        }
    }
}
