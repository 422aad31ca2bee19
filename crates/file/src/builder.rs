//! [`FileStorageBuilder`]: everything about a [`FileStorage`] that can be chosen.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use sessile_core::{Clock, DEFAULT_MAX_WAITERS, Entropy, StorageError};

use crate::durability::Durability;
use crate::failure::NAME;
use crate::files::Files;
use crate::files::quarantine::{Report, SetAside};
use crate::folder::Folder;
use crate::folder::options::{Setting, at_most_a_century};
use crate::storage::FileStorage;
use crate::threads::Threads;

/// What the file `FORMAT` of a folder of sessions says.
const FORMAT: &str = "sessile sessions 1\n";

/// A folder in which there is nothing to sweep is not searched more often than this.
const SHORTEST_PAUSE: Duration = Duration::from_millis(10);

/// Makes a [`FileStorage`].
///
/// All processes that share a folder have the same [lease](Self::lease), and should be given the same of everything
/// else. Durations of more than a century are taken for a century.
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
///     .on_set_aside(|file| eprintln!("damaged: {}", file.path.display()))
///     .open()?;
/// # drop(storage); std::fs::remove_dir_all(folder).unwrap();
/// # Ok::<(), sessile_core::StorageError>(())
/// ```
#[must_use = "a builder does nothing until it opens"]
pub struct FileStorageBuilder {
    folder: PathBuf,
    setting: Setting,
    max_waiters: usize,
    tombstone: Duration,
    quarantine: Duration,
    sweep_every: Option<Duration>,
    on_set_aside: Option<Report>,
}

impl FileStorageBuilder {
    pub(crate) fn new(folder: &Path) -> Self {
        Self {
            folder: folder.to_owned(),
            setting: Setting::default(),
            max_waiters: DEFAULT_MAX_WAITERS,
            tombstone: Duration::from_secs(60),
            quarantine: Duration::from_secs(60 * 60),
            sweep_every: Some(Duration::from_secs(10)),
            on_set_aside: None,
        }
    }

    /// What an acknowledged write survives: [`Durability::Sync`] by default.
    pub fn durability(mut self, durability: Durability) -> Self {
        self.setting.durability = durability;
        self
    }

    /// Sets how long a lock is held without being renewed: [`DEFAULT_LEASE`](sessile_core::DEFAULT_LEASE) by default,
    /// in whole milliseconds, and ten of them at least.
    ///
    /// It is also how long, at most, a holder keeps others waiting that is stopped and not dead. One that is dead keeps
    /// nobody waiting.
    ///
    /// All who open one folder have the same. The first writes it to the file `LEASE` in the folder, and a storage with
    /// another one is refused when it is opened. To change it, stop all processes that use the folder, remove the file,
    /// and start them with the new lease.
    pub fn lease(mut self, lease: Duration) -> Self {
        self.setting.lease = lease;
        self
    }

    /// How many may wait for one session's lock in this process: 1,024 by default, 1 at least.
    pub fn max_waiters(mut self, max_waiters: usize) -> Self {
        self.max_waiters = max_waiters;
        self
    }

    /// How long a key that rotation has replaced is remembered: 60 seconds by default.
    pub fn tombstone(mut self, tombstone: Duration) -> Self {
        self.tombstone = tombstone;
        self
    }

    /// For how long a session whose file was set aside is answered with
    /// [`Corrupt`](sessile_core::StorageErrorKind::Corrupt): one hour by default. Afterwards it is missing. Destroying
    /// the session ends it earlier.
    pub fn quarantine(mut self, quarantine: Duration) -> Self {
        self.quarantine = quarantine;
        self
    }

    /// How often a slice of about a thousand files is searched, in the background, for sessions that have expired, as
    /// long as there are few: each 10 seconds by default. `None` leaves it to those who call
    /// [`sweep`](sessile_core::Storage::sweep).
    ///
    /// The more it finds the sooner comes the next slice. From one in thirty-two on there is no pause, but for a moment
    /// that is left to others after each slice of some milliseconds: so it keeps up however fast sessions are created,
    /// as long as the disk does, and [`sweep_backlog`](FileStorage::sweep_backlog) says how far behind it is. Processes
    /// that share a folder share the work.
    ///
    /// It has a thread of its own, which ends when the storage is dropped. What it removes is not reported to anyone.
    pub fn sweep_every(mut self, interval: Option<Duration>) -> Self {
        self.sweep_every = interval;
        self
    }

    /// Is called, from a thread that may block and is in no runtime, for each file that is set aside. If it panics, what
    /// came across the file goes on all the same.
    pub fn on_set_aside(mut self, report: impl Fn(&SetAside) + Send + Sync + 'static) -> Self {
        self.on_set_aside = Some(Arc::new(report));
        self
    }

    /// Sets the clock that judges deadlines and leases. By default it is the clock of the machine for deadlines, and
    /// how long the machine has been up for leases.
    ///
    /// Processes that share a folder must share the clock too. Another one is for tests. With a
    /// [`TokioClock`](sessile_core::TokioClock) everything that blocks is done on the blocking threads of the runtime
    /// and not on threads of the storage's own: for them alone does tokio's time stand still when it is paused.
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.setting.set_clock(clock);
        self
    }

    /// Another clock for deadlines alone.
    #[cfg(test)]
    pub(crate) fn wall(mut self, clock: impl Clock) -> Self {
        self.setting.clock = Arc::new(clock);
        self
    }

    /// Where lock tokens and the names of temporary files come from: the operating system by default.
    ///
    /// Another one is for tests, and must not repeat itself.
    pub fn entropy(mut self, entropy: impl Entropy) -> Self {
        self.setting.entropy = Arc::new(entropy);
        self
    }

    #[cfg(test)]
    pub(crate) fn probe(mut self, probe: Arc<dyn crate::folder::disk::Probe>) -> Self {
        self.setting.disk.probe = Some(probe);
        self
    }

    /// Opens the folder, which is made if it is not there. Blocks for some milliseconds.
    ///
    /// # Errors
    ///
    /// As for [`FileStorage::open`], and [`Unsupported`](sessile_core::StorageErrorKind::Unsupported) for a lease that
    /// is too short, or is not that of the folder.
    pub fn open(self) -> Result<FileStorage, StorageError> {
        let setting = self.setting.checked(NAME)?;
        let threads = Threads::new(setting.paused);
        let folder = Folder::open(&self.folder, FORMAT, setting).map_err(|failure| failure.into_error("open", NAME))?;
        let files = Files {
            folder,
            tombstone: at_most_a_century(self.tombstone),
            quarantine: at_most_a_century(self.quarantine),
            on_set_aside: self.on_set_aside,
        };
        let sweep_every = self
            .sweep_every
            .map(|every| at_most_a_century(every).max(SHORTEST_PAUSE));
        FileStorage::new(files, threads, self.max_waiters, sweep_every)
    }
}

impl fmt::Debug for FileStorageBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FileStorageBuilder")
            .field("folder", &self.folder)
            .field("durability", &self.setting.durability)
            .field("lease", &self.setting.lease)
            .field("max_waiters", &self.max_waiters)
            .field("tombstone", &self.tombstone)
            .field("quarantine", &self.quarantine)
            .field("sweep_every", &self.sweep_every)
            .finish_non_exhaustive()
    }
}
