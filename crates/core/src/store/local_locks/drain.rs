//! Draining: waits for holders, and releases the locks that they keep.

use std::time::Duration;

use tokio::runtime::Handle;
use tokio::time::{Instant, sleep};

use super::queues::LockQueues;
use super::shared::SharedLocks;

/// The first and the longest pause between two checks.
const PAUSES: (Duration, Duration) = (Duration::from_millis(1), Duration::from_millis(50));

/// Waits until no lock is held, at most for `patience`, and releases those that still are.
pub(super) async fn drain(shared: &SharedLocks, patience: Duration) {
    let start = Instant::now();
    // Without a runtime there is no timer.
    let patience = Handle::try_current().map_or(Duration::ZERO, |_| patience);
    let (mut pause, longest) = PAUSES;
    while shared.step(|queues, now| queues.holders(now)) > 0 {
        let remaining = patience.saturating_sub(start.elapsed());
        if remaining.is_zero() {
            break;
        }
        sleep(pause.min(remaining)).await;
        pause = longest.min(pause * 2);
    }
    // One step without an await, so a dropped drain has released all locks or none.
    shared.step(|queues: &mut LockQueues, now| queues.release_all(now + shared.lease));
}
