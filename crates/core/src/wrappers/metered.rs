//! [`Metered`]: counts and times the calls to a storage.

use std::sync::Arc;

use metrics::{Unit, counter, gauge, histogram};
use tokio::time::Instant;

use super::outcome_label::{CANCELLED, outcome_label};
use super::{Intercept, OperationOutput, StorageCall};
use crate::storage::{Storage, StorageError};

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
        let (storage, operation, outcome) = (self.storage, self.operation, self.outcome);
        gauge!(IN_FLIGHT, "storage" => storage, "operation" => operation).decrement(1);
        histogram!(SECONDS, "storage" => storage, "operation" => operation).record(self.start.elapsed());
        counter!(CALLS, "storage" => storage, "operation" => operation, "outcome" => outcome).increment(1);
    }
}

impl<S: Storage + ?Sized> Intercept for Metered<S> {
    type Inner = S;

    fn inner(&self) -> &S {
        &self.inner
    }

    async fn around<T: OperationOutput>(&self, call: StorageCall<'_, T>) -> Result<T, StorageError> {
        let mut measured = MeasuredCall::start(self.inner.name(), call.operation().name());
        let result = call.run().await;
        measured.outcome = outcome_label(&result);
        result
    }
}
