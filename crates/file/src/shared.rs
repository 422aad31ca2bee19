//! What the clones of a [`FileStorage`](crate::FileStorage) share, and what goes on in the background.

use std::sync::{Arc, Mutex, PoisonError, Weak};

use sessile_core::{LockTicket, StorageError, Timestamp, Unlock};

use crate::clocks::Watch;
use crate::files::Files;
use crate::files::scan::Position;
use crate::files::sweep::{Order, Swept};
use crate::sweeper::Sweeper;
use crate::threads::{GiveUp, Threads};
use crate::wait_queues::Waiters;

pub(crate) struct Shared {
    pub(crate) files: Files,
    pub(crate) threads: Threads,
    pub(crate) waiters: Waiters,
    pub(crate) max_waiters: usize,
    pub(crate) sweeper: Sweeper,
    /// Where the next sweep begins that is asked for.
    swept: Mutex<Position>,
    watch: Mutex<Watch>,
    this: Weak<Self>,
}

impl Shared {
    pub(crate) fn new(
        files: Files,
        threads: Threads,
        max_waiters: usize,
        sweep_every: Option<std::time::Duration>,
    ) -> Result<Arc<Self>, StorageError> {
        let watch = Watch::new(files.folder.now(), files.folder.steady_now());
        let shared = Arc::new_cyclic(|this: &Weak<Self>| Self {
            files,
            threads,
            waiters: Waiters::default(),
            max_waiters,
            sweeper: Sweeper::default(),
            swept: Mutex::default(),
            watch: Mutex::new(watch),
            this: this.clone(),
        });
        if let Some(every) = sweep_every {
            shared.sweeper.start(shared.this.clone(), every)?;
        }
        Ok(shared)
    }

    /// The moment by which a session must have ended in order to be removed.
    pub(crate) fn over_by(&self) -> Timestamp {
        let folder = &self.files.folder;
        let mut watch = self.watch.lock().unwrap_or_else(PoisonError::into_inner);
        watch.over_by(folder.now(), folder.steady_now())
    }

    /// Whether a sweep that begins now begins at the beginning.
    pub(crate) fn next_sweep_is_a_whole_one(&self) -> bool {
        *self.swept.lock().unwrap_or_else(PoisonError::into_inner) == Position::default()
    }

    /// Sweeps a bounded part of the folder, for one who asks for what is removed.
    pub(crate) fn sweep_slice(&self, limit: usize) -> Swept {
        let position = || self.swept.lock().unwrap_or_else(PoisonError::into_inner);
        let from = position().clone();
        let order = Order {
            now: self.over_by(),
            limit,
            asked_for: true,
        };
        let swept = self.files.sweep(&from, order);
        *position() = swept.next.clone().unwrap_or_default();
        swept
    }
}

impl GiveUp for Shared {
    fn give_up(&self, ticket: &LockTicket) {
        // If it fails, the lock ends with its lease.
        let _ = self.files.take_step(|files| files.folder.release(ticket));
        self.waiters.wake(&ticket.key);
    }
}

impl Unlock for Shared {
    fn unlock(&self, ticket: LockTicket) {
        if let Some(this) = self.this.upgrade() {
            self.threads.give_up_soon(this, ticket);
        }
    }
}
