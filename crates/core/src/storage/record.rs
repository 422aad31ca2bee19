//! What storages keep, and the answers they give.

use std::fmt;

use bytes::Bytes;

use crate::clock::Timestamp;
use crate::id::SessionKey;
use crate::storage::Lock;

/// A session at rest: what a storage must know of it, and the rest as bytes.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Record {
    /// What the storage acts on.
    pub meta: Meta,
    /// Values, namespaces and their expirations, encoded. Storages keep it as it is.
    ///
    /// It can be freed while a visit is locked: the owner of [foreign memory](Bytes::from_owner) must not call a session
    /// when it is dropped.
    pub payload: Bytes,
}

impl Record {
    /// A record of these parts.
    #[must_use]
    pub fn new(meta: Meta, payload: impl Into<Bytes>) -> Self {
        Self {
            meta,
            payload: payload.into(),
        }
    }
}

/// Shows how long the payload is, and none of it: it is the client's data.
impl fmt::Debug for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Record")
            .field("meta", &self.meta)
            .field("payload", &format_args!("{} bytes", self.payload.len()))
            .finish()
    }
}

/// What a storage must know of a session.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Meta {
    /// When the session was created. Rotation does not change it.
    pub created_at: Timestamp,
    /// When a visit last moved the session's sliding expirations.
    pub last_active: Timestamp,
    /// The first moment at which the session is no longer there; `None` if it has no end.
    pub deadline: Option<Timestamp>,
    /// Counts the writes: 1 when created, one more with each commit and rotation. Touching does not count.
    pub version: u64,
}

impl Meta {
    /// Of a session that is created now and has no deadline.
    #[must_use]
    pub fn new(now: Timestamp) -> Self {
        Self {
            created_at: now,
            last_active: now,
            deadline: None,
            version: 1,
        }
    }

    /// With this deadline.
    #[must_use]
    pub fn with_deadline(mut self, deadline: Option<Timestamp>) -> Self {
        self.deadline = deadline;
        self
    }

    /// Whether the deadline has come.
    #[must_use]
    pub fn has_expired(&self, now: Timestamp) -> bool {
        self.deadline.is_some_and(|deadline| deadline <= now)
    }

    /// Moves deadline and last activity as [`Storage::touch`](crate::Storage::touch) promises: never back.
    pub fn touch(&mut self, deadline: Option<Timestamp>, last_active: Timestamp) {
        self.deadline = match (self.deadline, deadline) {
            (Some(old), Some(new)) => Some(old.max(new)),
            _ => None,
        };
        self.last_active = self.last_active.max(last_active);
    }
}

/// What was found under a key.
///
/// The three are the whole of it: the contract knows no fourth state of a key, and whoever asks has to have an answer
/// to each. So this never grows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Lookup<T> {
    /// The session is live.
    Found(T),
    /// There is no such session: there never was, or it was destroyed, or it has expired.
    Missing,
    /// The session has moved to another key, and a tombstone stands here.
    Superseded,
}

impl<T> Lookup<T> {
    /// What was found, if anything.
    #[must_use]
    pub fn found(self) -> Option<T> {
        match self {
            Self::Found(found) => Some(found),
            Self::Missing | Self::Superseded => None,
        }
    }

    /// Whether the session is live.
    #[must_use]
    pub const fn is_found(&self) -> bool {
        matches!(self, Self::Found(_))
    }

    /// Applies a function to what was found.
    #[must_use]
    pub fn map<U>(self, f: impl FnOnce(T) -> U) -> Lookup<U> {
        match self {
            Self::Found(found) => Lookup::Found(f(found)),
            Self::Missing => Lookup::Missing,
            Self::Superseded => Lookup::Superseded,
        }
    }
}

/// A record and the key it is stored under, which may be other than the one asked for if that was an alias.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stored {
    /// The key the record is stored under.
    pub key: SessionKey,
    /// The record.
    pub record: Record,
    /// What the storage wants to be shown again by [`replace`](crate::Storage::replace): a number of its own, by which it
    /// tells this state of the record from others. 0 if it has none.
    pub stamp: u64,
}

impl Stored {
    /// A record that is stored under this key.
    #[must_use]
    pub fn new(key: SessionKey, record: Record) -> Self {
        Self { key, record, stamp: 0 }
    }

    /// The same with the storage's own number.
    #[must_use]
    pub fn with_stamp(self, stamp: u64) -> Self {
        Self { stamp, ..self }
    }
}

/// A record and the lock on it.
#[derive(Debug)]
#[non_exhaustive]
pub struct Locked {
    /// The lock. Its ticket names the key the record is stored under.
    pub lock: Lock,
    /// The record as it was when the lock was taken.
    pub record: Record,
}

impl Locked {
    /// A record, and the lock that was taken on it.
    #[must_use]
    pub fn new(lock: Lock, record: Record) -> Self {
        Self { lock, record }
    }
}
