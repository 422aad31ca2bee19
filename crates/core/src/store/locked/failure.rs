//! [`Failure`]: why an operation was not done.

use crate::storage::{StorageError, StorageErrorKind};

/// Why an operation did not do what it was asked to.
pub(super) enum Failure {
    /// The contract says so.
    Refused(StorageErrorKind),
    /// One of the parts failed.
    Broken(StorageError),
}

impl From<StorageError> for Failure {
    fn from(error: StorageError) -> Self {
        Self::Broken(error)
    }
}

impl From<StorageErrorKind> for Failure {
    fn from(kind: StorageErrorKind) -> Self {
        Self::Refused(kind)
    }
}
