//! [`Metered`]: counts and times the calls to a storage.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use metrics::{Unit, counter, gauge, histogram};
use tokio::time::Instant;

use super::outcome_label::{CANCELLED, OutcomeLabel};
use crate::clock::{Clock, Timestamp};
use crate::id::SessionKey;
use crate::storage::{
    Capabilities, Cursor, ImmediateStorage, Lock, LockId, Locked, Lookup, Page, Record, Storage, StorageError, Stored,
};

const CALLS: &str = "sessile_storage_calls_total";
const SECONDS: &str = "sessile_storage_call_seconds";
const IN_FLIGHT: &str = "sessile_storage_calls_in_flight";

/// Counts and times the calls to a storage with the [`metrics`] facade.
///
/// | name | kind | labels | value |
/// |---|---|---|---|
/// | `sessile_storage_calls_total` | counter | `storage`, `operation`, `outcome` | calls that have ended |
/// | `sessile_storage_call_seconds` | histogram | `storage`, `operation` | seconds per call, including lock waits |
/// | `sessile_storage_calls_in_flight` | gauge | `storage`, `operation` | calls in progress |
///
/// `outcome` is `ok`, `found`, `missing`, `superseded`, the kind of the error in words (`lock_timeout`), or
/// `cancelled`. No label identifies a session.
#[derive(Debug)]
pub struct Metered<S: ?Sized> {
    inner: Arc<S>,
}

impl<S: Storage> Metered<S> {
    /// Wraps a storage.
    pub fn new(inner: S) -> Self {
        Self::shared(Arc::new(inner))
    }
}

impl<S: Storage + ?Sized> Metered<S> {
    /// Wraps a shared storage. Calls that bypass the wrapper are not measured.
    pub fn shared(inner: Arc<S>) -> Self {
        Self { inner }
    }

    /// Returns the wrapped storage.
    #[must_use]
    pub fn inner(&self) -> &S {
        &self.inner
    }

    /// Describes the metrics and their units to the recorder, which must be installed before.
    pub fn describe() {
        metrics::describe_counter!(CALLS, Unit::Count, "Calls to a session storage that have ended");
        metrics::describe_histogram!(SECONDS, Unit::Seconds, "How long calls to a session storage took");
        metrics::describe_gauge!(IN_FLIGHT, Unit::Count, "Calls to a session storage that are under way");
    }

    async fn measure<T>(
        &self,
        operation: &'static str,
        call: impl Future<Output = Result<T, StorageError>>,
    ) -> Result<T, StorageError>
    where
        Result<T, StorageError>: OutcomeLabel,
    {
        let mut measured = MeasuredCall::start(self.inner.name(), operation);
        let result = call.await;
        measured.outcome = result.outcome_label();
        result
    }
}

/// A call in progress. Dropping it records that the call has ended, or was cancelled.
struct MeasuredCall {
    storage: &'static str,
    operation: &'static str,
    start: Instant,
    outcome: &'static str,
}

impl MeasuredCall {
    fn start(storage: &'static str, operation: &'static str) -> Self {
        gauge!(IN_FLIGHT, "storage" => storage, "operation" => operation).increment(1);
        Self {
            storage,
            operation,
            start: Instant::now(),
            outcome: CANCELLED,
        }
    }
}

impl Drop for MeasuredCall {
    fn drop(&mut self) {
        let Self {
            storage,
            operation,
            start,
            outcome,
        } = *self;
        gauge!(IN_FLIGHT, "storage" => storage, "operation" => operation).decrement(1);
        histogram!(SECONDS, "storage" => storage, "operation" => operation).record(start.elapsed());
        counter!(CALLS, "storage" => storage, "operation" => operation, "outcome" => outcome).increment(1);
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl<S: Storage + ?Sized> Storage for Metered<S> {
    fn name(&self) -> &'static str {
        self.inner.name()
    }

    fn clock(&self) -> &dyn Clock {
        self.inner.clock()
    }

    fn capabilities(&self) -> Capabilities<'_> {
        self.inner.capabilities()
    }

    /// Returns `None`: plain functions would not be measured.
    fn immediate(&self) -> Option<&dyn ImmediateStorage> {
        None
    }

    async fn read(&self, key: &SessionKey) -> Result<Lookup<Stored>, StorageError> {
        self.measure("read", self.inner.read(key)).await
    }

    async fn lock(&self, key: &SessionKey, wait: Duration) -> Result<Lookup<Locked>, StorageError> {
        self.measure("lock", self.inner.lock(key, wait)).await
    }

    async fn create(&self, key: &SessionKey, record: Record) -> Result<(), StorageError> {
        self.measure("create", self.inner.create(key, record)).await
    }

    async fn commit(&self, lock: &mut Lock, record: Record) -> Result<(), StorageError> {
        self.measure("commit", self.inner.commit(lock, record)).await
    }

    async fn replace(&self, known: &Stored, record: Record) -> Result<bool, StorageError> {
        self.measure("replace", self.inner.replace(known, record)).await
    }

    async fn rotate(
        &self,
        lock: &mut Lock,
        new_key: &SessionKey,
        record: Record,
        grace: Duration,
    ) -> Result<(), StorageError> {
        let call = self.inner.rotate(lock, new_key, record, grace);
        self.measure("rotate", call).await
    }

    async fn release(&self, lock: Lock) -> Result<(), StorageError> {
        self.measure("release", self.inner.release(lock)).await
    }

    async fn renew(&self, lock: &LockId) -> Result<(), StorageError> {
        self.measure("renew", self.inner.renew(lock)).await
    }

    async fn touch(
        &self,
        key: &SessionKey,
        version: u64,
        deadline: Option<Timestamp>,
        last_active: Timestamp,
    ) -> Result<bool, StorageError> {
        let call = self.inner.touch(key, version, deadline, last_active);
        self.measure("touch", call).await
    }

    async fn destroy(&self, key: &SessionKey) -> Result<Lookup<()>, StorageError> {
        self.measure("destroy", self.inner.destroy(key)).await
    }

    async fn scan(&self, cursor: Option<Cursor>, limit: usize) -> Result<Page, StorageError> {
        self.measure("scan", self.inner.scan(cursor, limit)).await
    }

    async fn sweep(&self, limit: usize) -> Result<Vec<Stored>, StorageError> {
        self.measure("sweep", self.inner.sweep(limit)).await
    }

    async fn drain(&self, patience: Duration) {
        self.inner.drain(patience).await;
    }
}
