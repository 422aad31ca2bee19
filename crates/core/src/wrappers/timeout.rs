//! [`Timeout`]: limits the duration of calls to a storage.

use std::sync::Arc;
use std::time::Duration;

use super::{Intercept, OperationOutput, StorageCall};
use crate::storage::{Storage, StorageError, StorageErrorKind};

/// Limits the duration of each call to a storage.
///
/// A call that exceeds the limit is dropped and fails with [`Timeout`](StorageErrorKind::Timeout): its step may or may
/// not have been taken, and a lock that it was about to take or was given is released in the background. A timer ends
/// the call, so a connection that never replies again does no harm. A call to `lock` may take its wait plus the limit.
/// The records that a call to `sweep` has removed before it exceeds the limit are returned to no caller.
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
}

impl<S: Storage + ?Sized> Intercept for Timeout<S> {
    type Inner = S;

    fn inner(&self) -> &S {
        &self.inner
    }

    async fn around<T: OperationOutput>(&self, call: StorageCall<'_, T>) -> Result<T, StorageError> {
        let (operation, limit) = (call.operation(), self.limit.saturating_add(call.wait()));
        tokio::time::timeout(limit, call.run()).await.unwrap_or_else(|_| {
            let error = StorageError::new(StorageErrorKind::Timeout, operation.name(), self.inner.name());
            Err(error.with_source(format!("no reply within {limit:?}")))
        })
    }

    /// Locks that are not released in time are left to their leases.
    async fn around_drain(&self, patience: Duration) {
        let limit = self.limit.saturating_add(patience);
        let _ = tokio::time::timeout(limit, self.inner.drain(patience)).await;
    }
}
