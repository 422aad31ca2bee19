//! [`Failure`]: the reasons for which a command fails, and the storage errors they become.

use redis::{RedisError, ServerError, ServerErrorKind};
use sessile_core::{StorageError, StorageErrorKind};

use crate::durability::ReplicationShortfall;

/// The reason for which a command has no reply, or no usable one.
#[derive(Debug, Clone)]
pub(crate) enum Failure {
    /// The configuration cannot be used.
    Setup(RedisError),
    /// The command was not sent: there is no connection, and none could be made.
    Unreachable(RedisError),
    /// The connection broke before the reply arrived. The server may have executed the command.
    Broken(RedisError),
    /// The time limit is over. The server may have executed the command.
    Timeout,
    /// The server refused the command without executing it.
    Refused(ServerError),
    /// The server executed the command, and too few replicas did.
    Shortfall(ReplicationShortfall),
    /// The server does not allow this user a required command.
    Forbidden(String),
    /// The reply has an unexpected form.
    UnexpectedReply,
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
            Self::UnexpectedReply => StorageErrorKind::Corrupt,
        }
    }

    /// Converts this to the error of an operation of the storage or of the locks.
    pub(crate) fn into_error(self, operation: &'static str, name: &'static str) -> StorageError {
        let error = StorageError::new(self.kind(), operation, name);
        match self {
            Self::Setup(source) | Self::Unreachable(source) | Self::Broken(source) => error.with_source(source),
            Self::Refused(source) => error.with_source(source),
            Self::Shortfall(source) => error.with_source(source),
            Self::Forbidden(command) => error.with_source(format!("the server does not allow {command}")),
            Self::UnexpectedReply => error.with_source("the server's reply was not understood"),
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

/// Returns whether the server's access control has refused the command.
pub(crate) fn is_denied(error: &ServerError) -> bool {
    refusal(error) == StorageErrorKind::Denied
}

/// Returns whether this text is the error of a script whose user may not call a command: up to version 7.0, and since.
pub(crate) fn is_denial_text(text: &str) -> bool {
    ["The user executing the script can't", "ACL failure in script"]
        .iter()
        .any(|denial| text.contains(denial))
}

/// Returns the code of an error. The error of a command inside a script is wrapped in a message of the script.
fn code(error: &ServerError) -> &str {
    let details = error.details().unwrap_or_default();
    match error.code() {
        "ERR" if details.contains("OOM command not allowed") => "OOM",
        "ERR" if is_denial_text(details) => "NOPERM",
        code => code,
    }
}
