//! [`SessionError`]: the errors of sessions.

use std::error::Error;
use std::fmt;

use crate::json::CodecError;
use crate::payload::RecordError;
use crate::storage::{StorageError, StorageErrorKind};

/// The error of a call on a session. Nothing was changed, unless the call documents otherwise.
///
/// It never contains a session id.
#[derive(Debug)]
#[non_exhaustive]
pub enum SessionError {
    /// The task has no context for this session: see [`Session::init`](crate::Session::init).
    NotInitialised,
    /// The task already has a context for this session.
    AlreadyInitialised,
    /// The session was not started.
    NotStarted,
    /// The session is not locked for writing: it was started read-only, or was closed or released.
    NotWritable,
    /// The visit is [strict](crate::Visit::attach) and the storage has no such session.
    Unknown,
    /// The session that this visit loaded no longer exists: it was destroyed or has expired.
    Gone,
    /// A parallel visit has moved the session to another id.
    Superseded,
    /// The lease of the lock expired before the session was closed. Nothing was written.
    LockLost,
    /// The lock did not become free within the wait limit.
    LockTimeout,
    /// Too many visits already wait for the session's lock.
    TooManyWaiters,
    /// [`run_in`](crate::Session::run_in) would wait for a session whose holder waits, directly or by way of others, for
    /// a session that the caller holds.
    WouldDeadlock,
    /// A task of [`run_in_each`](crate::Session::run_in_each) or [`run_in_all`](crate::Session::run_in_all) panicked.
    /// Nothing was written to its session.
    TaskPanicked,
    /// An earlier close of this visit failed and its changes were reverted, so the visit no longer shows the values it
    /// set. [`start`](crate::Session::start) reloads the session; [`release`](crate::Session::release) accepts the
    /// loss.
    Undone,
    /// The outcome of the visit has already been sent to the client, so the session can get no new id.
    Sealed,
    /// The record cannot be read, and the policy is [`Fail`](crate::UnreadablePolicy::Fail).
    Unreadable(RecordError),
    /// A value cannot be converted to JSON or back.
    Codec(CodecError),
    /// The session would exceed [`max_record_bytes`](crate::SessionBuilder::max_record_bytes) in the storage.
    TooLarge {
        /// The number of bytes that the session, or a single value in it, would take.
        size: usize,
        /// The maximum.
        limit: usize,
    },
    /// The default expiration that the application gave has already passed, so the new session, namespace or value
    /// would not exist.
    ExpiredDefault(ExpiredDefault),
    /// The owner did not [log in](crate::Session::log_in) recently enough for what was requested.
    NotFresh,
    /// The owner has as many sessions as the [limit](crate::Limit) allows.
    TooManySessions {
        /// The limit.
        limit: usize,
    },
    /// An owner is empty or longer than [`OWNER_MAX_LEN`](crate::Facts::OWNER_MAX_LEN).
    InvalidOwner,
    /// All sessions can be ended at once only if the application [counts epochs](crate::SessionBuilder::epochs).
    EpochsOff,
    /// Events are handed out only if the application [has asked for them](crate::SessionBuilder::events).
    EventsOff,
    /// The storage failed.
    Storage(StorageError),
}

impl SessionError {
    /// Returns whether the same request may succeed a little later.
    ///
    /// ```
    /// use sessile_core::SessionError;
    ///
    /// assert!(SessionError::LockTimeout.is_retryable());
    /// assert!(!SessionError::Gone.is_retryable());
    /// ```
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::LockLost | Self::LockTimeout | Self::TooManyWaiters | Self::WouldDeadlock | Self::Undone => true,
            Self::Storage(error) => error.is_retryable(),
            _ => false,
        }
    }

    pub(crate) fn default_has_passed(namespace: Option<&str>, key: Option<&str>) -> Self {
        Self::ExpiredDefault(ExpiredDefault(Box::new(Target {
            namespace: namespace.map(Into::into),
            key: key.map(Into::into),
        })))
    }
}

/// The session, namespace or value whose default expiration has already passed.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ExpiredDefault(Box<Target>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Target {
    namespace: Option<Box<str>>,
    key: Option<Box<str>>,
}

impl ExpiredDefault {
    /// Returns the name of the namespace that would have been created, or that of the value.
    #[must_use]
    pub fn namespace(&self) -> Option<&str> {
        self.0.namespace.as_deref()
    }

    /// Returns the name of the value that would have been created.
    #[must_use]
    pub fn key(&self) -> Option<&str> {
        self.0.key.as_deref()
    }
}

impl fmt::Display for ExpiredDefault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the default expiration of ")?;
        match (self.namespace(), self.key()) {
            (None, None) => f.write_str("sessions")?,
            (Some(namespace), None) => write!(f, "the namespace `{namespace}`")?,
            (None, Some(key)) => write!(f, "the value `{key}`")?,
            (Some(namespace), Some(key)) => write!(f, "the value `{key}` of the namespace `{namespace}`")?,
        }
        f.write_str(" has already passed")
    }
}

impl fmt::Display for SessionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotInitialised => f.write_str("the session is used outside of a context"),
            Self::AlreadyInitialised => f.write_str("the task already has a context for this session"),
            Self::NotStarted => f.write_str("the session was not started"),
            Self::NotWritable => f.write_str("the session is not locked for writing"),
            Self::Unknown => f.write_str("there is no such session"),
            Self::Gone => f.write_str("the session is gone"),
            Self::Superseded => f.write_str("the session has moved to another id"),
            Self::LockLost => f.write_str("the lock on the session was lost"),
            Self::LockTimeout => f.write_str("the lock on the session did not become free in time"),
            Self::TooManyWaiters => f.write_str("too many visits wait for the session"),
            Self::WouldDeadlock => f.write_str("the session is held by a task that waits for this one"),
            Self::TaskPanicked => f.write_str("the task panicked"),
            Self::Undone => f.write_str("the changes of the visit were undone, as the session could not be closed"),
            Self::Sealed => f.write_str("the session can get no new id after the response has begun"),
            Self::Unreadable(error) => error.fmt(f),
            Self::Codec(error) => error.fmt(f),
            Self::TooLarge { size, limit } => {
                write!(f, "the session would take {size} bytes; the limit is {limit}")
            }
            Self::ExpiredDefault(default) => default.fmt(f),
            Self::NotFresh => f.write_str("the login is too long ago"),
            Self::TooManySessions { limit } => write!(f, "the owner has {limit} sessions, which is the limit"),
            Self::InvalidOwner => f.write_str("the owner of a session is empty or too long"),
            Self::EpochsOff => f.write_str("all sessions can be ended at once only if epochs are counted"),
            Self::EventsOff => f.write_str("no events were asked for"),
            Self::Storage(error) => error.fmt(f),
        }
    }
}

impl Error for SessionError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Unreadable(error) => Some(error),
            Self::Codec(error) => Some(error),
            Self::Storage(error) => Some(error),
            _ => None,
        }
    }
}

/// Maps kinds that have a variant of their own to it, and wraps all others.
impl From<StorageError> for SessionError {
    fn from(error: StorageError) -> Self {
        match error.kind() {
            StorageErrorKind::Gone => Self::Gone,
            StorageErrorKind::Superseded => Self::Superseded,
            StorageErrorKind::LockLost => Self::LockLost,
            StorageErrorKind::LockTimeout => Self::LockTimeout,
            StorageErrorKind::TooManyWaiters => Self::TooManyWaiters,
            _ => Self::Storage(error),
        }
    }
}

impl From<CodecError> for SessionError {
    fn from(error: CodecError) -> Self {
        Self::Codec(error)
    }
}

impl From<RecordError> for SessionError {
    fn from(error: RecordError) -> Self {
        Self::Unreadable(error)
    }
}
