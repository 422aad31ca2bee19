//! Draining: waits for the holders of locks, and revokes the locks that are left.

use std::sync::Arc;
use std::time::Duration;

use sessile_core::Timestamp;
use tokio::runtime::Handle;
use tokio::time::{Instant, sleep};

use crate::entry::Entry;
use crate::shard::Shard;
use crate::slab::Slot;
use crate::state::State;

/// The shortest and the longest pause between two looks at all sessions. The pauses double from one to the other.
const PAUSES: (Duration, Duration) = (Duration::from_millis(1), Duration::from_millis(100));

/// Waits until no lock is held, at most for `patience`, and revokes the locks that still are.
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
        shard.step(|state, now| state.revoke_all(now + shard.options.lease));
    }
}

impl State {
    /// Returns whether any lock is held.
    fn is_locked(&self, now: Timestamp) -> bool {
        let held = |entry: &Entry| entry.holder.is_some() && now < entry.lease_until;
        self.entries.iter().any(held)
    }

    /// Takes every lock from its holder, and hands it over to the head of its queue with a lease until `lease_until`.
    fn revoke_all(&mut self, lease_until: Timestamp) {
        let slots = Slot::try_from(self.entries.len()).unwrap_or(Slot::MAX);
        for slot in 0..slots {
            if self.entries[slot].holder.is_some() {
                self.hand_over(slot, lease_until);
            }
        }
    }
}
