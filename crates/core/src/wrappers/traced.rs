//! [`Traced`]: creates a span for each call to a storage.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tracing::{Instrument, Span, field};

use super::outcome_label::{CANCELLED, OutcomeLabel};
use crate::clock::{Clock, Timestamp};
use crate::id::SessionKey;
use crate::storage::{
    Capabilities, Cursor, ImmediateStorage, Lock, LockId, Locked, Lookup, Page, Record, Storage, StorageError, Stored,
};

/// Creates a [span](tracing::Span) for each call to a storage.
///
/// Each call is a span `session storage` of level `DEBUG` and target `sessile`, with the fields `storage` (the name),
/// `operation`, `session` (the [fingerprint](SessionKey::fingerprint) of the key, for operations that have one) and
/// `outcome`, which is recorded at the end: `ok`, `found`, `missing`, `superseded`, the kind of the error in words
/// (`lock_timeout`), or `cancelled`. An error is also recorded in full, as `error`. No id and no payload is ever
/// recorded.
///
/// Around a [`Retry`](crate::Retry) it shows the calls as visits experience them; inside of one, every attempt.
#[derive(Debug)]
pub struct Traced<S: ?Sized> {
    inner: Arc<S>,
}

impl<S: Storage> Traced<S> {
    /// Wraps a storage.
    pub fn new(inner: S) -> Self {
        Self::shared(Arc::new(inner))
    }
}

macro_rules! span {
    ($storage:expr, $operation:literal $(, $session:expr)?) => {
        tracing::debug_span!(
            target: "sessile",
            "session storage",
            storage = $storage.inner.name(),
            operation = $operation,
            $(session = %$session.fingerprint(),)?
            outcome = field::Empty,
            error = field::Empty,
        )
    };
}

impl<S: Storage + ?Sized> Traced<S> {
    /// Wraps a shared storage. Calls that bypass the wrapper are not traced.
    pub fn shared(inner: Arc<S>) -> Self {
        Self { inner }
    }

    /// Returns the wrapped storage.
    #[must_use]
    pub fn inner(&self) -> &S {
        &self.inner
    }
}

/// Runs a call in its span and records the outcome.
async fn trace<T>(span: Span, call: impl Future<Output = Result<T, StorageError>>) -> Result<T, StorageError>
where
    Result<T, StorageError>: OutcomeLabel,
{
    let mut guard = OutcomeGuard {
        span: &span,
        outcome: CANCELLED,
    };
    let result = call.instrument(span.clone()).await;
    guard.outcome = result.outcome_label();
    if let Err(error) = &result {
        span.record("error", field::display(error));
    }
    result
}

/// Records the outcome when it is dropped, which happens even if the call is cancelled.
struct OutcomeGuard<'a> {
    span: &'a Span,
    outcome: &'static str,
}

impl Drop for OutcomeGuard<'_> {
    fn drop(&mut self) {
        self.span.record("outcome", self.outcome);
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl<S: Storage + ?Sized> Storage for Traced<S> {
    fn name(&self) -> &'static str {
        self.inner.name()
    }

    fn clock(&self) -> &dyn Clock {
        self.inner.clock()
    }

    fn capabilities(&self) -> Capabilities<'_> {
        self.inner.capabilities()
    }

    /// A span is made for a future.
    fn immediate(&self) -> Option<&dyn ImmediateStorage> {
        None
    }

    async fn read(&self, key: &SessionKey) -> Result<Lookup<Stored>, StorageError> {
        trace(span!(self, "read", key), self.inner.read(key)).await
    }

    async fn lock(&self, key: &SessionKey, wait: Duration) -> Result<Lookup<Locked>, StorageError> {
        trace(span!(self, "lock", key), self.inner.lock(key, wait)).await
    }

    async fn create(&self, key: &SessionKey, record: Record) -> Result<(), StorageError> {
        trace(span!(self, "create", key), self.inner.create(key, record)).await
    }

    async fn commit(&self, lock: &mut Lock, record: Record) -> Result<(), StorageError> {
        trace(span!(self, "commit", lock.key()), self.inner.commit(lock, record)).await
    }

    async fn replace(&self, known: &Stored, record: Record) -> Result<bool, StorageError> {
        trace(span!(self, "replace", &known.key), self.inner.replace(known, record)).await
    }

    async fn rotate(
        &self,
        lock: &mut Lock,
        new_key: &SessionKey,
        record: Record,
        grace: Duration,
    ) -> Result<(), StorageError> {
        let span = span!(self, "rotate", lock.key());
        trace(span, self.inner.rotate(lock, new_key, record, grace)).await
    }

    async fn release(&self, lock: Lock) -> Result<(), StorageError> {
        trace(span!(self, "release", lock.key()), self.inner.release(lock)).await
    }

    async fn renew(&self, lock: &LockId) -> Result<(), StorageError> {
        trace(span!(self, "renew", lock.key), self.inner.renew(lock)).await
    }

    async fn touch(
        &self,
        key: &SessionKey,
        version: u64,
        deadline: Option<Timestamp>,
        last_active: Timestamp,
    ) -> Result<bool, StorageError> {
        let call = self.inner.touch(key, version, deadline, last_active);
        trace(span!(self, "touch", key), call).await
    }

    async fn destroy(&self, key: &SessionKey) -> Result<Lookup<()>, StorageError> {
        trace(span!(self, "destroy", key), self.inner.destroy(key)).await
    }

    async fn scan(&self, cursor: Option<Cursor>, limit: usize) -> Result<Page, StorageError> {
        trace(span!(self, "scan"), self.inner.scan(cursor, limit)).await
    }

    async fn sweep(&self, limit: usize) -> Result<Vec<Stored>, StorageError> {
        trace(span!(self, "sweep"), self.inner.sweep(limit)).await
    }

    async fn drain(&self, patience: Duration) {
        self.inner.drain(patience).await;
    }
}
