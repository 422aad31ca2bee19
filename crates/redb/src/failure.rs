//! [`Failure`]: the failures of this crate, and the [`StorageError`] of each.

use std::error::Error;
use std::fmt;
use std::io;
use std::path::PathBuf;

use sessile_core::{SessionKey, StorageError, StorageErrorKind};
use tokio::task::JoinError;

/// The name of this storage in errors.
pub(crate) const NAME: &str = "redb";

/// The reason that a transaction was not stored, or may not have been.
#[derive(Debug)]
pub(crate) enum Failure {
    /// redb failed before the commit. Nothing was written.
    Redb(redb::Error),
    /// redb failed during the commit. The outcome is ambiguous until the database is opened again.
    CommitUnknown(redb::CommitError),
    /// The database is open elsewhere.
    AlreadyOpen(PathBuf, redb::Error),
    /// Stored bytes cannot be decoded.
    Corrupt(Corruption),
    /// The transaction panicked, or the runtime is shutting down. The outcome is ambiguous.
    Interrupted(JoinError),
}

/// Stored bytes that cannot be decoded.
#[derive(Debug)]
pub(crate) struct Corruption {
    /// The key they are stored under. `None` if the key itself is corrupt.
    pub(crate) key: Option<SessionKey>,
    pub(crate) reason: &'static str,
}

impl Failure {
    pub(crate) fn into_error(self, operation: &'static str) -> StorageError {
        let error = StorageError::new(self.kind(), operation, NAME);
        match self {
            Self::Redb(cause) => error.with_source(cause),
            Self::CommitUnknown(cause) => error.with_source(cause),
            Self::AlreadyOpen(path, cause) => error.with_source(AlreadyOpen { path, cause }),
            Self::Corrupt(corruption) => error.with_source(corruption),
            Self::Interrupted(cause) => error.with_source(cause),
        }
    }

    fn kind(&self) -> StorageErrorKind {
        match self {
            Self::Redb(error) => kind_of(error),
            // A full disk as well, if the commit had begun: `Full` would say that nothing was written.
            Self::CommitUnknown(_) | Self::Interrupted(_) | Self::AlreadyOpen(..) => StorageErrorKind::Unavailable,
            Self::Corrupt(_) => StorageErrorKind::Corrupt,
        }
    }
}

fn kind_of(error: &redb::Error) -> StorageErrorKind {
    use redb::Error as Redb;
    match error {
        Redb::Io(error) => kind_of_io(error.kind()),
        // After an error of the disk, the database has to be closed and opened again.
        Redb::PreviousIo | Redb::DatabaseClosed | Redb::DatabaseAlreadyOpen => StorageErrorKind::Unavailable,
        Redb::Corrupted(_)
        | Redb::TableTypeMismatch { .. }
        | Redb::TableIsMultimap(_)
        | Redb::TypeDefinitionChanged { .. } => StorageErrorKind::Corrupt,
        Redb::ValueTooLarge(_) | Redb::UpgradeRequired(_) => StorageErrorKind::Unsupported,
        _ => StorageErrorKind::Other,
    }
}

fn kind_of_io(kind: io::ErrorKind) -> StorageErrorKind {
    use io::ErrorKind as Io;
    match kind {
        Io::StorageFull | Io::QuotaExceeded | Io::FileTooLarge => StorageErrorKind::Full,
        Io::PermissionDenied | Io::ReadOnlyFilesystem => StorageErrorKind::Denied,
        // The file is no database, or a part of one.
        Io::InvalidData | Io::UnexpectedEof => StorageErrorKind::Corrupt,
        _ => StorageErrorKind::Unavailable,
    }
}

/// redb has an error type for each kind of call. All of them convert to `redb::Error`.
macro_rules! from_redb {
    ($($error:ident)*) => {$(
        impl From<redb::$error> for Failure {
            fn from(error: redb::$error) -> Self {
                Self::Redb(error.into())
            }
        }
    )*};
}

from_redb! { DatabaseError TransactionError TableError StorageError }

impl From<Corruption> for Failure {
    fn from(corruption: Corruption) -> Self {
        Self::Corrupt(corruption)
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Redb(redb::Error::Io(error))
    }
}

/// Names the session by its fingerprint, which identifies it and does not open it.
impl fmt::Display for Corruption {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.key {
            Some(key) => write!(f, "session #{}: {}", key.fingerprint(), self.reason),
            None => f.write_str(self.reason),
        }
    }
}

impl Error for Corruption {}

#[derive(Debug)]
struct AlreadyOpen {
    path: PathBuf,
    cause: redb::Error,
}

impl fmt::Display for AlreadyOpen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.path.display();
        write!(
            f,
            "{path} is open already, in this process or another one, and only one at a time can open it"
        )
    }
}

impl Error for AlreadyOpen {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.cause)
    }
}
