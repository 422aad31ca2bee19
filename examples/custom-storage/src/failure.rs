//! [`Failure`]: what can go wrong, and the [`StorageError`] it becomes.

use std::error::Error;
use std::fmt;
use std::io;
use std::path::PathBuf;

use sessile_core::{SessionKey, StorageError, StorageErrorKind};
use tokio::task::JoinError;

/// The name of this store in errors.
pub(crate) const NAME: &str = "redb";

/// Why a step was not taken, or may not have been.
#[derive(Debug)]
pub(crate) enum Failure {
    /// redb could not do something. Nothing was written.
    Redb(redb::Error),
    /// redb could not finish a transaction. Nobody knows whether it will be there when the database is opened next.
    InDoubt(redb::CommitError),
    /// The database is open elsewhere.
    AlreadyOpen(PathBuf, redb::Error),
    /// What is stored is not what was stored.
    Damaged(Damage),
    /// The step panicked, or the runtime is going down. Nobody knows how far it came.
    Stopped(JoinError),
}

/// What is stored is not what was stored, and where.
#[derive(Debug)]
pub(crate) struct Damage {
    /// `None` if it is the key itself.
    pub(crate) key: Option<SessionKey>,
    pub(crate) what: &'static str,
}

impl Failure {
    pub(crate) fn into_error(self, verb: &'static str) -> StorageError {
        let error = StorageError::new(self.kind(), verb, NAME);
        match self {
            Self::Redb(cause) => error.with_source(cause),
            Self::InDoubt(cause) => error.with_source(cause),
            Self::AlreadyOpen(path, cause) => error.with_source(AlreadyOpen { path, cause }),
            Self::Damaged(damage) => error.with_source(damage),
            Self::Stopped(cause) => error.with_source(cause),
        }
    }

    fn kind(&self) -> StorageErrorKind {
        match self {
            Self::Redb(error) => kind_of(error),
            // Also when the disk is full: any other kind would say that nothing was written.
            Self::InDoubt(_) | Self::Stopped(_) | Self::AlreadyOpen(..) => StorageErrorKind::Unavailable,
            Self::Damaged(_) => StorageErrorKind::Corrupt,
        }
    }
}

fn kind_of(error: &redb::Error) -> StorageErrorKind {
    use redb::Error as Redb;
    match error {
        Redb::Io(error) => kind_of_io(error.kind()),
        // After an error of the disk, redb wants to be closed and opened again.
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
        // The file is no database, or only a part of one.
        Io::InvalidData | Io::UnexpectedEof => StorageErrorKind::Corrupt,
        _ => StorageErrorKind::Unavailable,
    }
}

/// redb has an error type for each kind of call, and one that any of them can become.
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

impl From<Damage> for Failure {
    fn from(damage: Damage) -> Self {
        Self::Damaged(damage)
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Redb(redb::Error::Io(error))
    }
}

/// Names the session by fingerprint: enough to find it, and not enough to open it.
impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.key {
            Some(key) => write!(f, "session #{}: {}", key.fingerprint(), self.what),
            None => f.write_str(self.what),
        }
    }
}

impl Error for Damage {}

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
            "{path} is open already, here or in another process, and only one at a time can have it"
        )
    }
}

impl Error for AlreadyOpen {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.cause)
    }
}
