//! [`Event`]: a change of a session, as it is reported.

use std::sync::Arc;

use time::OffsetDateTime;

use crate::id::SessionKey;

/// A change of a session, or a sign that something is wrong with one. It names the session by its key, never by an id.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Event {
    /// The kind of change.
    pub kind: EventKind,
    /// The key of the session.
    pub key: SessionKey,
    /// The owner of the session, as far as it is known where the event arises.
    pub owner: Option<Arc<str>>,
    /// When it was noticed, by the clock of the storage.
    pub at: OffsetDateTime,
}

/// The kind of an [`Event`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum EventKind {
    /// A session was created.
    Created,
    /// A session has got a new id.
    IdRenewed {
        /// Its former key.
        before: SessionKey,
    },
    /// The owner has [logged in](crate::Session::log_in). It follows `Created` or `IdRenewed`.
    LoggedIn,
    /// The former owner, which the event names, has [logged out](crate::Session::log_out), or another has logged in. It
    /// follows `IdRenewed`.
    LoggedOut,
    /// A session has ended.
    Ended(EndReason),
    /// A commit was refused: what a visit has changed is lost to it.
    CommitRefused(Refusal),
    /// A client has shown an id that names no session. Many of them are a sign of guessing.
    UnknownId,
    /// A client has shown the former id of a session that has got a new one. After the moments in which parallel requests
    /// do so, it is a sign of a stolen id.
    ReplacedId,
}

impl EventKind {
    /// Returns the name of the kind in metrics, such as `id_renewed`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::IdRenewed { .. } => "id_renewed",
            Self::LoggedIn => "logged_in",
            Self::LoggedOut => "logged_out",
            Self::Ended(_) => "ended",
            Self::CommitRefused(_) => "commit_refused",
            Self::UnknownId => "unknown_id",
            Self::ReplacedId => "replaced_id",
        }
    }

    /// Returns the name of the reason in metrics; empty if the kind has none.
    pub(crate) const fn reason_name(self) -> &'static str {
        match self {
            Self::Ended(reason) => reason.name(),
            Self::CommitRefused(refusal) => refusal.name(),
            _ => "",
        }
    }
}

/// Why a session has ended. The numbers of the reasons are stored, and never change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum EndReason {
    /// The application has [destroyed](crate::Session::destroy) it in a visit.
    Asked = 1,
    /// Its time was over, or its browser window was closed.
    Expired = 2,
    /// It was ended by its key or its owner, through the [registry](crate::Registry).
    Operator = 3,
    /// It was dropped before its time: by the storage, such as for want of memory, or because its record was
    /// [unreadable](crate::UnreadablePolicy). A session that a [limit](crate::Limit) ends is `OverLimit`.
    Evicted = 4,
    /// Its owner has logged in [once too often](crate::Limit).
    OverLimit = 5,
    /// It was ended by another process, and this one does not know why. Only
    /// [`on_end`](crate::Session::on_end) tells this reason.
    Elsewhere = 6,
}

impl EndReason {
    /// Returns the name of the reason in metrics, such as `over_limit`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Asked => "asked",
            Self::Expired => "expired",
            Self::Operator => "operator",
            Self::Evicted => "evicted",
            Self::OverLimit => "over_limit",
            Self::Elsewhere => "elsewhere",
        }
    }

    pub(crate) const ALL: [Self; 6] = [
        Self::Asked,
        Self::Expired,
        Self::Operator,
        Self::Evicted,
        Self::OverLimit,
        Self::Elsewhere,
    ];
}

/// Why a commit was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Refusal {
    /// The session had ended.
    Gone,
    /// The session had moved to another id.
    Superseded,
    /// The lease of the lock was over.
    LockLost,
}

impl Refusal {
    /// Returns the name of the reason in metrics, such as `lock_lost`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Gone => "gone",
            Self::Superseded => "superseded",
            Self::LockLost => "lock_lost",
        }
    }
}
