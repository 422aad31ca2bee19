//! [`RedbStore`]: opening a store, and [`RedbStorage`]: its storage.

use std::fmt;
use std::path::Path;

use redb::Database;
use sessile_core::{LocalLocks, LockedStore, StorageError};

use crate::failure::{Failure, NAME};
use crate::transactions::Transactions;
use crate::{file, tables};

/// A storage in a redb database, for the visits of one process: a store with the locks of this process.
///
/// redb lets one process open a database at a time, so no other process needs to know of the locks. The builders of
/// [`LockedStore`] and [`LocalLocks`] have the settings: lease, waiters, clock, tombstones and entropy.
///
/// Deadlines are stored and outlive the process. A clock of tests that starts elsewhere judges them differently.
///
/// ```
/// use std::time::Duration;
/// use sessile_core::{LocalLocks, LockedStore};
/// use sessile_redb::{RedbStorage, RedbStore};
///
/// # let folder = std::env::temp_dir().join(format!("sessile-redb-doc-storage-{}", std::process::id()));
/// # std::fs::create_dir_all(&folder)?;
/// # let path = folder.join("sessions.redb");
/// let locks = LocalLocks::builder().lease(Duration::from_secs(10)).build();
/// let storage: RedbStorage = LockedStore::builder(RedbStore::open(path)?, locks)
///     .tombstone_ttl(Duration::from_secs(30))
///     .build();
/// # drop(storage);
/// # std::fs::remove_dir_all(&folder)?;
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// ```
pub type RedbStorage = LockedStore<RedbStore, LocalLocks>;

/// Entries in a redb database: the store of a [`RedbStorage`], without locks. Clones share it.
///
/// An acknowledged write is on the disk: each write is a transaction of its own, and is synced before the call returns.
/// Writes run one after the other. Reads wait for none of them, except for one whose future was dropped.
///
/// The database is closed when the last clone is dropped and the last call has ended. Closing writes to the disk, so do
/// not drop the last clone on a thread that others wait for.
///
/// ```
/// use sessile_core::Session;
/// use sessile_redb::RedbStore;
///
/// # let folder = std::env::temp_dir().join(format!("sessile-redb-doc-store-{}", std::process::id()));
/// # std::fs::create_dir_all(&folder)?;
/// # let path = folder.join("app.redb");
/// // Beside the tables of the application, in one file.
/// let database = redb::Database::create(path)?;
/// let store = RedbStore::with_database(database)?;
/// let session: Session = Session::builder(store.into_storage()).build();
/// # drop(session);
/// # std::fs::remove_dir_all(&folder)?;
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct RedbStore {
    pub(crate) transactions: Transactions,
}

impl RedbStore {
    /// Opens the database at this path, and creates it if it does not exist. The call blocks, so make it before the
    /// server serves.
    ///
    /// # Errors
    ///
    /// | kind | reason |
    /// |---|---|
    /// | [`Unavailable`](sessile_core::StorageErrorKind::Unavailable) | the database is open already, or its folder does not exist |
    /// | [`Denied`](sessile_core::StorageErrorKind::Denied) | the file must not be read or written |
    /// | [`Corrupt`](sessile_core::StorageErrorKind::Corrupt) | the file is no database, or has tables of the same names with other types |
    pub fn open(path: impl AsRef<Path>) -> Result<Self, StorageError> {
        let opened = file::open(path.as_ref()).and_then(Self::prepare);
        opened.map_err(|failure| failure.into_error("open"))
    }

    /// Keeps sessions in a database that is open already, beside its other tables. The call blocks.
    ///
    /// # Errors
    ///
    /// [`Corrupt`](sessile_core::StorageErrorKind::Corrupt) when the database has tables of the same names with other
    /// types.
    pub fn with_database(database: Database) -> Result<Self, StorageError> {
        Self::prepare(database).map_err(|failure| failure.into_error("open"))
    }

    /// Combines the store with locks of this process, all with default settings.
    #[must_use]
    pub fn into_storage(self) -> RedbStorage {
        LockedStore::new(self, LocalLocks::new())
    }

    fn prepare(database: Database) -> Result<Self, Failure> {
        tables::create(&database)?;
        Ok(Self {
            transactions: Transactions::new(database),
        })
    }
}

impl fmt::Debug for RedbStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedbStore").field("name", &NAME).finish_non_exhaustive()
    }
}
