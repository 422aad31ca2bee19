//! [`Record`]: a session at rest, and the results of lookups.

use std::fmt;

use bytes::Bytes;

use crate::clock::Timestamp;
use crate::id::SessionKey;
use crate::storage::{Facts, Lock};

/// A session at rest: the metadata that a storage acts on, and the payload.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Record {
    /// The metadata.
    pub meta: Meta,
    /// The encoded values, namespaces and expirations. Storages keep it unchanged.
    ///
    /// It may be freed while the state of a visit is locked, so the owner of [foreign memory](Bytes::from_owner) must
    /// not call a session when it is dropped.
    pub payload: Bytes,
}

impl Record {
    /// Creates a record.
    #[must_use]
    pub fn new(meta: Meta, payload: impl Into<Bytes>) -> Self {
        Self {
            meta,
            payload: payload.into(),
        }
    }
}

/// Shows the length of the payload and hides its contents, as it is the client's data.
impl fmt::Debug for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Record")
            .field("meta", &self.meta)
            .field("payload", &format_args!("{} bytes", self.payload.len()))
            .finish()
    }
}

/// The part of a [`Record`] that storages act on.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Meta {
    /// The time at which the session was created. Rotation does not change it.
    pub created_at: Timestamp,
    /// The time at which a visit last moved the session's sliding expirations.
    pub last_active: Timestamp,
    /// The first moment at which the session has expired; `None` if it never expires.
    pub deadline: Option<Timestamp>,
    /// The number of writes: 1 when created, one more with each commit and rotation. Touching does not count.
    pub version: u64,
    /// The owner and other facts that a listing tells. Storages keep their [bytes](Facts::as_bytes) unchanged.
    pub facts: Facts,
}

impl Meta {
    /// Creates the metadata of a new session that has no deadline and no facts.
    #[must_use]
    pub fn new(now: Timestamp) -> Self {
        Self {
            created_at: now,
            last_active: now,
            deadline: None,
            version: 1,
            facts: Facts::NONE,
        }
    }

    /// Sets the deadline.
    #[must_use]
    pub fn with_deadline(mut self, deadline: Option<Timestamp>) -> Self {
        self.deadline = deadline;
        self
    }

    /// Sets the facts.
    #[must_use]
    pub fn with_facts(mut self, facts: Facts) -> Self {
        self.facts = facts;
        self
    }

    /// Returns whether the deadline has come.
    #[must_use]
    pub fn has_expired(&self, now: Timestamp) -> bool {
        self.deadline.is_some_and(|deadline| deadline <= now)
    }

    /// Moves the deadline and the last activity as [`Storage::touch`](crate::Storage::touch) requires: never back.
    pub fn touch(&mut self, deadline: Option<Timestamp>, last_active: Timestamp) {
        self.deadline = match (self.deadline, deadline) {
            (Some(old), Some(new)) => Some(old.max(new)),
            _ => None,
        };
        self.last_active = self.last_active.max(last_active);
    }
}

/// The result of looking up a key.
///
/// The contract knows exactly these three states of a key, and callers handle each of them, so this enum never grows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Lookup<T> {
    /// The session is live.
    Found(T),
    /// There is no such session: it never existed, was destroyed or has expired.
    Missing,
    /// The session has moved to another key and left a tombstone.
    Superseded,
}

impl<T> Lookup<T> {
    /// Returns the value that was found, if any.
    #[must_use]
    pub fn found(self) -> Option<T> {
        match self {
            Self::Found(found) => Some(found),
            Self::Missing | Self::Superseded => None,
        }
    }

    /// Returns whether the session is live.
    #[must_use]
    pub const fn is_found(&self) -> bool {
        matches!(self, Self::Found(_))
    }

    /// Applies a function to the value that was found.
    #[must_use]
    pub fn map<U>(self, f: impl FnOnce(T) -> U) -> Lookup<U> {
        match self {
            Self::Found(found) => Lookup::Found(f(found)),
            Self::Missing => Lookup::Missing,
            Self::Superseded => Lookup::Superseded,
        }
    }
}

/// A record and the key under which it is stored, which differs from the requested key if that is an alias.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stored {
    /// The key under which the record is stored.
    pub key: SessionKey,
    /// The record.
    pub record: Record,
    /// A number by which the storage recognises this state of the record when it is passed back to
    /// [`replace`](crate::Storage::replace). 0 if the storage uses none.
    pub stamp: u64,
}

impl Stored {
    /// Creates a stored record without a stamp.
    #[must_use]
    pub fn new(key: SessionKey, record: Record) -> Self {
        Self { key, record, stamp: 0 }
    }

    /// Sets the stamp.
    #[must_use]
    pub fn with_stamp(self, stamp: u64) -> Self {
        Self { stamp, ..self }
    }
}

/// A record and the lock on it.
#[derive(Debug)]
#[non_exhaustive]
pub struct Locked {
    /// The lock, with the key under which the record is stored.
    pub lock: Lock,
    /// The record as it was when the lock was taken.
    pub record: Record,
}

impl Locked {
    /// Combines a record with the lock that was taken on it.
    #[must_use]
    pub fn new(lock: Lock, record: Record) -> Self {
        Self { lock, record }
    }
}
