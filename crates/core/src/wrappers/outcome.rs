//! How calls end, in words for logs and metrics.

use crate::storage::{Lookup, StorageError, StorageErrorKind};

/// A call that was dropped before it came to its end.
pub(super) const CANCELLED: &str = "cancelled";

/// What a verb answers.
pub(super) trait Answer {
    /// How to call it.
    fn outcome(&self) -> &'static str;
}

impl<T> Answer for Lookup<T> {
    fn outcome(&self) -> &'static str {
        match self {
            Self::Found(_) => "found",
            Self::Missing => "missing",
            Self::Superseded => "superseded",
        }
    }
}

macro_rules! answers_with_ok {
    ($($type:ty),*) => {
        $(impl Answer for $type {
            fn outcome(&self) -> &'static str {
                "ok"
            }
        })*
    };
}

answers_with_ok!((), bool, crate::storage::Page, Vec<crate::storage::Stored>);

impl<T: Answer> Answer for Result<T, StorageError> {
    fn outcome(&self) -> &'static str {
        use StorageErrorKind as Kind;
        match self {
            Ok(answer) => answer.outcome(),
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
