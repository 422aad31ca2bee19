//! What the blocking half reports, and the [`StorageError`] it becomes.

use std::error::Error;
use std::fmt;
use std::io;
use std::path::PathBuf;

use sessile_core::{SessionKey, StorageError, StorageErrorKind};

use crate::folder::format::Flaw;

/// The name of this storage in errors.
pub(crate) const NAME: &str = "file";

pub(crate) type Result<T, E = Failure> = std::result::Result<T, E>;

/// Why a step was not taken.
#[derive(Debug)]
pub(crate) enum Failure {
    /// An answer of the contract.
    Refused(StorageErrorKind),
    /// The operating system would not do something.
    System { doing: &'static str, source: io::Error },
    /// A change was made, and then it could not be made sure that it lasts.
    Uncertain { doing: &'static str, source: io::Error },
    /// A file does not hold what was written there. It has not been set aside yet.
    Flawed(Flawed),
    /// The file of this key was set aside: now, to this path, or a while ago.
    SetAside(SessionKey, Option<PathBuf>),
    /// Another process took the stripe away from this one, which had stopped for too long; the step can be tried anew.
    Revoked,
}

/// A file that does not hold what was written there.
#[derive(Debug)]
pub(crate) struct Flawed {
    pub(crate) path: PathBuf,
    /// The key whose file it should have been.
    pub(crate) key: SessionKey,
    pub(crate) why: Why,
}

/// What is wrong with a file.
#[derive(Debug)]
pub(crate) enum Why {
    /// Its bytes.
    Bytes(Flaw),
    /// It cannot be opened, or is no file at all.
    Unreadable(io::Error),
}

/// Says what was being done when the operating system refused.
pub(crate) trait Doing<T> {
    fn doing(self, what: &'static str) -> Result<T>;
}

impl<T> Doing<T> for io::Result<T> {
    fn doing(self, what: &'static str) -> Result<T> {
        self.map_err(|source| Failure::System { doing: what, source })
    }
}

impl Failure {
    pub(crate) fn into_error(self, operation: &'static str, storage: &'static str) -> StorageError {
        let error = StorageError::new(self.kind(), operation, storage);
        match self {
            Self::Refused(_) => error,
            Self::System { doing, source } | Self::Uncertain { doing, source } => {
                error.with_source(SystemError { doing, source })
            }
            Self::Flawed(flawed) => error.with_source(format!("{}: {}", flawed.path.display(), flawed.why)),
            Self::SetAside(_, Some(path)) => error.with_source(format!("set aside as {}", path.display())),
            Self::SetAside(_, None) => error.with_source("it was set aside earlier"),
            Self::Revoked => error.with_source("other processes were in the way, again and again"),
        }
    }

    /// Whether there is no room.
    pub(crate) fn is_full(&self) -> bool {
        self.kind() == StorageErrorKind::Full
    }

    /// Whether we may not do it.
    pub(crate) fn is_denied(&self) -> bool {
        self.kind() == StorageErrorKind::Denied
    }

    fn kind(&self) -> StorageErrorKind {
        match self {
            Self::Refused(kind) => *kind,
            Self::System { source, .. } => kind_of(source),
            Self::Flawed(Flawed {
                why: Why::Bytes(Flaw::Newer),
                ..
            }) => StorageErrorKind::Unsupported,
            Self::Flawed(_) | Self::SetAside(..) => StorageErrorKind::Corrupt,
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
            // Out of file descriptors, or a disk that does not answer: neither says anything about the session.
            Some(libc::EMFILE | libc::ENFILE | libc::EIO | libc::ENXIO | libc::ENODEV) => StorageErrorKind::Unavailable,
            _ => StorageErrorKind::Other,
        },
    }
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bytes(Flaw::Foreign) => f.write_str("this is not the file of this session"),
            Self::Bytes(Flaw::Torn) => f.write_str("the file is torn or damaged"),
            Self::Bytes(Flaw::Newer) => f.write_str("the file was written by a later version"),
            Self::Unreadable(source) => write!(f, "the file cannot be read: {source}"),
        }
    }
}

/// The operating system refused, and what.
#[derive(Debug)]
struct SystemError {
    doing: &'static str,
    source: io::Error,
}

impl fmt::Display for SystemError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot {}", self.doing)
    }
}

impl Error for SystemError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.source)
    }
}
