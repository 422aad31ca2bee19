//! [`Visit`]: how a session's client comes to the door.

use crate::id::SessionId;
use crate::window::ShownWindow;

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
    pub(crate) flags: Flags,
    /// What few visits come with.
    pub(crate) extra: Option<Box<Extra>>,
}

/// What few visits come with.
#[derive(Debug, Clone, Default)]
pub(crate) struct Extra {
    /// The ids to try when the first names no session, in their order.
    pub(crate) candidates: Vec<SessionId>,
    pub(crate) window: ShownWindow,
}

/// How a visit is made. These are bits of a word, because every request's visit is moved about a few times, and a
/// processor that reads words where single bytes were written has to wait for them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Flags(u64);

impl Flags {
    /// The session has to exist.
    pub(crate) const STRICT: Self = Self(1);
    /// The browser window was closed since the last visit.
    pub(crate) const RESTARTED: Self = Self(2);
    /// The visit looks without being active.
    pub(crate) const PASSIVE: Self = Self(8);

    /// The client is to be given the id at this position anew. These are the bits from the eighth on.
    fn renewing(candidate: usize) -> Self {
        if candidate < Visit::MAX_CANDIDATES {
            Self(1 << (8 + candidate))
        } else {
            Self(0)
        }
    }

    /// Whether the client is to be given the id at this position anew.
    pub(crate) fn renews(self, candidate: usize) -> bool {
        candidate < Visit::MAX_CANDIDATES && self.is(Self::renewing(candidate))
    }

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
    /// [`Unreported`](crate::SessionError::Unknown) if it does not, where an ordinary visit begins a new session.
    pub fn attach(id: SessionId) -> Self {
        Self {
            id: Some(id),
            flags: Flags::STRICT,
            extra: None,
        }
    }

    /// Another id to try when those before it name no session.
    ///
    /// A browser can send several cookies of one name, and a request can carry ids in several ways. The first that
    /// names a live session is taken; [`Outcome::candidate`](crate::Outcome::candidate) says which. No more than
    /// [`MAX_CANDIDATES`](Visit::MAX_CANDIDATES) are tried; what comes beyond is dropped.
    ///
    /// ```
    /// use sessile_core::{OsEntropy, SessionId, Visit};
    ///
    /// let visit = Visit::from(SessionId::generate(&OsEntropy)).or(SessionId::generate(&OsEntropy));
    /// # let _ = visit;
    /// ```
    pub fn or(mut self, id: SessionId) -> Self {
        if self.id.is_none() {
            self.id = Some(id);
            return self;
        }
        let candidates = &mut self.extra.get_or_insert_default().candidates;
        if candidates.len() + 1 < Self::MAX_CANDIDATES {
            candidates.push(id);
        }
        self
    }

    /// How many ids a visit tries at most.
    pub const MAX_CANDIDATES: usize = 8;

    /// Says what the client shows of the browser window it runs in. Transient data that belongs to a window which has
    /// been closed ends.
    pub fn window(mut self, shown: ShownWindow) -> Self {
        if shown != ShownWindow::Nothing {
            self.extra.get_or_insert_default().window = shown;
        }
        self
    }

    /// Says whether the visit only looks, as a page that polls does: it then moves no sliding expiration, unless it
    /// writes.
    pub fn passive(mut self, passive: bool) -> Self {
        self.flags.set(Flags::PASSIVE, passive);
        self
    }

    /// Says that the client is to be given one of the visit's ids anew if that names the session, as it came in a form
    /// that is going out of use. The ids are counted from zero.
    pub fn renew(mut self, candidate: usize) -> Self {
        self.flags.set(Flags::renewing(candidate), true);
        self
    }

    /// Says whether the client's browser window was closed since the last visit, whichever it was. All transient data
    /// ends with it. A client that runs in [windows with names](Visit::window) proves as much by itself.
    pub fn browser_restarted(mut self, restarted: bool) -> Self {
        self.flags.set(Flags::RESTARTED, restarted);
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
            flags: Flags::default(),
            extra: None,
        }
    }
}
