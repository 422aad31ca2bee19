//! Draining: waits for holders, and releases the locks that they keep.

use std::time::Duration;

use tokio::runtime::Handle;
use tokio::time::{Instant, sleep};

use super::LockedStore;
use crate::storage::StorageErrorKind::{Timeout, Unavailable};
use crate::store::{Locks, RecordStore};

/// The first and the longest pause between two checks.
const PAUSES: (Duration, Duration) = (Duration::from_millis(1), Duration::from_millis(50));

impl<R: RecordStore + ?Sized, L: Locks + ?Sized> LockedStore<R, L> {
    /// Waits for holders, at most for `patience`, and releases the locks that are still held.
    ///
    /// If it is dropped while it waits, no lock was released. If it is dropped later, the rest is released in the
    /// background.
    pub(super) async fn drain_locks(&self, patience: Duration) {
        let start = Instant::now();
        // Without a runtime there is no timer.
        let patience = Handle::try_current().map_or(Duration::ZERO, |_| patience);
        let (mut pause, longest) = PAUSES;
        let remaining = || patience.saturating_sub(start.elapsed());
        while self.shared.held_locks.has_running_lease(self.now()) && !remaining().is_zero() {
            sleep(pause.min(remaining())).await;
            pause = longest.min(pause * 2);
        }
        // All leave the table in one step, so no holder can write while the others are released.
        for held in self.shared.held_locks.remove_all() {
            // A lock that cannot be released ends with its lease.
            let released = self.locks.release(held.lock).await;
            if released.is_err_and(|error| matches!(error.kind(), Timeout | Unavailable)) {
                // Each of the others would take as long. Dropping them releases them in the background, if possible.
                break;
            }
        }
        // The locks may be in use beside this storage, and some may still be released in the background.
        self.locks.drain(remaining()).await;
    }
}
