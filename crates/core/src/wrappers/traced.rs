//! [`Traced`]: creates a span for each call to a storage.

use std::sync::Arc;

use tracing::{Instrument, Span, field};

use super::outcome_label::{CANCELLED, outcome_label};
use super::{Intercept, OperationOutput, StorageCall};
use crate::storage::{Storage, StorageError};

/// Creates a [span](tracing::Span) for each call to a storage.
///
/// Each call is a span `session storage` of level `DEBUG` and target `sessile`, with the fields `storage` (the name),
/// `operation`, `session` (the [fingerprint](crate::SessionKey::fingerprint) of the key, for operations that have one)
/// and `outcome`, which is recorded at the end: `ok`, `found`, `missing`, `superseded`, the kind of the error in words
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

impl<S: Storage + ?Sized> Intercept for Traced<S> {
    type Inner = S;

    fn inner(&self) -> &S {
        &self.inner
    }

    async fn around<T: OperationOutput>(&self, call: StorageCall<'_, T>) -> Result<T, StorageError> {
        let span = tracing::debug_span!(
            target: "sessile",
            "session storage",
            storage = self.inner.name(),
            operation = call.operation().name(),
            session = call.key().map(|key| field::display(key.fingerprint())),
            outcome = field::Empty,
            error = field::Empty,
        );
        let mut guard = OutcomeGuard {
            span: &span,
            outcome: CANCELLED,
        };
        let result = call.run().instrument(span.clone()).await;
        guard.outcome = outcome_label(&result);
        if let Err(error) = &result {
            span.record("error", field::display(error));
        }
        result
    }
}
