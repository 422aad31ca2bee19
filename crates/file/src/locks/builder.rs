//! [`FileLocksBuilder`]: configures and opens [`FileLocks`].

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use sessile_core::{Clock, DEFAULT_MAX_WAITERS, Entropy, StorageError};

use super::{FileLocks, NAME, NO_RECORD, SharedLocks};
use crate::failure::Failure;
use crate::folder::Folder;
use crate::folder::options::FolderOptions;
use crate::threads::Threads;

/// The content of the file `FORMAT` in a folder of locks.
const FORMAT: &str = "sessile locks 1\n";

impl FileLocks {
    /// Opens a folder with default settings. Creates the folder if it is missing.
    ///
    /// # Errors
    ///
    /// As for [`FileStorage::open`](crate::FileStorage::open).
    pub fn open(folder: impl AsRef<Path>) -> Result<Self, StorageError> {
        Self::builder(folder).open()
    }

    /// Returns a builder with default settings.
    pub fn builder(folder: impl AsRef<Path>) -> FileLocksBuilder {
        FileLocksBuilder {
            folder: folder.as_ref().to_owned(),
            options: FolderOptions::default(),
            max_waiters: DEFAULT_MAX_WAITERS,
        }
    }
}

/// Configures and opens [`FileLocks`].
#[must_use = "a builder does nothing until it opens"]
pub struct FileLocksBuilder {
    folder: PathBuf,
    options: FolderOptions,
    max_waiters: usize,
}

impl FileLocksBuilder {
    /// Sets how long a lock is held without being renewed. Default: [`DEFAULT_LEASE`](sessile_core::DEFAULT_LEASE).
    ///
    /// As for [`FileStorageBuilder::lease`](crate::FileStorageBuilder::lease), the lease is stored in the folder.
    pub fn lease(mut self, lease: Duration) -> Self {
        self.options.lease = lease;
        self
    }

    /// Sets how many tasks of this process may wait for one lock, at least 1. Default: 1,024.
    pub fn max_waiters(mut self, max_waiters: usize) -> Self {
        self.max_waiters = max_waiters;
        self
    }

    /// Sets the clock that judges leases. Default: the uptime of the machine.
    ///
    /// Other clocks are for tests, as for [`FileStorageBuilder::clock`](crate::FileStorageBuilder::clock).
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.options.set_clock(clock);
        self
    }

    /// Sets the source of tokens. Default: the operating system.
    ///
    /// Other sources are for tests, and must not repeat themselves.
    pub fn entropy(mut self, entropy: impl Entropy) -> Self {
        self.options.entropy = Arc::new(entropy);
        self
    }

    /// Opens the folder. Creates the folder if it is missing. Blocks for some milliseconds.
    ///
    /// # Errors
    ///
    /// As for [`FileStorage::open`](crate::FileStorage::open).
    pub fn open(self) -> Result<FileLocks, StorageError> {
        let failed = |failure: Failure| failure.into_error("open", NAME);
        let options = self.options.validated(NAME)?;
        let threads = Threads::new(options.paused);
        let folder = Folder::open(&self.folder, FORMAT, options).map_err(failed)?;
        for stripe in 0..=u8::MAX {
            // A stale lease that cannot be removed holds no lock.
            let _ = folder.remove_stale_leases(stripe, |_| Ok(Some(NO_RECORD)));
        }
        let shared = SharedLocks::new(folder, threads, self.max_waiters);
        Ok(FileLocks { shared })
    }
}

impl fmt::Debug for FileLocksBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FileLocksBuilder")
            .field("folder", &self.folder)
            .field("lease", &self.options.lease)
            .field("max_waiters", &self.max_waiters)
            .finish_non_exhaustive()
    }
}
