//! [`ImmediateView`]: a storage that is called through its immediate functions, so that every case covers those too.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use sessile_core::{
    Capabilities, Clock, Cursor, ImmediateStorage, Lock, LockId, Locked, Lookup, Page, Record, SessionKey, Storage,
    StorageError, Stored, Timestamp,
};

/// A storage whose operations use the functions of [`Storage::immediate`] if possible. A lock that is held is requested
/// again with the future, which waits.
#[derive(Debug)]
pub(crate) struct ImmediateView(Arc<dyn Storage>);

impl ImmediateView {
    /// Wraps the storage, if it has immediate functions.
    pub(crate) fn of(storage: &Arc<dyn Storage>) -> Option<Self> {
        storage.immediate().is_some().then(|| Self(Arc::clone(storage)))
    }

    fn immediate(&self) -> &dyn ImmediateStorage {
        self.0
            .immediate()
            .expect("a storage with immediate functions keeps them")
    }

    /// Checks that the time of the result is between the clock's values before and after the call.
    fn judged<T>(
        &self,
        ask: impl FnOnce(&dyn ImmediateStorage) -> Option<Result<(T, Timestamp), StorageError>>,
    ) -> Option<Result<T, StorageError>> {
        let before = self.0.clock().now();
        let result = ask(self.immediate())?;
        let after = self.0.clock().now();
        Some(result.map(|(result, moment)| {
            assert!(
                (before..=after).contains(&moment),
                "the time of a result is {moment:?}, and the call was between {before:?} and {after:?}"
            );
            result
        }))
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl Storage for ImmediateView {
    fn name(&self) -> &'static str {
        self.0.name()
    }

    fn clock(&self) -> &dyn Clock {
        self.0.clock()
    }

    fn capabilities(&self) -> Capabilities<'_> {
        self.0.capabilities()
    }

    fn immediate(&self) -> Option<&dyn ImmediateStorage> {
        self.0.immediate()
    }

    async fn read(&self, key: &SessionKey) -> Result<Lookup<Stored>, StorageError> {
        let result = self.judged(|immediate| Some(immediate.read(key)));
        result.expect("a read always has a result")
    }

    async fn lock(&self, key: &SessionKey, wait: Duration) -> Result<Lookup<Locked>, StorageError> {
        match self.judged(|immediate| immediate.lock(key)) {
            Some(result) => result,
            None => self.0.lock(key, wait).await,
        }
    }

    async fn create(&self, key: &SessionKey, record: Record) -> Result<(), StorageError> {
        self.immediate().create(key, record)
    }

    async fn commit(&self, lock: &mut Lock, record: Record) -> Result<(), StorageError> {
        self.immediate().commit(lock, record)
    }

    async fn replace(&self, known: &Stored, record: Record) -> Result<bool, StorageError> {
        self.immediate().replace(known, record)
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
        self.immediate().release(lock)
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
        self.immediate().destroy(key)
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
