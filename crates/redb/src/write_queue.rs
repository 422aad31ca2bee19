//! [`WriteQueue`]: one writer at a time, and reads that wait for writes whose caller is gone.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The order of write transactions.
#[derive(Debug)]
pub(crate) struct WriteQueue {
    /// One permit, for the one write transaction that redb allows. Waiters are tasks. Without the queue, each would
    /// block a thread of the pool inside redb, and with the pool exhausted nothing could be read.
    writer: Arc<Semaphore>,
    /// Whether a write may be running whose future was dropped.
    abandoned: AtomicBool,
}

/// The right to write, until it is dropped.
pub(crate) type WritePermit = OwnedSemaphorePermit;

impl WriteQueue {
    pub(crate) fn new() -> Self {
        Self {
            writer: Arc::new(Semaphore::new(1)),
            abandoned: AtomicBool::new(false),
        }
    }

    /// Waits for the right to write, in the order of the calls.
    pub(crate) async fn enter(&self) -> WritePermit {
        let permit = Arc::clone(&self.writer).acquire_owned().await;
        permit.expect("the semaphore is never closed")
    }

    /// Returns a guard of a write that is running. Dropped before it is disarmed, it marks the write as abandoned.
    pub(crate) fn await_write(&self) -> AwaitedWrite<'_> {
        AwaitedWrite(Some(self))
    }

    /// Waits until no abandoned write is running.
    ///
    /// A visit that is cancelled during its commit passes the lock of its session on. If the next holder read the entry
    /// from before that commit, its own commit would be refused, as the version has changed by then.
    pub(crate) async fn wait_for_abandoned(&self) {
        // The strongest ordering costs nothing beside the access to the database that follows.
        if self.abandoned.load(Ordering::SeqCst) {
            // The permit comes after every write that is running or queued, the abandoned one included.
            let _permit = self.enter().await;
            self.abandoned.store(false, Ordering::SeqCst);
        }
    }
}

/// A guard of a write that is running and awaited.
#[derive(Debug)]
pub(crate) struct AwaitedWrite<'a>(Option<&'a WriteQueue>);

impl AwaitedWrite<'_> {
    /// Ends the guard of a write that has ended.
    pub(crate) fn disarm(mut self) {
        self.0 = None;
    }
}

impl Drop for AwaitedWrite<'_> {
    fn drop(&mut self) {
        if let Some(queue) = self.0 {
            queue.abandoned.store(true, Ordering::SeqCst);
        }
    }
}
