//! [`Attempts`]: repeats one call.

use std::sync::Arc;
use std::time::Duration;

use super::backoff::Backoff;
use crate::storage::{Lock, LockId, StorageError, StorageErrorKind, Unlock};

/// Repeats a call while its outcome is ambiguous and the backoff permits.
macro_rules! retry {
    ($retry:expr, $call:expr) => {{
        let mut attempts = Attempts::new(&*$retry.backoff);
        loop {
            match $call.await {
                Err(error) if attempts.retry_after(&error).await => {}
                result => break result,
            }
        }
    }};
}
pub(super) use retry;

/// The attempts at one call.
pub(super) struct Attempts<'a> {
    backoff: &'a dyn Backoff,
    failures: u32,
    /// The kind of the last error after which the step may have been taken.
    pub(super) ambiguity: Option<StorageErrorKind>,
}

impl<'a> Attempts<'a> {
    pub(super) fn new(backoff: &'a dyn Backoff) -> Self {
        Self {
            backoff,
            failures: 0,
            ambiguity: None,
        }
    }

    /// Waits for the pause of the backoff and returns `true` if the call is to be repeated after this error.
    pub(super) async fn retry_after(&mut self, error: &StorageError) -> bool {
        if !matches!(error.kind(), StorageErrorKind::Unavailable | StorageErrorKind::Timeout) {
            return false;
        }
        self.ambiguity = Some(error.kind());
        self.failures = self.failures.saturating_add(1);
        let Some(pause) = self.backoff.pause(self.failures) else {
            return false;
        };
        tokio::time::sleep(pause).await;
        true
    }
}

/// Creates a lock to be released again after an attempt has consumed the original. Storages recognise it by its id.
pub(super) fn placeholder_lock(id: LockId, lease: Duration) -> Lock {
    struct Placeholder;

    impl Unlock for Placeholder {
        fn unlock(&self, _: LockId) {}
    }

    Lock::new(id, lease, Arc::new(Placeholder))
}
