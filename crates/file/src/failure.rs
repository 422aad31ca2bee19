//! [`Failure`]: the error of a blocking operation, and its conversion to [`StorageError`].

use std::error::Error;
use std::fmt;
use std::io;
use std::path::PathBuf;

use sessile_core::{SessionKey, StorageError, StorageErrorKind};

/// The name of this storage in errors.
pub(crate) const NAME: &str = "file";

pub(crate) type Result<T, E = Failure> = std::result::Result<T, E>;

/// The reason why a blocking operation failed.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The contract requires this error.
    Refused(StorageErrorKind),
    /// The operating system refused a call.
    System { action: &'static str, source: io::Error },
    /// A change was published, but syncing it failed.
    Uncertain { action: &'static str, source: io::Error },
    /// A file is corrupt and has not been quarantined yet.
    Corrupt(CorruptFile),
    /// The file of this key has been quarantined: now, to this path, or earlier.
    Quarantined(SessionKey, Option<PathBuf>),
    /// Another process has taken over the stripe from this one. The operation can be retried.
    Revoked,
}

/// A file that cannot be decoded.
#[derive(Debug)]
pub(crate) struct CorruptFile {
    pub(crate) path: PathBuf,
    /// The key that the name of the file stands for.
    pub(crate) key: SessionKey,
    pub(crate) corruption: Corruption,
}

/// The way in which a file is corrupt.
#[derive(Debug)]
pub(crate) enum Corruption {
    /// Its bytes cannot be decoded.
    Format(FormatError),
    /// It cannot be opened, or is not a regular file.
    Unreadable(io::Error),
}

/// The reason why the bytes of a file cannot be decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FormatError {
    /// The magic number is missing, or the file belongs to another key.
    Foreign,
    /// The length or a checksum does not match.
    Torn,
    /// The file is intact, and of a format that this version does not know.
    Newer,
}

/// Attaches the action that the operating system refused.
pub(crate) trait Context<T> {
    fn context(self, action: &'static str) -> Result<T>;
}

impl<T> Context<T> for io::Result<T> {
    fn context(self, action: &'static str) -> Result<T> {
        self.map_err(|source| Failure::System { action, source })
    }
}

impl Failure {
    pub(crate) fn into_error(self, operation: &'static str, storage: &'static str) -> StorageError {
        let error = StorageError::new(self.kind(), operation, storage);
        match self {
            Self::Refused(_) => error,
            Self::System { action, source } | Self::Uncertain { action, source } => {
                error.with_source(SystemError { action, source })
            }
            Self::Corrupt(file) => error.with_source(format!("{}: {}", file.path.display(), file.corruption)),
            Self::Quarantined(_, Some(path)) => error.with_source(format!("quarantined as {}", path.display())),
            Self::Quarantined(_, None) => error.with_source("it was quarantined earlier"),
            Self::Revoked => error.with_source("other processes interrupted every attempt"),
        }
    }

    pub(crate) fn kind(&self) -> StorageErrorKind {
        match self {
            Self::Refused(kind) => *kind,
            Self::System { source, .. } => kind_of(source),
            Self::Corrupt(CorruptFile {
                corruption: Corruption::Format(FormatError::Newer),
                ..
            }) => StorageErrorKind::Unsupported,
            Self::Corrupt(_) | Self::Quarantined(..) => StorageErrorKind::Corrupt,
            Self::Uncertain { .. } | Self::Revoked => StorageErrorKind::Unavailable,
        }
    }
}

fn kind_of(error: &io::Error) -> StorageErrorKind {
    use io::ErrorKind as Io;
    match error.kind() {
        Io::StorageFull | Io::QuotaExceeded | Io::FileTooLarge => StorageErrorKind::Full,
        Io::PermissionDenied | Io::ReadOnlyFilesystem => StorageErrorKind::Denied,
        Io::TimedOut => StorageErrorKind::Timeout,
        Io::Unsupported => StorageErrorKind::Unsupported,
        // The folder, or the volume it was on, is gone.
        Io::NotFound | Io::NotADirectory | Io::StaleNetworkFileHandle => StorageErrorKind::Unavailable,
        _ => match error.raw_os_error() {
            // Out of file descriptors, or an I/O error of the disk: neither says anything about the session.
            Some(libc::EMFILE | libc::ENFILE | libc::EIO | libc::ENXIO | libc::ENODEV) => StorageErrorKind::Unavailable,
            _ => StorageErrorKind::Other,
        },
    }
}

impl fmt::Display for Corruption {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Format(FormatError::Foreign) => f.write_str("this is not the file of this session"),
            Self::Format(FormatError::Torn) => f.write_str("the file is truncated or corrupt"),
            Self::Format(FormatError::Newer) => f.write_str("the file was written by a later version"),
            Self::Unreadable(source) => write!(f, "the file cannot be read: {source}"),
        }
    }
}

/// An error of the operating system with the action that it refused.
#[derive(Debug)]
struct SystemError {
    action: &'static str,
    source: io::Error,
}

impl fmt::Display for SystemError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot {}", self.action)
    }
}

impl Error for SystemError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.source)
    }
}
