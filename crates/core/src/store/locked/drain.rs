//! Taking leave: waiting for holders, and giving up what they do not give back.

use std::time::Duration;

use tokio::runtime::Handle;
use tokio::time::{Instant, sleep};

use super::Paired;
use crate::storage::StorageErrorKind::{Timeout, Unavailable};
use crate::store::{Locks, RecordStore};

/// The pauses between two looks: they grow from the first to the second.
const PAUSES: (Duration, Duration) = (Duration::from_millis(1), Duration::from_millis(50));

impl<R: RecordStore + ?Sized, L: Locks + ?Sized> Paired<R, L> {
    /// Dropped while it waits, it has given up nothing; dropped later, what is left goes back in the background.
    pub(super) async fn drain_locks(&self, patience: Duration) {
        let start = Instant::now();
        // Without a runtime there is no timer.
        let patience = Handle::try_current().map_or(Duration::ZERO, |_| patience);
        let (mut pause, longest) = PAUSES;
        let left = || patience.saturating_sub(start.elapsed());
        while self.parts.held.is_any_running(self.now()) && !left().is_zero() {
            sleep(pause.min(left())).await;
            pause = longest.min(pause * 2);
        }
        for held in self.parts.held.take_whole() {
            // A lock that cannot be given back ends with its lease.
            let released = self.locks.release(held.lock).await;
            if released.is_err_and(|error| matches!(error.kind(), Timeout | Unavailable)) {
                // The others would take as long, each. They are dropped, and go back in the background if they can.
                break;
            }
        }
        // Others may use the locks beside this storage, and some may be on their way back.
        self.locks.drain(left()).await;
    }
}
