//! [`Visit`]: how a session's client comes to the door.

use crate::id::SessionId;

/// One request's, connection's or task's acquaintance with a session: the id it came with, and how to take it.
///
/// ```
/// use sessile_core::{OsEntropy, SessionId, Visit};
///
/// let newcomer = Visit::new();
/// let id = SessionId::generate(&OsEntropy);
/// let returning = Visit::from(id.clone());
/// let strict = Visit::attach(id).browser_restarted(true);
/// # let _ = (newcomer, returning, strict);
/// ```
#[derive(Debug, Clone, Default)]
#[must_use = "a visit does nothing until a session is initialised with it"]
pub struct Visit {
    pub(crate) id: Option<SessionId>,
    pub(crate) strict: bool,
    pub(crate) restarted: bool,
}

impl Visit {
    /// A visit without an id.
    pub fn new() -> Self {
        Self::default()
    }

    /// A visit to a session that has to exist: starting fails with
    /// [`Unknown`](crate::SessionError::Unknown) if it does not, where an ordinary visit begins a new session.
    pub fn attach(id: SessionId) -> Self {
        Self {
            id: Some(id),
            strict: true,
            restarted: false,
        }
    }

    /// Says whether the client's browser window was closed since the last visit. Transient data ends with it.
    pub fn browser_restarted(mut self, restarted: bool) -> Self {
        self.restarted = restarted;
        self
    }
}

impl From<SessionId> for Visit {
    fn from(id: SessionId) -> Self {
        Self::from(Some(id))
    }
}

impl From<Option<SessionId>> for Visit {
    fn from(id: Option<SessionId>) -> Self {
        Self {
            id,
            strict: false,
            restarted: false,
        }
    }
}
