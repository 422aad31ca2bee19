//! [`Failure`]: an error of an operation before it has its name.

use crate::storage::{StorageError, StorageErrorKind};

/// The reason for which an operation failed.
pub(super) enum Failure {
    /// The contract requires the error.
    Refused(StorageErrorKind),
    /// The store or the locks failed.
    PartFailed(StorageError),
}

impl From<StorageError> for Failure {
    fn from(error: StorageError) -> Self {
        Self::PartFailed(error)
    }
}

impl From<StorageErrorKind> for Failure {
    fn from(kind: StorageErrorKind) -> Self {
        Self::Refused(kind)
    }
}
