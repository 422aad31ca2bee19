//! [`Outcome`]: the changes that the client has to be told when a visit ends; [`Finished`]: the output beside it.

use std::time::Duration;

use crate::clock::Timestamp;
use crate::expiration::earliest;
use crate::id::SessionId;
use crate::settings::Settings;
use crate::visit::Context;
use crate::visit::state::State;
use crate::window::{ShownWindow, WindowId};

/// The changes that the carrier of a session's id has to tell the client when a visit ends.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Outcome {
    /// The change of the id that the client holds.
    pub id: IdChange,
    /// The index, from zero, of the visit's id that names the session; `None` if none does, or the visit did not look
    /// it up.
    pub candidate: Option<usize>,
    /// The change of the browser window that the client shows.
    pub window: WindowChange,
    /// `true` if the visit read its session.
    pub read: bool,
    /// `true` if the visit changed its session: stored, moved or destroyed it.
    pub written: bool,
}

impl Outcome {
    /// Returns the id that the client has to store, if any: a new id, or the present one with another lifetime.
    #[must_use]
    pub fn new_id(&self) -> Option<SessionId> {
        match &self.id {
            IdChange::Set { id, .. } => Some(id.clone()),
            IdChange::Keep | IdChange::Remove => None,
        }
    }
}

/// The result of a visit whose changes are committed, see [`Session::enter`](crate::Session::enter).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Finished<T> {
    /// The output of the work.
    pub output: T,
    /// The changes that the client has to be told.
    pub outcome: Outcome,
}

/// The change of the id that a client holds.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum IdChange {
    /// The client's id is right, or must not be changed by this visit.
    Keep,
    /// The client has to store this id.
    Set {
        /// The id.
        id: SessionId,
        /// The time for which the client should keep it. `None` means until the browser window closes,
        /// [`Duration::MAX`] as long as possible.
        max_age: Option<Duration>,
    },
    /// The client's id names no session any more.
    Remove,
}

/// The change of the browser window that a client [shows](crate::ShownWindow).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum WindowChange {
    /// The client's window is right.
    Keep,
    /// The session holds data that ends with this window. The client has to store the window's id twice: once for as
    /// long as possible, and once until the window closes.
    Set(WindowId),
    /// Nothing in the session ends with a window any more: the client can delete both.
    Remove,
}

impl Context {
    pub(super) fn outcome(&self) -> Outcome {
        let pending = self.state().outcome(&self.settings);
        self.complete_outcome(pending)
    }

    /// Completes the outcome. Reads the clock, if the client has to be told how long to keep an id.
    pub(super) fn complete_outcome(&self, pending: PendingOutcome) -> Outcome {
        let PendingOutcome { mut outcome, ends_at } = pending;
        if let IdChange::Set { max_age, .. } = &mut outcome.id
            && let Some(end) = ends_at
        {
            *max_age = Some(self.settings.storage.clock().now().until(end));
        }
        outcome
    }
}

/// An outcome, and the date until which the client should keep its id, if there is one.
pub(super) struct PendingOutcome {
    outcome: Outcome,
    ends_at: Option<Timestamp>,
}

impl State {
    /// Seals the visit and returns its outcome.
    pub(super) fn conclude(&mut self, settings: &Settings) -> PendingOutcome {
        self.effects.sealed = true;
        self.outcome(settings)
    }

    fn outcome(&self, settings: &Settings) -> PendingOutcome {
        let effects = self.effects;
        let mut ends_at = None;
        let id = match &self.id {
            // A parallel visit has given the client a new id; a change by this visit would overwrite it.
            _ if effects.superseded => IdChange::Keep,
            _ if effects.aliased && !effects.new_id && !effects.ended => IdChange::Keep,
            Some(id) if effects.new_id || effects.reissue_id => {
                let lifetime = self.payload().lifetime;
                let transient = lifetime.is_some_and(|lifetime| lifetime.transient);
                if !transient {
                    // The idle limit is enforced by the server only: telling the client would mean to send the id with
                    // every response, and a delayed response could overwrite a newer id.
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
        // As long as data of a closed window is stored, the client has to prove that the window was closed.
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
