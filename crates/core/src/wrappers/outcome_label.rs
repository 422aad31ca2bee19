//! The outcome of a call as a word, for traces and metrics.

use super::OperationOutput;
use crate::storage::{StorageError, StorageErrorKind};

/// The label of a call that was dropped before it completed.
pub(super) const CANCELLED: &str = "cancelled";

/// Returns the label of a call that has completed.
pub(super) fn outcome_label<T: OperationOutput>(result: &Result<T, StorageError>) -> &'static str {
    use StorageErrorKind as Kind;
    match result {
        Ok(output) => output.outcome(),
        Err(error) => match error.kind() {
            Kind::Exists => "exists",
            Kind::Gone => "gone",
            Kind::Superseded => "superseded",
            Kind::LockLost => "lock_lost",
            Kind::LockTimeout => "lock_timeout",
            Kind::TooManyWaiters => "too_many_waiters",
            Kind::Full => "full",
            Kind::Corrupt => "corrupt",
            Kind::Unsupported => "unsupported",
            Kind::Denied => "denied",
            Kind::Unavailable => "unavailable",
            Kind::Timeout => "timeout",
            Kind::Other => "other",
        },
    }
}
