//! A cluster whose slots move from node to node.

use std::time::Duration;

use sessile_testkit::Setback;
use sessile_testkit::redis::{RedisCluster, Reply};
use sessile_testkit::torture::Disturbance;

/// A cluster, and the slots that are in use.
pub(crate) struct Slots(pub(crate) RedisCluster);

/// How many of its nodes are primaries.
const PRIMARIES: u64 = 3;

impl Disturbance for Slots {
    /// Moves the slot of some session to another node, slowly enough for others to come between.
    fn strike(&mut self, chance: u64) -> Option<Setback> {
        let node = |number: u64| usize::try_from(number % PRIMARIES).unwrap_or_default();
        let (from, to) = (node(chance), node(chance + 1 + chance / PRIMARIES % (PRIMARIES - 1)));
        let Reply::Text(key) = self.0.nodes()[from].command(&["RANDOMKEY"]) else {
            return None;
        };
        let slot = self.0.nodes()[from].command_bytes(&[b"CLUSTER", b"KEYSLOT", &key]);
        let slot = slot.text().parse().expect("the number of a slot");
        self.0.move_slot(slot, to, Duration::from_millis(chance >> 8 & 31));
        None
    }
}
