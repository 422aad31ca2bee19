//! [`Visit`]: a client's request for a session.

use crate::id::SessionId;
use crate::storage::ClientFacts;
use crate::window::ShownWindow;

/// The context in which a request, connection or task uses a session: the id that the client sent, and how to use it.
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
    /// Data that few visits have.
    pub(crate) extra: Option<Box<Extra>>,
}

/// Data that few visits have, boxed to keep [`Visit`] small.
#[derive(Debug, Clone, Default)]
pub(crate) struct Extra {
    /// The ids to try in this order if the first names no session.
    pub(crate) candidates: Vec<SessionId>,
    pub(crate) window: ShownWindow,
    /// The client, if the application says who it is.
    pub(crate) client: Option<ClientFacts<'static>>,
}

/// The flags of a visit, as bits of one word: every request moves its visit several times, and reading a word right
/// after writing single bytes of it stalls the processor (failed store forwarding).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Flags(u64);

impl Flags {
    /// The session has to exist.
    pub(crate) const STRICT: Self = Self(1);
    /// The browser window was closed since the last visit.
    pub(crate) const RESTARTED: Self = Self(2);
    /// The visit does not count as activity.
    pub(crate) const PASSIVE: Self = Self(8);

    /// The flag to give the client the id at this position again: one bit per position, from the eighth on.
    fn reissuing(candidate: usize) -> Self {
        if candidate < Visit::MAX_CANDIDATES {
            Self(1 << (8 + candidate))
        } else {
            Self(0)
        }
    }

    /// Returns whether the client has to be given the id at this position again.
    pub(crate) fn reissues(self, candidate: usize) -> bool {
        candidate < Visit::MAX_CANDIDATES && self.is(Self::reissuing(candidate))
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
    /// Returns a visit without an id.
    pub fn new() -> Self {
        Self::default()
    }

    /// Returns a visit to a session that has to exist: starting fails with [`Unknown`](crate::SessionError::Unknown) if
    /// it does not, where an ordinary visit begins a new session.
    pub fn attach(id: SessionId) -> Self {
        Self {
            id: Some(id),
            flags: Flags::STRICT,
            extra: None,
        }
    }

    /// Returns a visit to a session that has to exist, and whose id is not known.
    pub(super) fn strict() -> Self {
        Self {
            flags: Flags::STRICT,
            ..Self::default()
        }
    }

    /// Adds an id to try if the ids before it name no session.
    ///
    /// A browser can send several cookies of one name, and a request can carry ids in several ways. The first id that
    /// names a live session is used; [`Outcome::candidate`](crate::Outcome::candidate) says which. At most
    /// [`MAX_CANDIDATES`](Visit::MAX_CANDIDATES) are tried; further ids are dropped.
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

    /// The maximum number of ids that a visit tries.
    pub const MAX_CANDIDATES: usize = 8;

    /// Sets the browser window that the client shows. Transient data of a window that has been closed ends.
    pub fn window(mut self, shown: ShownWindow) -> Self {
        if shown != ShownWindow::Nothing {
            self.extra.get_or_insert_default().window = shown;
        }
        self
    }

    /// Says what is known of the client. It is recorded if the session begins in this visit or its owner
    /// [logs in](crate::Session::log_in), for lists that the [registry](crate::Session::registry) makes.
    pub fn client(mut self, client: ClientFacts<'_>) -> Self {
        if !client.is_empty() {
            self.extra.get_or_insert_default().client = Some(client.bounded().into_owned());
        }
        self
    }

    /// Sets whether the visit does not count as activity, such as that of a page that polls: it then moves no sliding
    /// expiration, unless it writes.
    pub fn passive(mut self, passive: bool) -> Self {
        self.flags.set(Flags::PASSIVE, passive);
        self
    }

    /// Gives the client the id at this position (from zero) again if it names the session: for ids that came in a form
    /// that is being phased out.
    pub fn renew(mut self, candidate: usize) -> Self {
        self.flags.set(Flags::reissuing(candidate), true);
        self
    }

    /// Sets whether the client's browser was restarted since the last visit, in whichever window that was. All
    /// transient data then ends. A client that [shows its window](Visit::window) proves this by itself.
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
