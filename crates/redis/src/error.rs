//! What can go wrong on the way to a server and back, and what it is called outside.

use redis::{RedisError, ServerError, ServerErrorKind};
use sessile_core::{StorageError, StorageErrorKind};

use crate::durable::ReplicationShortfall;

/// Why there is no answer, or no good one.
#[derive(Debug, Clone)]
pub(crate) enum Failure {
    /// What was configured cannot be used.
    Setup(RedisError),
    /// Nobody was asked: there is no connection and none could be made.
    Unreachable(RedisError),
    /// The connection broke before the answer came. The server may have done what it was asked.
    Broken(RedisError),
    /// The time was over. The server may have done what it was asked.
    Timeout,
    /// The server answered that it would not. Nothing was done.
    Refused(ServerError),
    /// The server has done it, and too few replicas have.
    Shortfall(ReplicationShortfall),
    /// The answer makes no sense.
    Nonsense,
}

impl Failure {
    fn kind(&self) -> StorageErrorKind {
        match self {
            Self::Setup(_) => StorageErrorKind::Unsupported,
            Self::Unreachable(error) if error.kind() == redis::ErrorKind::AuthenticationFailed => {
                StorageErrorKind::Denied
            }
            Self::Unreachable(error) if error.is_timeout() => StorageErrorKind::Timeout,
            Self::Unreachable(error) => match error.code() {
                Some("NOPERM" | "NOAUTH" | "WRONGPASS") => StorageErrorKind::Denied,
                _ => StorageErrorKind::Unavailable,
            },
            Self::Broken(_) | Self::Shortfall(_) => StorageErrorKind::Unavailable,
            Self::Timeout => StorageErrorKind::Timeout,
            Self::Refused(error) => refusal(error),
            Self::Nonsense => StorageErrorKind::Corrupt,
        }
    }

    /// As the error of a verb, of the storage or of the locks.
    pub(crate) fn into_error(self, operation: &'static str, name: &'static str) -> StorageError {
        let error = StorageError::new(self.kind(), operation, name);
        match self {
            Self::Setup(source) | Self::Unreachable(source) | Self::Broken(source) => error.with_source(source),
            Self::Refused(source) => error.with_source(source),
            Self::Shortfall(source) => error.with_source(source),
            Self::Nonsense => error.with_source("the server's answer was not understood"),
            Self::Timeout => error,
        }
    }
}

fn refusal(error: &ServerError) -> StorageErrorKind {
    use ServerErrorKind::{Ask, BusyLoading, ClusterDown, MasterDown, Moved, NoPerm, ReadOnly, TryAgain};
    match error.kind() {
        Some(NoPerm) => StorageErrorKind::Denied,
        Some(BusyLoading | MasterDown | ReadOnly | ClusterDown | TryAgain | Moved | Ask) => {
            StorageErrorKind::Unavailable
        }
        _ => match code(error) {
            "NOAUTH" | "WRONGPASS" | "DENIED" => StorageErrorKind::Denied,
            "OOM" => StorageErrorKind::Full,
            "MISCONF" | "NOREPLICAS" | "BUSY" | "UNBLOCKED" => StorageErrorKind::Unavailable,
            "WRONGTYPE" => StorageErrorKind::Corrupt,
            _ => StorageErrorKind::Other,
        },
    }
}

/// The code of an error. One that came up inside a script is wrapped in a message of the script's own.
fn code(error: &ServerError) -> &str {
    let within = |text: &'static str| error.details().is_some_and(|details| details.contains(text));
    match error.code() {
        "ERR" if within("OOM command not allowed") => "OOM",
        code => code,
    }
}
