//! Off the async threads.

use std::sync::Arc;
use std::thread;

use sessile_core::{LockTicket, StorageError, StorageErrorKind};
use tokio::runtime::Handle;

use crate::failure::Failure;

/// Runs a step that blocks on a thread that may block. Once begun it is finished, whether anyone waits for it or not.
pub(crate) async fn run<T: Send + 'static>(
    operation: &'static str,
    storage: &'static str,
    step: impl FnOnce() -> Result<T, Failure> + Send + 'static,
) -> Result<T, StorageError> {
    match tokio::task::spawn_blocking(step).await {
        Ok(taken) => taken.map_err(|failure| failure.into_error(operation, storage)),
        Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
        // The runtime is going down.
        Err(error) => Err(StorageError::new(StorageErrorKind::Unavailable, operation, storage).with_source(error)),
    }
}

/// What can give a lock up.
pub(crate) trait GiveUp: Send + Sync + 'static {
    /// Gives up a lock, if it is still held by this holder, and tells those who wait.
    fn give_up(&self, ticket: &LockTicket);
}

/// Gives up a lock whose holder went away, in the background.
pub(crate) fn give_up_soon(locks: Arc<dyn GiveUp>, ticket: LockTicket) {
    let mut left = Left {
        locks,
        ticket: Some(ticket),
    };
    match Handle::try_current() {
        Ok(runtime) => {
            runtime.spawn_blocking(move || left.give_up());
        }
        Err(_) => {
            // Without a thread either it happens here and now, when what was to be moved there is dropped.
            let _ = thread::Builder::new().spawn(move || left.give_up());
        }
    }
}

/// A lock to be given up, at the latest when this is dropped: a runtime that goes down drops what it has not begun.
struct Left {
    locks: Arc<dyn GiveUp>,
    ticket: Option<LockTicket>,
}

impl Left {
    fn give_up(&mut self) {
        if let Some(ticket) = self.ticket.take() {
            self.locks.give_up(&ticket);
        }
    }
}

impl Drop for Left {
    fn drop(&mut self) {
        self.give_up();
    }
}
