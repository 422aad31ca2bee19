//! [`OutcomeLabel`]: the outcome of a call as a word, for logs and metrics.

use crate::storage::{Lookup, StorageError, StorageErrorKind};

/// The label of a call that was dropped before it completed.
pub(super) const CANCELLED: &str = "cancelled";

/// A result of an operation that has a label.
pub(super) trait OutcomeLabel {
    /// Returns the label.
    fn outcome_label(&self) -> &'static str;
}

impl<T> OutcomeLabel for Lookup<T> {
    fn outcome_label(&self) -> &'static str {
        match self {
            Self::Found(_) => "found",
            Self::Missing => "missing",
            Self::Superseded => "superseded",
        }
    }
}

macro_rules! label_as_ok {
    ($($type:ty),*) => {
        $(impl OutcomeLabel for $type {
            fn outcome_label(&self) -> &'static str {
                "ok"
            }
        })*
    };
}

label_as_ok!((), bool, crate::storage::Page, Vec<crate::storage::Stored>);

impl<T: OutcomeLabel> OutcomeLabel for Result<T, StorageError> {
    fn outcome_label(&self) -> &'static str {
        use StorageErrorKind as Kind;
        match self {
            Ok(output) => output.outcome_label(),
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
}
