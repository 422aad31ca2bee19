//! [`Turns`]: one writer at a time, and no write that is overlooked because nobody waits for it any more.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Who may write, and what readers have to wait for.
#[derive(Debug)]
pub(crate) struct Turns {
    /// One permit, for the one write transaction that redb allows. Those who wait for it are tasks. Without it they would
    /// be threads: the pool has a few hundred, and when all of them wait to write, nobody can read.
    writer: Arc<Semaphore>,
    /// Whether a write may be under way that nobody waits for.
    abandoned: AtomicBool,
}

/// The right to write, until it is dropped.
pub(crate) type Turn = OwnedSemaphorePermit;

impl Turns {
    pub(crate) fn new() -> Self {
        Self {
            writer: Arc::new(Semaphore::new(1)),
            abandoned: AtomicBool::new(false),
        }
    }

    /// Waits for the right to write. Those who wait get it in the order in which they came.
    pub(crate) async fn take(&self) -> Turn {
        let turn = Arc::clone(&self.writer).acquire_owned().await;
        turn.expect("nobody closes the semaphore")
    }

    /// Whoever begins a write keeps this until it has ended.
    pub(crate) fn attend(&self) -> Attended<'_> {
        Attended(Some(self))
    }

    /// Waits for the end of what was abandoned.
    ///
    /// When a visit is cut off in the middle of a commit, its lock goes to the next. If that one read what was there
    /// before, its own commit would be refused: by then the version is another.
    pub(crate) async fn settled(&self) {
        if self.abandoned.load(Ordering::SeqCst) {
            // Behind all who write.
            let _turn = self.take().await;
            self.abandoned.store(false, Ordering::SeqCst);
        }
    }
}

/// Somebody waits for the end of a write.
#[derive(Debug)]
pub(crate) struct Attended<'a>(Option<&'a Turns>);

impl Attended<'_> {
    /// The write has ended.
    pub(crate) fn end(mut self) {
        self.0 = None;
    }
}

impl Drop for Attended<'_> {
    fn drop(&mut self) {
        if let Some(turns) = self.0 {
            turns.abandoned.store(true, Ordering::SeqCst);
        }
    }
}
