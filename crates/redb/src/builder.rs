//! [`RedbStorageBuilder`].

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use sessile_core::{Clock, Entropy, LocalLocks, LocalLocksBuilder, LockedStore, OsEntropy, StorageError};

use crate::storage::RedbStorage;
use crate::store::RedbStore;

/// Sets up a [`RedbStorage`].
///
/// ```
/// use std::time::Duration;
/// use sessile_redb::RedbStorage;
///
/// # let folder = std::env::temp_dir().join(format!("sessile-redb-doc-builder-{}", std::process::id()));
/// # std::fs::create_dir_all(&folder).unwrap();
/// # let path = folder.join("sessions.redb");
/// let storage = RedbStorage::builder(path)
///     .lease(Duration::from_secs(10))
///     .tombstone_ttl(Duration::from_secs(30))
///     .open()?;
/// # drop(storage);
/// # std::fs::remove_dir_all(&folder).unwrap();
/// # Ok::<(), sessile_core::StorageError>(())
/// ```
#[derive(Debug, Clone)]
#[must_use = "a builder does nothing until it opens"]
pub struct RedbStorageBuilder {
    path: PathBuf,
    locks: LocalLocksBuilder,
    entropy: SharedEntropy,
    tombstone_ttl: Duration,
}

impl RedbStorageBuilder {
    fn new(path: &Path) -> Self {
        Self {
            path: path.to_owned(),
            locks: LocalLocks::builder(),
            entropy: SharedEntropy(Arc::new(OsEntropy)),
            tombstone_ttl: Duration::from_secs(60),
        }
    }

    /// Sets how long a lock is held without being renewed. 6 seconds by default.
    pub fn lease(mut self, lease: Duration) -> Self {
        self.locks = self.locks.lease(lease);
        self
    }

    /// Sets the number of visits that may wait for the lock of one session. 1,024 by default.
    pub fn max_waiters(mut self, max_waiters: usize) -> Self {
        self.locks = self.locks.max_waiters(max_waiters);
        self
    }

    /// Sets how long a tombstone stands at a key that its session has moved away from. 60 seconds by default; with
    /// zero, there are none.
    pub fn tombstone_ttl(mut self, tombstone_ttl: Duration) -> Self {
        self.tombstone_ttl = tombstone_ttl;
        self
    }

    /// Sets the clock that judges deadlines and leases. By default it is a [`SteadyClock`](sessile_core::SteadyClock)
    /// started now, so setting the machine's clock ends no session.
    ///
    /// Deadlines are stored and outlive the process. A clock of tests that starts elsewhere judges them differently.
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.locks = self.locks.clock(clock);
        self
    }

    /// Sets the source of lock tokens and of the versions of entries. By default it is the operating system; see
    /// [`OsEntropy`].
    ///
    /// A source that repeats itself causes lost updates.
    pub fn entropy(mut self, entropy: impl Entropy) -> Self {
        self.entropy = SharedEntropy(Arc::new(entropy));
        self
    }

    /// Opens the database, and creates it if it does not exist. The call blocks, so make it before the server serves.
    ///
    /// # Errors
    ///
    /// Those of [`RedbStore::open`].
    pub fn open(self) -> Result<RedbStorage, StorageError> {
        let store = RedbStore::open(&self.path)?;
        let locks = self.locks.entropy(self.entropy.clone()).build();
        let paired = LockedStore::builder(store, locks);
        let paired = paired.tombstone_ttl(self.tombstone_ttl).entropy(self.entropy);
        Ok(RedbStorage::from_parts(paired.build()))
    }
}

impl RedbStorage {
    /// Returns a builder for sessions in the database at this path.
    pub fn builder(path: impl AsRef<Path>) -> RedbStorageBuilder {
        RedbStorageBuilder::new(path.as_ref())
    }

    /// Opens the database at this path with default settings, and creates it if it does not exist. The call blocks.
    ///
    /// # Errors
    ///
    /// Those of [`RedbStore::open`].
    pub fn open(path: impl AsRef<Path>) -> Result<Self, StorageError> {
        Self::builder(path).open()
    }
}

/// One source of entropy for the locks and for the versions.
#[derive(Debug, Clone)]
struct SharedEntropy(Arc<dyn Entropy>);

impl Entropy for SharedEntropy {
    fn fill(&self, bytes: &mut [u8]) {
        self.0.fill(bytes);
    }
}
