//! [`Attempts`]: making one call several times.

use std::sync::Arc;
use std::time::Duration;

use super::backoff::Backoff;
use crate::storage::{Lock, LockTicket, StorageError, StorageErrorKind, Unlock};

/// Makes a call again, as long as its outcome is unknown and the backoff allows.
macro_rules! retry {
    ($retry:expr, $call:expr) => {{
        let mut attempts = $retry.attempts();
        loop {
            match $call.await {
                Err(error) if attempts.again(&error).await => {}
                answer => break answer,
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
    ambiguity: Option<StorageErrorKind>,
}

impl<'a> Attempts<'a> {
    pub(super) fn new(backoff: &'a dyn Backoff) -> Self {
        Self {
            backoff,
            failures: 0,
            ambiguity: None,
        }
    }

    /// Whether to make another attempt after this error: waits for as long as the backoff says.
    pub(super) async fn again(&mut self, error: &StorageError) -> bool {
        if !is_ambiguous(error.kind()) {
            return false;
        }
        self.ambiguity = Some(error.kind());
        self.failures = self.failures.saturating_add(1);
        match self.backoff.pause(self.failures) {
            Some(pause) => {
                tokio::time::sleep(pause).await;
                true
            }
            None => false,
        }
    }

    /// Why it is unknown whether an attempt has done it.
    pub(super) fn ambiguity(&self) -> Option<StorageErrorKind> {
        self.ambiguity
    }
}

/// Whether nobody knows what has been done.
fn is_ambiguous(kind: StorageErrorKind) -> bool {
    matches!(kind, StorageErrorKind::Unavailable | StorageErrorKind::Timeout)
}

/// A lock to be given up again, the first having gone with an attempt. Storages go by the ticket.
pub(super) fn placeholder_lock(ticket: LockTicket, lease: Duration) -> Lock {
    struct Placeholder;

    impl Unlock for Placeholder {
        fn unlock(&self, _: LockTicket) {}
    }

    Lock::new(ticket, lease, Arc::new(Placeholder))
}
