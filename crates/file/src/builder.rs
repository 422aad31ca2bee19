//! [`FileStorageBuilder`]: configures and opens a [`FileStorage`].

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use sessile_core::{Clock, DEFAULT_MAX_WAITERS, Entropy, StorageError};

use crate::durability::Durability;
use crate::failure::NAME;
use crate::files::Files;
use crate::files::quarantine::{Quarantine, QuarantineHook, QuarantinedFile};
use crate::folder::Folder;
use crate::folder::options::{FolderOptions, at_most_a_century};
use crate::shared::Shared;
use crate::storage::FileStorage;
use crate::threads::Threads;

/// The content of the file `FORMAT` in a folder of sessions.
const FORMAT: &str = "sessile sessions 1\n";

/// The shortest interval between two slices of the sweeper in a folder without expired sessions.
const MIN_SWEEP_INTERVAL: Duration = Duration::from_millis(10);

impl FileStorage {
    /// Opens a folder with default settings. Creates the folder if it is missing.
    ///
    /// Removes the temporary files of processes that have died. This takes a few milliseconds and blocks; call it when
    /// the server starts.
    ///
    /// # Errors
    ///
    /// [`Denied`](sessile_core::StorageErrorKind::Denied) or [`Full`](sessile_core::StorageErrorKind::Full) if the
    /// folder cannot be written to, [`Unsupported`](sessile_core::StorageErrorKind::Unsupported) if it has other
    /// contents, is of a later version, or is on a file system without file locks.
    pub fn open(folder: impl AsRef<Path>) -> Result<Self, StorageError> {
        Self::builder(folder).open()
    }

    /// Returns a builder with default settings.
    pub fn builder(folder: impl AsRef<Path>) -> FileStorageBuilder {
        FileStorageBuilder {
            folder: folder.as_ref().to_owned(),
            options: FolderOptions::default(),
            max_waiters: DEFAULT_MAX_WAITERS,
            tombstone_ttl: Duration::from_secs(60),
            quarantine_ttl: Duration::from_secs(60 * 60),
            sweep_every: Some(Duration::from_secs(10)),
            on_quarantine: None,
        }
    }
}

/// Configures and opens a [`FileStorage`].
///
/// All processes that share a folder must have the same [lease](Self::lease), and should have the same other settings.
/// Durations of more than a century are clamped to a century.
///
/// ```
/// use std::time::Duration;
/// use sessile_file::{Durability, FileStorage};
///
/// # let folder = std::env::temp_dir().join(format!("sessile-doc-builder-{}", std::process::id()));
/// # let folder = folder.as_path();
/// let storage = FileStorage::builder(folder)
///     .durability(Durability::Relaxed)
///     .lease(Duration::from_secs(10))
///     .on_quarantine(|file| eprintln!("corrupt: {}", file.path.display()))
///     .open()?;
/// # drop(storage); std::fs::remove_dir_all(folder).unwrap();
/// # Ok::<(), sessile_core::StorageError>(())
/// ```
#[must_use = "a builder does nothing until it opens"]
pub struct FileStorageBuilder {
    folder: PathBuf,
    options: FolderOptions,
    max_waiters: usize,
    tombstone_ttl: Duration,
    quarantine_ttl: Duration,
    sweep_every: Option<Duration>,
    on_quarantine: Option<QuarantineHook>,
}

impl FileStorageBuilder {
    /// Sets the failures that an acknowledged write survives. Default: [`Durability::Sync`].
    pub fn durability(mut self, durability: Durability) -> Self {
        self.options.durability = durability;
        self
    }

    /// Sets how long a lock is held without being renewed, in whole milliseconds and at least ten.
    /// Default: [`DEFAULT_LEASE`](sessile_core::DEFAULT_LEASE).
    ///
    /// The lease is also the longest time for which a stopped holder keeps others waiting. The lock of a dead holder is
    /// free at once.
    ///
    /// All storages that open one folder have the same lease. The first writes it to the file `LEASE` in the folder,
    /// and a storage with another lease fails to open. To change the lease, stop all processes that use the folder,
    /// remove the file, and start them with the new lease.
    pub fn lease(mut self, lease: Duration) -> Self {
        self.options.lease = lease;
        self
    }

    /// Sets how many tasks of this process may wait for the lock of one session, at least 1. Default: 1,024.
    pub fn max_waiters(mut self, max_waiters: usize) -> Self {
        self.max_waiters = max_waiters;
        self
    }

    /// Sets how long a key that rotation has replaced is remembered, after its grace. Default: 60 seconds.
    pub fn tombstone_ttl(mut self, ttl: Duration) -> Self {
        self.tombstone_ttl = ttl;
        self
    }

    /// Sets how long a session whose file was quarantined is reported as
    /// [`Corrupt`](sessile_core::StorageErrorKind::Corrupt). Default: one hour.
    ///
    /// Afterwards the session is missing. Destroying the session ends the time early.
    pub fn quarantine_ttl(mut self, ttl: Duration) -> Self {
        self.quarantine_ttl = ttl;
        self
    }

    /// Sets how often the background sweeper examines a slice of about a thousand files for expired sessions, as long
    /// as there are few. Default: 10 seconds. `None` disables it and leaves sweeping to callers of
    /// [`sweep`](sessile_core::Storage::sweep).
    ///
    /// The more files have expired, the sooner the next slice follows. From one in thirty-two on, the sweeper rests
    /// only for a moment after each slice of some milliseconds. It therefore keeps up with any rate of sessions that
    /// the disk sustains, and [`sweep_backlog`](FileStorage::sweep_backlog) tells how far it is behind. Processes that
    /// share a folder share the work.
    ///
    /// The sweeper has a thread of its own, which ends when the storage is dropped. Sessions that it removes are not
    /// reported.
    pub fn sweep_every(mut self, interval: Option<Duration>) -> Self {
        self.sweep_every = interval;
        self
    }

    /// Sets a callback for each file that is quarantined.
    ///
    /// It runs on a thread that may block and is in no runtime. A panic of the callback does not affect the operation
    /// that found the file.
    pub fn on_quarantine(mut self, callback: impl Fn(&QuarantinedFile) + Send + Sync + 'static) -> Self {
        self.on_quarantine = Some(Arc::new(callback));
        self
    }

    /// Sets the clock that judges deadlines and leases. Default: the clock of the machine for deadlines, and its uptime
    /// for leases.
    ///
    /// Processes that share a folder must share the clock. Other clocks are for tests. With a
    /// [`TokioClock`](sessile_core::TokioClock) blocking functions run on the blocking threads of the runtime instead
    /// of the storage's own threads: only for those does tokio's time stand still while it is paused.
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.options.set_clock(clock);
        self
    }

    /// Sets the clock that judges deadlines alone.
    #[cfg(test)]
    pub(crate) fn wall(mut self, clock: impl Clock) -> Self {
        self.options.clock = Arc::new(clock);
        self
    }

    /// Sets the source of lock tokens and of names of temporary files. Default: the operating system.
    ///
    /// Other sources are for tests, and must not repeat themselves.
    pub fn entropy(mut self, entropy: impl Entropy) -> Self {
        self.options.entropy = Arc::new(entropy);
        self
    }

    #[cfg(test)]
    pub(crate) fn probe(mut self, probe: Arc<dyn crate::folder::disk::Probe>) -> Self {
        self.options.disk.probe = Some(probe);
        self
    }

    /// Opens the folder. Creates the folder if it is missing. Blocks for some milliseconds.
    ///
    /// # Errors
    ///
    /// As for [`FileStorage::open`], and [`Unsupported`](sessile_core::StorageErrorKind::Unsupported) for a lease that
    /// is too short or differs from the lease of the folder.
    pub fn open(self) -> Result<FileStorage, StorageError> {
        let options = self.options.validated(NAME)?;
        let threads = Threads::new(options.paused);
        let folder = Folder::open(&self.folder, FORMAT, options).map_err(|failure| failure.into_error("open", NAME))?;
        let files = Files {
            folder,
            tombstone_ttl: at_most_a_century(self.tombstone_ttl),
            quarantine: Quarantine {
                ttl: at_most_a_century(self.quarantine_ttl),
                hook: self.on_quarantine,
            },
        };
        let sweep_every = self
            .sweep_every
            .map(|every| at_most_a_century(every).max(MIN_SWEEP_INTERVAL));
        let shared = Shared::new(files, threads, self.max_waiters, sweep_every)?;
        Ok(FileStorage { shared })
    }
}

impl fmt::Debug for FileStorageBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FileStorageBuilder")
            .field("folder", &self.folder)
            .field("durability", &self.options.durability)
            .field("lease", &self.options.lease)
            .field("max_waiters", &self.max_waiters)
            .field("tombstone_ttl", &self.tombstone_ttl)
            .field("quarantine_ttl", &self.quarantine_ttl)
            .field("sweep_every", &self.sweep_every)
            .finish_non_exhaustive()
    }
}
