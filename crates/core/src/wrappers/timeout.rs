//! [`Timeout`]: limits the duration of calls to a storage.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use crate::clock::{Clock, Timestamp};
use crate::id::SessionKey;
use crate::storage::{
    Capabilities, Cursor, ImmediateStorage, Lock, LockId, Locked, Lookup, Page, Record, Storage, StorageError,
    StorageErrorKind, Stored,
};

/// Limits the duration of each call to a storage.
///
/// A call that exceeds the limit is dropped and fails with [`Timeout`](StorageErrorKind::Timeout): its step may or may
/// not have been taken, and a lock that it was about to take or was given is released in the background. A timer ends
/// the call, so a connection that never replies again does no harm. A call to `lock` may take its wait plus the limit.
///
/// Put it directly around the storage that uses the network, and [`Retry`](crate::Retry) around it.
///
/// ```
/// use std::time::Duration;
/// use sessile_core::{Session, Timeout};
/// use sessile_memory::MemoryStorage;
///
/// let storage = Timeout::new(MemoryStorage::new(), Duration::from_secs(2));
/// let session: Session = Session::builder(storage).build();
/// ```
#[derive(Debug)]
pub struct Timeout<S: ?Sized> {
    limit: Duration,
    inner: Arc<S>,
}

impl<S: Storage> Timeout<S> {
    /// Wraps a storage and fails calls that exceed `limit`.
    pub fn new(inner: S, limit: Duration) -> Self {
        Self::shared(Arc::new(inner), limit)
    }
}

impl<S: Storage + ?Sized> Timeout<S> {
    /// Wraps a shared storage. Calls that bypass the wrapper are not limited.
    pub fn shared(inner: Arc<S>, limit: Duration) -> Self {
        Self { limit, inner }
    }

    /// Returns the wrapped storage.
    #[must_use]
    pub fn inner(&self) -> &S {
        &self.inner
    }

    async fn limit<T>(
        &self,
        operation: &'static str,
        limit: Duration,
        call: impl Future<Output = Result<T, StorageError>>,
    ) -> Result<T, StorageError> {
        tokio::time::timeout(limit, call).await.unwrap_or_else(|_| {
            let error = StorageError::new(StorageErrorKind::Timeout, operation, self.inner.name());
            Err(error.with_source(Elapsed(limit)))
        })
    }
}

/// The cause of a timeout, with the limit.
#[derive(Debug)]
struct Elapsed(Duration);

impl fmt::Display for Elapsed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "no answer within {:?}", self.0)
    }
}

impl std::error::Error for Elapsed {}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl<S: Storage + ?Sized> Storage for Timeout<S> {
    fn name(&self) -> &'static str {
        self.inner.name()
    }

    fn clock(&self) -> &dyn Clock {
        self.inner.clock()
    }

    fn capabilities(&self) -> Capabilities<'_> {
        self.inner.capabilities()
    }

    /// Returns `None`: operations that never wait need no limit.
    fn immediate(&self) -> Option<&dyn ImmediateStorage> {
        None
    }

    async fn read(&self, key: &SessionKey) -> Result<Lookup<Stored>, StorageError> {
        self.limit("read", self.limit, self.inner.read(key)).await
    }

    async fn lock(&self, key: &SessionKey, wait: Duration) -> Result<Lookup<Locked>, StorageError> {
        let limit = self.limit.saturating_add(wait);
        self.limit("lock", limit, self.inner.lock(key, wait)).await
    }

    async fn create(&self, key: &SessionKey, record: Record) -> Result<(), StorageError> {
        self.limit("create", self.limit, self.inner.create(key, record)).await
    }

    async fn commit(&self, lock: &mut Lock, record: Record) -> Result<(), StorageError> {
        self.limit("commit", self.limit, self.inner.commit(lock, record)).await
    }

    async fn replace(&self, known: &Stored, record: Record) -> Result<bool, StorageError> {
        self.limit("replace", self.limit, self.inner.replace(known, record))
            .await
    }

    async fn rotate(
        &self,
        lock: &mut Lock,
        new_key: &SessionKey,
        record: Record,
        grace: Duration,
    ) -> Result<(), StorageError> {
        let call = self.inner.rotate(lock, new_key, record, grace);
        self.limit("rotate", self.limit, call).await
    }

    async fn release(&self, lock: Lock) -> Result<(), StorageError> {
        self.limit("release", self.limit, self.inner.release(lock)).await
    }

    async fn renew(&self, lock: &LockId) -> Result<(), StorageError> {
        self.limit("renew", self.limit, self.inner.renew(lock)).await
    }

    async fn touch(
        &self,
        key: &SessionKey,
        version: u64,
        deadline: Option<Timestamp>,
        last_active: Timestamp,
    ) -> Result<bool, StorageError> {
        let call = self.inner.touch(key, version, deadline, last_active);
        self.limit("touch", self.limit, call).await
    }

    async fn destroy(&self, key: &SessionKey) -> Result<Lookup<()>, StorageError> {
        self.limit("destroy", self.limit, self.inner.destroy(key)).await
    }

    async fn scan(&self, cursor: Option<Cursor>, limit: usize) -> Result<Page, StorageError> {
        self.limit("scan", self.limit, self.inner.scan(cursor, limit)).await
    }

    /// The records that a call has swept before it exceeds the limit are returned to no caller.
    async fn sweep(&self, limit: usize) -> Result<Vec<Stored>, StorageError> {
        self.limit("sweep", self.limit, self.inner.sweep(limit)).await
    }

    /// Locks that are not released in time are left to their leases.
    async fn drain(&self, patience: Duration) {
        let limit = self.limit.saturating_add(patience);
        let _ = tokio::time::timeout(limit, self.inner.drain(patience)).await;
    }
}
