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
    /// The server does not allow this user a command that is needed.
    Forbidden(String),
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
            Self::Forbidden(_) => StorageErrorKind::Denied,
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
            Self::Forbidden(command) => error.with_source(format!("the server does not allow {command}")),
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
            "NOPERM" | "NOAUTH" | "WRONGPASS" | "DENIED" => StorageErrorKind::Denied,
            "OOM" => StorageErrorKind::Full,
            "MISCONF" | "NOREPLICAS" | "BUSY" | "UNBLOCKED" => StorageErrorKind::Unavailable,
            "WRONGTYPE" => StorageErrorKind::Corrupt,
            _ => StorageErrorKind::Other,
        },
    }
}

/// Whether the server's access control has forbidden it.
pub(crate) fn is_denied(error: &ServerError) -> bool {
    refusal(error) == StorageErrorKind::Denied
}

/// Whether this is what a script is told that calls what its caller may not: up to version 7.0, and since.
pub(crate) fn is_text_of_denial(text: &str) -> bool {
    ["The user executing the script can't", "ACL failure in script"]
        .iter()
        .any(|denial| text.contains(denial))
}

/// The code of an error. One that came up inside a script is wrapped in a message of the script's own.
fn code(error: &ServerError) -> &str {
    let details = error.details().unwrap_or_default();
    match error.code() {
        "ERR" if details.contains("OOM command not allowed") => "OOM",
        "ERR" if is_text_of_denial(details) => "NOPERM",
        code => code,
    }
}
