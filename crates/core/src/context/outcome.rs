//! [`Outcome`]: what the client is to be told when a visit ends.

use std::sync::atomic::Ordering;
use std::time::Duration;

use super::Context;
use crate::id::SessionId;
use crate::window::WindowId;

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

impl Outcome {
    /// That of a visit that left its session alone.
    pub(super) const NOTHING: Self = Self {
        id: IdChange::Keep,
        candidate: None,
        window: WindowChange::Keep,
        read: false,
        written: false,
    };
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
    /// as the session's id and once until the window closes.
    Set(WindowId),
    /// Nothing in the session ends with a window any more: the client can forget both.
    Remove,
}

impl Context {
    pub(super) fn outcome(&self) -> Outcome {
        let state = self.state();
        let told = state.told;
        let id = match &state.id {
            // A parallel visit has given the client a new id; whatever is said now would destroy that.
            _ if told.superseded => IdChange::Keep,
            _ if told.aliased && !told.new_id && !told.dropped => IdChange::Keep,
            Some(id) if told.new_id || told.moved => {
                let deadline = state.meta.as_ref().and_then(|meta| meta.deadline);
                let transient = state.contents.lifetime.is_some_and(|lifetime| lifetime.transient);
                // What a visit that never had to wait has written was written just now.
                let now = if told.written && self.at_once.load(Ordering::Relaxed) {
                    state.planned_at
                } else {
                    self.engine.storage.clock().now()
                };
                match deadline {
                    Some(deadline) if deadline <= now => IdChange::Remove,
                    _ => IdChange::Set {
                        id: id.clone(),
                        max_age: if transient {
                            None
                        } else {
                            Some(deadline.map_or(Duration::MAX, |deadline| now.until(deadline)))
                        },
                    },
                }
            }
            _ if told.dropped => IdChange::Remove,
            _ => IdChange::Keep,
        };
        Outcome {
            id,
            candidate: state.seen.then_some(0),
            window: WindowChange::Keep,
            read: told.read,
            written: told.written,
        }
    }
}
