//! [`RedbStorage`]: the storage contract, kept by a store and locks.

use std::time::Duration;

use async_trait::async_trait;
use sessile_core::{
    Capabilities, Clock, Cursor, ImmediateStorage, LocalLocks, Lock, LockId, Locked, LockedStore, Lookup, Page, Record,
    SessionKey, Storage, StorageError, Stored, Timestamp,
};

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

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl Storage for RedbStorage {
    fn name(&self) -> &'static str {
        self.paired.name()
    }

    fn clock(&self) -> &dyn Clock {
        self.paired.clock()
    }

    fn capabilities(&self) -> Capabilities<'_> {
        self.paired.capabilities()
    }

    /// Every operation waits for the disk.
    fn immediate(&self) -> Option<&dyn ImmediateStorage> {
        None
    }

    async fn read(&self, key: &SessionKey) -> Result<Lookup<Stored>, StorageError> {
        self.paired.read(key).await
    }

    async fn lock(&self, key: &SessionKey, wait: Duration) -> Result<Lookup<Locked>, StorageError> {
        self.paired.lock(key, wait).await
    }

    async fn create(&self, key: &SessionKey, record: Record) -> Result<(), StorageError> {
        self.paired.create(key, record).await
    }

    async fn commit(&self, lock: &mut Lock, record: Record) -> Result<(), StorageError> {
        self.paired.commit(lock, record).await
    }

    async fn replace(&self, known: &Stored, record: Record) -> Result<bool, StorageError> {
        self.paired.replace(known, record).await
    }

    async fn rotate(
        &self,
        lock: &mut Lock,
        new_key: &SessionKey,
        record: Record,
        grace: Duration,
    ) -> Result<(), StorageError> {
        self.paired.rotate(lock, new_key, record, grace).await
    }

    async fn release(&self, lock: Lock) -> Result<(), StorageError> {
        self.paired.release(lock).await
    }

    async fn renew(&self, lock: &LockId) -> Result<(), StorageError> {
        self.paired.renew(lock).await
    }

    async fn touch(
        &self,
        key: &SessionKey,
        version: u64,
        deadline: Option<Timestamp>,
        last_active: Timestamp,
    ) -> Result<bool, StorageError> {
        self.paired.touch(key, version, deadline, last_active).await
    }

    async fn destroy(&self, key: &SessionKey) -> Result<Lookup<()>, StorageError> {
        self.paired.destroy(key).await
    }

    async fn scan(&self, cursor: Option<Cursor>, limit: usize) -> Result<Page, StorageError> {
        self.paired.scan(cursor, limit).await
    }

    async fn sweep(&self, limit: usize) -> Result<Vec<Stored>, StorageError> {
        self.paired.sweep(limit).await
    }

    async fn drain(&self, patience: Duration) {
        self.paired.drain(patience).await;
    }
}
