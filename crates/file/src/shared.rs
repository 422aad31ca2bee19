//! [`Shared`]: the state that all clones of a [`FileStorage`](crate::FileStorage) share.

use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use sessile_core::{LockId, StorageError, Unlock, Watchers};

use crate::files::Files;
use crate::files::position::Position;
use crate::files::sweep::{SweepReport, SweepRequest};
#[cfg(target_os = "linux")]
use crate::hints::Hints;
use crate::sweeper::Sweeper;
use crate::threads::{ReleaseLock, Threads};
use crate::wait_queues::WaitQueues;

/// The state that all clones of a storage share.
pub(crate) struct Shared {
    pub(crate) files: Arc<Files>,
    pub(crate) threads: Threads,
    pub(crate) wait_queues: WaitQueues,
    pub(crate) max_waiters: usize,
    pub(crate) sweeper: Sweeper,
    /// Woken by the operations of this storage.
    pub(crate) watchers: Watchers,
    #[cfg(target_os = "linux")]
    pub(crate) hints: Arc<Hints>,
    /// The position at which the next requested sweep begins.
    sweep_position: Mutex<Position>,
    this: Weak<Self>,
}

impl Shared {
    pub(crate) fn new(
        files: Files,
        threads: Threads,
        max_waiters: usize,
        sweep_every: Option<Duration>,
    ) -> Result<Arc<Self>, StorageError> {
        let watchers = Watchers::new();
        let shared = Arc::new_cyclic(|this: &Weak<Self>| Self {
            #[cfg(target_os = "linux")]
            hints: Hints::new(watchers.clone(), files.folder.tree.layout.clone()),
            watchers,
            files: Arc::new(files),
            threads,
            wait_queues: WaitQueues::default(),
            max_waiters,
            sweeper: Sweeper::default(),
            sweep_position: Mutex::default(),
            this: this.clone(),
        });
        if let Some(every) = sweep_every {
            shared.sweeper.start(Arc::downgrade(&shared.files), every)?;
        }
        Ok(shared)
    }

    /// Returns whether the next requested sweep begins at the start of the folder.
    pub(crate) fn sweep_begins_at_start(&self) -> bool {
        *self.sweep_position.lock().unwrap_or_else(PoisonError::into_inner) == Position::default()
    }

    /// Sweeps the next slice of the folder and collects the removed sessions.
    pub(crate) fn sweep_slice(&self, limit: usize) -> SweepReport {
        let position = || self.sweep_position.lock().unwrap_or_else(PoisonError::into_inner);
        let from = position().clone();
        let request = SweepRequest {
            before: self.files.folder.clocks.sweep_cutoff(),
            limit,
            collect: true,
        };
        let report = self.files.sweep(&from, request);
        *position() = report.next.clone().unwrap_or_default();
        for session in &report.sessions {
            self.watchers.wake(&session.key);
        }
        report
    }
}

impl ReleaseLock for Shared {
    fn release_lock(&self, lock_id: &LockId) {
        // If this fails, the lock ends with its lease.
        let _ = self.files.with_retries(|files| files.folder.release(lock_id));
        self.wait_queues.notify(&lock_id.key);
    }
}

impl Unlock for Shared {
    fn unlock(&self, lock_id: LockId) {
        if let Some(this) = self.this.upgrade() {
            self.threads.release_in_background(this, lock_id);
        }
    }
}
