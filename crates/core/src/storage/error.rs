//! [`StorageError`]: a failed operation of a storage.

use std::error::Error;
use std::fmt;

/// A failed operation of a storage.
///
/// All storages share this type: the [kind](StorageError::kind) says what happened,
/// [operation](StorageError::operation) and [storage](StorageError::storage) say where, and the [source](Error::source)
/// is kept. It holds no session id.
///
/// ```
/// use sessile_core::{StorageError, StorageErrorKind};
///
/// let cause = std::io::Error::other("no route to host");
/// let error = StorageError::new(StorageErrorKind::Unavailable, "commit", "redis").with_source(cause);
/// assert_eq!(error.to_string(), "redis: commit: the storage cannot be reached");
/// assert!(error.is_retryable());
/// ```
pub struct StorageError(Box<Inner>);

struct Inner {
    kind: StorageErrorKind,
    operation: &'static str,
    storage: &'static str,
    source: Option<Box<dyn Error + Send + Sync>>,
}

/// The kind of a [`StorageError`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum StorageErrorKind {
    /// The key for a new record is taken.
    Exists,
    /// The record is no longer there.
    Gone,
    /// The session has moved to another key.
    Superseded,
    /// The lock is no longer held.
    LockLost,
    /// The lock was not free within the wait limit.
    LockTimeout,
    /// Too many calls are waiting for the lock already.
    TooManyWaiters,
    /// The storage has reached its limit or its capacity.
    Full,
    /// The stored data cannot be decoded.
    Corrupt,
    /// The storage does not support this operation.
    Unsupported,
    /// The storage refuses access: permissions, credentials, a read-only disk.
    Denied,
    /// The storage cannot be reached. The operation may have taken effect.
    Unavailable,
    /// The storage did not reply in time. The operation may have taken effect.
    Timeout,
    /// Anything else.
    Other,
}

impl StorageErrorKind {
    const fn describe(self) -> &'static str {
        match self {
            Self::Exists => "the key is taken",
            Self::Gone => "the session is gone",
            Self::Superseded => "the session has moved to another id",
            Self::LockLost => "the lock is no longer held",
            Self::LockTimeout => "the lock was not free in time",
            Self::TooManyWaiters => "too many are waiting for the lock",
            Self::Full => "the storage is full",
            Self::Corrupt => "the record cannot be read",
            Self::Unsupported => "the storage does not support this",
            Self::Denied => "the storage refuses access",
            Self::Unavailable => "the storage cannot be reached",
            Self::Timeout => "the storage timed out",
            Self::Other => "the storage failed",
        }
    }
}

impl StorageError {
    /// Creates an error of `operation`, such as `"commit"`, in the `storage` of this [name](crate::Storage::name).
    #[must_use]
    pub fn new(kind: StorageErrorKind, operation: &'static str, storage: &'static str) -> Self {
        Self(Box::new(Inner {
            kind,
            operation,
            storage,
            source: None,
        }))
    }

    /// Attaches the underlying error.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        self.0.source = Some(source.into());
        self
    }

    /// Returns what happened.
    #[must_use]
    pub fn kind(&self) -> StorageErrorKind {
        self.0.kind
    }

    /// Returns the name of the operation that failed.
    #[must_use]
    pub fn operation(&self) -> &'static str {
        self.0.operation
    }

    /// Returns the name of the storage that failed.
    #[must_use]
    pub fn storage(&self) -> &'static str {
        self.0.storage
    }

    /// Returns whether the operation may have taken effect all the same.
    pub(crate) fn is_ambiguous(&self) -> bool {
        use StorageErrorKind::{Other, Timeout, Unavailable};
        matches!(self.kind(), Unavailable | Timeout | Other)
    }

    /// Returns whether the same request may succeed a little later.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        use StorageErrorKind::{LockTimeout, Timeout, TooManyWaiters, Unavailable};
        matches!(self.kind(), LockTimeout | Timeout | TooManyWaiters | Unavailable)
    }
}

impl fmt::Display for StorageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = self.kind().describe();
        write!(f, "{}: {}: {kind}", self.storage(), self.operation())
    }
}

impl fmt::Debug for StorageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StorageError")
            .field("kind", &self.0.kind)
            .field("operation", &self.0.operation)
            .field("storage", &self.0.storage)
            .field("source", &self.0.source)
            .finish()
    }
}

impl Error for StorageError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.0.source.as_deref().map(|source| source as _)
    }
}
