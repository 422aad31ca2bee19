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
    pub(crate) manner: Manner,
}

/// How a visit is made. These are bits of a word, because every request's visit is moved about a few times, and a
/// processor that reads words where single bytes were written has to wait for them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Manner(u64);

impl Manner {
    /// The session has to exist.
    pub(crate) const STRICT: Self = Self(1);
    /// The browser window was closed since the last visit.
    pub(crate) const RESTARTED: Self = Self(2);
    /// The work of the visit has not had to wait for anything so far.
    pub(crate) const AT_ONCE: Self = Self(4);

    pub(crate) fn is(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    pub(crate) fn set(&mut self, other: Self, on: bool) {
        let rest = self.0 & !other.0;
        self.0 = rest | if on { other.0 } else { 0 };
    }
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
            manner: Manner::STRICT,
        }
    }

    /// Says whether the client's browser window was closed since the last visit. Transient data ends with it.
    pub fn browser_restarted(mut self, restarted: bool) -> Self {
        self.manner.set(Manner::RESTARTED, restarted);
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
            manner: Manner::default(),
        }
    }
}
