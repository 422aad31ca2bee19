//! Taking leave: waiting for holders of locks, and taking from them what they do not give back.

use std::sync::Arc;
use std::time::Duration;

use sessile_core::Timestamp;
use tokio::runtime::Handle;
use tokio::time::{Instant, sleep};

use crate::entry::Entry;
use crate::shard::Shard;
use crate::slab::Slot;
use crate::state::State;

/// The pauses between two looks, at every session there is: they grow from the first to the second.
const PAUSES: (Duration, Duration) = (Duration::from_millis(1), Duration::from_millis(100));

/// Waits until no lock is held, at most for `patience`, and gives up those that still are.
pub(crate) async fn drain(shards: &[Arc<Shard>], patience: Duration) {
    let start = Instant::now();
    // Without a runtime there is no timer.
    let patience = Handle::try_current().map_or(Duration::ZERO, |_| patience);
    let (mut pause, longest) = PAUSES;
    while shards.iter().any(|shard| shard.step(|state, now| state.is_locked(now))) {
        let left = patience.saturating_sub(start.elapsed());
        if left.is_zero() {
            break;
        }
        sleep(pause.min(left)).await;
        pause = longest.min(pause * 2);
    }
    for shard in shards {
        shard.step(|state, now| state.give_up_all(now + shard.settings.lease));
    }
}

impl State {
    /// Whether any lock is held.
    fn is_locked(&self, now: Timestamp) -> bool {
        let held = |entry: &Entry| entry.holder.is_some() && now < entry.lease_until;
        self.entries.iter().any(held)
    }

    /// Takes every lock from its holder, and hands it to the first who waits for it, with a lease until then.
    fn give_up_all(&mut self, lease_until: Timestamp) {
        let slots = Slot::try_from(self.entries.len()).unwrap_or(Slot::MAX);
        for slot in 0..slots {
            if self.entries[slot].holder.is_some() {
                self.hand_over(slot, lease_until);
            }
        }
    }
}
