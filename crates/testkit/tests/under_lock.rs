//! A storage that has no single step for [`replace`](Storage::replace) and uses the lock for it keeps the contract.

use std::time::Duration;

use async_trait::async_trait;
use sessile_core::{
    Capabilities, Clock, Cursor, Lock, LockId, Locked, Lookup, Page, Record, SessionKey, Storage, StorageError, Stored,
    Timestamp, TokioClock, replace_under_lock,
};
use sessile_memory::MemoryStorage;
use sessile_testkit::{Profile, Subject, storage_tests};

/// A storage in memory without that step and without immediate functions.
#[derive(Debug)]
struct UnderLock(MemoryStorage);

#[async_trait]
impl Storage for UnderLock {
    async fn replace(&self, known: &Stored, record: Record) -> Result<bool, StorageError> {
        replace_under_lock(self, known, record).await
    }

    fn name(&self) -> &'static str {
        self.0.name()
    }

    fn clock(&self) -> &dyn Clock {
        self.0.clock()
    }

    fn capabilities(&self) -> Capabilities<'_> {
        self.0.capabilities()
    }

    async fn read(&self, key: &SessionKey) -> Result<Lookup<Stored>, StorageError> {
        self.0.read(key).await
    }

    async fn lock(&self, key: &SessionKey, wait: Duration) -> Result<Lookup<Locked>, StorageError> {
        self.0.lock(key, wait).await
    }

    async fn create(&self, key: &SessionKey, record: Record) -> Result<(), StorageError> {
        self.0.create(key, record).await
    }

    async fn commit(&self, lock: &mut Lock, record: Record) -> Result<(), StorageError> {
        self.0.commit(lock, record).await
    }

    async fn rotate(
        &self,
        lock: &mut Lock,
        new_key: &SessionKey,
        record: Record,
        grace: Duration,
    ) -> Result<(), StorageError> {
        self.0.rotate(lock, new_key, record, grace).await
    }

    async fn release(&self, lock: Lock) -> Result<(), StorageError> {
        self.0.release(lock).await
    }

    async fn renew(&self, lock: &LockId) -> Result<(), StorageError> {
        self.0.renew(lock).await
    }

    async fn touch(
        &self,
        key: &SessionKey,
        version: u64,
        deadline: Option<Timestamp>,
        last_active: Timestamp,
    ) -> Result<bool, StorageError> {
        self.0.touch(key, version, deadline, last_active).await
    }

    async fn destroy(&self, key: &SessionKey) -> Result<Lookup<()>, StorageError> {
        self.0.destroy(key).await
    }

    async fn scan(&self, cursor: Option<Cursor>, limit: usize) -> Result<Page, StorageError> {
        self.0.scan(cursor, limit).await
    }

    async fn sweep(&self, limit: usize) -> Result<Vec<Stored>, StorageError> {
        self.0.sweep(limit).await
    }

    async fn drain(&self, patience: Duration) {
        self.0.drain(patience).await;
    }
}

async fn subject() -> Subject {
    let builder = MemoryStorage::builder().clock(TokioClock::start());
    let storage = builder.max_waiters(8).sweeper(false).build();
    let second = UnderLock(storage.clone());
    let profile = Profile::paused().with_max_waiters(8).with_usage().with_watch();
    Subject::new(UnderLock(storage), profile.with_replace_under_lock()).with_second(second)
}

storage_tests!(subject);
