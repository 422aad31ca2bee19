//! [`SessionError`]: what can go wrong with a session.

use std::error::Error;
use std::fmt;

use crate::json::CodecError;
use crate::payload::RecordError;
use crate::storage::{StorageError, StorageErrorKind};

/// A call on a session failed. Nothing was changed, unless the call says otherwise.
///
/// It holds no session id.
#[derive(Debug)]
#[non_exhaustive]
pub enum SessionError {
    /// The task has no context for this session: see [`Session::init`](crate::Session::init).
    NotInitialised,
    /// The task already has a context for this session.
    AlreadyInitialised,
    /// The session has to be started first.
    NotStarted,
    /// The session is not locked for writing: it was started read-only, or was closed or released.
    NotWritable,
    /// The visit is [strict](crate::Visit::attach) and there is no such session.
    Unknown,
    /// The session this visit has seen is no longer there: it was destroyed, or it has expired.
    Gone,
    /// The session has moved to another id, by a parallel visit.
    Superseded,
    /// The lock's lease was over before the session was closed. Nothing was written.
    LockLost,
    /// The lock was not free within the wait limit.
    LockTimeout,
    /// Too many visits wait for this session's lock already.
    TooManyWaiters,
    /// A close of this visit failed before and its changes were undone: what the visit shows by now is not what it set.
    /// [`start`](crate::Session::start) loads anew, [`release`](crate::Session::release) leaves it at that.
    Undone,
    /// The client has been told the outcome of the visit already, so the session can get no new id any more.
    Sealed,
    /// The record cannot be read, and the policy is to [fail](crate::Unreadable::Fail).
    Unreadable(RecordError),
    /// A value cannot be turned into JSON or back.
    Codec(CodecError),
    /// The session would take more than [`max_record_bytes`](crate::SessionBuilder::max_record_bytes) to store.
    TooLarge {
        /// How many bytes it would take, or a single value in it.
        size: usize,
        /// How many it may.
        limit: usize,
    },
    /// What the application has given as the expiration of whatever has none is over already, so what was about to begin
    /// would not be there.
    ExpiredDefault(ExpiredDefault),
    /// The storage failed.
    Storage(StorageError),
}

impl SessionError {
    /// Whether the same request may well succeed a little later.
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
            Self::LockLost | Self::LockTimeout | Self::TooManyWaiters | Self::Undone => true,
            Self::Storage(error) => error.is_retryable(),
            _ => false,
        }
    }
}

/// What a default expiration that was over already was to be given to: the session, a namespace, or a value.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ExpiredDefault(Box<Place>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Place {
    namespace: Option<Box<str>>,
    key: Option<Box<str>>,
}

impl ExpiredDefault {
    /// The name of the namespace that was to begin, or in which the value was to stand.
    #[must_use]
    pub fn namespace(&self) -> Option<&str> {
        self.0.namespace.as_deref()
    }

    /// The name of the value that was to begin.
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
        f.write_str(" is over already")
    }
}

impl SessionError {
    pub(crate) fn default_is_over(namespace: Option<&str>, key: Option<&str>) -> Self {
        Self::ExpiredDefault(ExpiredDefault(Box::new(Place {
            namespace: namespace.map(Into::into),
            key: key.map(Into::into),
        })))
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
            Self::LockTimeout => f.write_str("the session was locked for too long by others"),
            Self::TooManyWaiters => f.write_str("too many visits wait for the session"),
            Self::Undone => f.write_str("the changes of the visit were undone, as the session could not be closed"),
            Self::Sealed => f.write_str("the session can get no new id after the answer has begun"),
            Self::Unreadable(error) => error.fmt(f),
            Self::Codec(error) => error.fmt(f),
            Self::TooLarge { size, limit } => {
                write!(f, "the session would take {size} bytes, and may take {limit}")
            }
            Self::ExpiredDefault(default) => default.fmt(f),
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

/// What a session can name itself loses the storage's name; the rest is kept whole.
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
