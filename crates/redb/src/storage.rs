//! [`RedbStorage`]: the storage contract, kept by a store and locks.

use sessile_core::{Intercept, LocalLocks, LockedStore, OperationOutput, Storage, StorageCall, StorageError};

use crate::store::RedbStore;

/// A storage in a redb database, for the visits of one process. Clones share it.
///
/// It is a [`RedbStore`] with the locks of this process. redb lets one process open a database at a time, so no other
/// process needs to know of the locks.
///
/// ```
/// use sessile_core::Session;
/// use sessile_redb::RedbStorage;
///
/// # let folder = std::env::temp_dir().join(format!("sessile-redb-doc-storage-{}", std::process::id()));
/// # std::fs::create_dir_all(&folder)?;
/// # let path = folder.join("sessions.redb");
/// let session: Session = Session::builder(RedbStorage::open(path)?).build();
/// # drop(session);
/// # std::fs::remove_dir_all(&folder)?;
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct RedbStorage {
    paired: LockedStore<RedbStore, LocalLocks>,
}

impl RedbStorage {
    pub(crate) fn from_parts(paired: LockedStore<RedbStore, LocalLocks>) -> Self {
        Self { paired }
    }
}

/// Every operation waits for the disk, so there are no immediate functions.
impl Intercept for RedbStorage {
    type Inner = dyn Storage;

    fn inner(&self) -> &Self::Inner {
        &self.paired
    }

    async fn around<T: OperationOutput>(&self, call: StorageCall<'_, T>) -> Result<T, StorageError> {
        call.run().await
    }
}
