//! [`FileLocksBuilder`]: everything about [`FileLocks`] that can be chosen.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use sessile_core::{Clock, DEFAULT_MAX_WAITERS, Entropy, StorageError};

use super::{FileLocks, NAME, NO_RECORD, Shared};
use crate::failure::Failure;
use crate::folder::Folder;
use crate::folder::options::Setting;
use crate::threads::Threads;

/// What the file `FORMAT` of a folder of locks says.
const FORMAT: &str = "sessile locks 1\n";

/// Makes [`FileLocks`].
#[must_use = "a builder does nothing until it opens"]
pub struct FileLocksBuilder {
    folder: PathBuf,
    setting: Setting,
    max_waiters: usize,
}

impl FileLocksBuilder {
    pub(super) fn new(folder: &Path) -> Self {
        Self {
            folder: folder.to_owned(),
            setting: Setting::default(),
            max_waiters: DEFAULT_MAX_WAITERS,
        }
    }

    /// Sets how long a lock is held without being renewed: [`DEFAULT_LEASE`](sessile_core::DEFAULT_LEASE) by default.
    ///
    /// As for [`FileStorageBuilder::lease`](crate::FileStorageBuilder::lease), the folder keeps it.
    pub fn lease(mut self, lease: Duration) -> Self {
        self.setting.lease = lease;
        self
    }

    /// How many may wait for one lock in this process: 1,024 by default, 1 at least.
    pub fn max_waiters(mut self, max_waiters: usize) -> Self {
        self.max_waiters = max_waiters;
        self
    }

    /// Sets the clock that judges leases: how long the machine has been up, by default. Another one is for tests, as
    /// for [`FileStorageBuilder::clock`](crate::FileStorageBuilder::clock).
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.setting.set_clock(clock);
        self
    }

    /// Where tokens come from: the operating system by default. Another one is for tests, and must not repeat itself.
    pub fn entropy(mut self, entropy: impl Entropy) -> Self {
        self.setting.entropy = Arc::new(entropy);
        self
    }

    /// Opens the folder, which is made if it is not there. Blocks for some milliseconds.
    ///
    /// # Errors
    ///
    /// As for [`FileStorage::open`](crate::FileStorage::open).
    pub fn open(self) -> Result<FileLocks, StorageError> {
        let failed = |failure: Failure| failure.into_error("open", NAME);
        let setting = self.setting.checked(NAME)?;
        let threads = Threads::new(setting.paused);
        let folder = Folder::open(&self.folder, FORMAT, setting).map_err(failed)?;
        for stripe in 0..=u8::MAX {
            // A file that cannot be tidied away is in nobody's way.
            let _ = folder.tidy_leases(stripe, |_| Ok(Some(NO_RECORD)));
        }
        let shared = Shared::new(folder, threads, self.max_waiters);
        Ok(FileLocks { shared })
    }
}

impl fmt::Debug for FileLocksBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FileLocksBuilder")
            .field("folder", &self.folder)
            .field("lease", &self.setting.lease)
            .field("max_waiters", &self.max_waiters)
            .finish_non_exhaustive()
    }
}
