//! What the clones of a [`FileStorage`](crate::FileStorage) share, and what goes on in the background.

use std::sync::{Arc, Mutex, Once, PoisonError, Weak};
use std::time::Duration;

use sessile_core::{LockTicket, Stored, Unlock};

use crate::background::{GiveUp, give_up_soon, run};
use crate::failure::{NAME, Result};
use crate::files::Files;
use crate::waiters::Waiters;
use crate::walk::Position;

pub(crate) struct Shared {
    pub(crate) files: Files,
    pub(crate) waiters: Waiters,
    pub(crate) max_waiters: usize,
    sweep_every: Option<Duration>,
    sweeper: Once,
    /// Where the next sweep begins.
    swept: Mutex<Position>,
    this: Weak<Self>,
}

impl Shared {
    pub(crate) fn new(files: Files, max_waiters: usize, sweep_every: Option<Duration>) -> Arc<Self> {
        Arc::new_cyclic(|this| Self {
            files,
            waiters: Waiters::default(),
            max_waiters,
            sweep_every,
            sweeper: Once::new(),
            swept: Mutex::default(),
            this: this.clone(),
        })
    }

    /// Starts to remove expired sessions in the background, for as long as this storage is used.
    pub(crate) fn start_sweeper(&self) {
        let Some(every) = self.sweep_every else { return };
        self.sweeper.call_once(|| {
            let shared = self.this.clone();
            tokio::spawn(async move {
                loop {
                    tokio::time::sleep(every).await;
                    let Some(shared) = shared.upgrade() else { return };
                    // A slice that fails is tried anew next time; those who read are told of the trouble anyway.
                    let _ = run("sweep", NAME, move || shared.sweep_slice(usize::MAX)).await;
                }
            });
        });
    }

    /// Whether a sweep that begins now begins at the beginning.
    pub(crate) fn next_sweep_is_a_whole_one(&self) -> bool {
        *self.swept.lock().unwrap_or_else(PoisonError::into_inner) == Position::default()
    }

    /// Sweeps a bounded part of the folder, and says whether it was the last.
    pub(crate) fn sweep_slice(&self, limit: usize) -> Result<(Vec<Stored>, bool)> {
        let swept = || self.swept.lock().unwrap_or_else(PoisonError::into_inner);
        let from = swept().clone();
        let (slice, outcome) = self.files.sweep(&from, limit)?;
        let ended = slice.next.is_none();
        *swept() = slice.next.unwrap_or_default();
        if slice.found.is_empty() {
            outcome?;
        }
        Ok((slice.found, ended))
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
            give_up_soon(this, ticket);
        }
    }
}
