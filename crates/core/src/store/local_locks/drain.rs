//! Taking leave: waiting for holders, and giving up what they do not give back.

use std::time::Duration;

use tokio::runtime::Handle;
use tokio::time::{Instant, sleep};

use super::shared::Shared;
use super::slots::Slots;

/// The pauses between two looks: they grow from the first to the second.
const PAUSES: (Duration, Duration) = (Duration::from_millis(1), Duration::from_millis(50));

/// Waits until no lock is held, at most for `patience`, and gives up those that still are.
pub(super) async fn drain(shared: &Shared, patience: Duration) {
    let start = Instant::now();
    // Without a runtime there is no timer.
    let patience = Handle::try_current().map_or(Duration::ZERO, |_| patience);
    let (mut pause, longest) = PAUSES;
    while shared.step(|slots, now| slots.holders(now)) > 0 {
        let left = patience.saturating_sub(start.elapsed());
        if left.is_zero() {
            break;
        }
        sleep(pause.min(left)).await;
        pause = longest.min(pause * 2);
    }
    shared.step(|slots: &mut Slots, now| slots.give_up_all(now + shared.lease));
}
