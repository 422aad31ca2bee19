//! Clusters whose slots move from node to node, or do not get there.

use std::time::Duration;

use sessile_testkit::Setback;
use sessile_testkit::redis::{RedisCluster, Reply};
use sessile_testkit::torture::Disturbance;

use crate::single::doze;

/// A cluster, and the slots that are in use.
pub(crate) struct Slots(pub(crate) RedisCluster);

/// The same, with moves that stop half-way for a while.
pub(crate) struct OpenSlots(pub(crate) RedisCluster);

/// How many of its nodes are primaries.
const PRIMARIES: u64 = 3;

impl Disturbance for Slots {
    /// Moves the slot of some session to another node, slowly enough for others to come between.
    fn strike(&mut self, chance: u64) -> Option<Setback> {
        let (slot, _, to) = some_slot(&self.0, chance)?;
        self.0.move_slot(slot, to, Duration::from_millis(chance >> 8 & 31));
        None
    }
}

impl Disturbance for OpenSlots {
    /// Begins to move the slot of some session, with none, some or all of its keys, and finishes later.
    fn strike(&mut self, chance: u64) -> Option<Setback> {
        let (slot, from, to) = some_slot(&self.0, chance)?;
        let keys = usize::try_from(chance >> 4 & 3).unwrap_or_default();
        self.0.leave_slot_open(slot, from, to, keys);
        doze(chance, 100..1_500);
        self.0.finish_slot(slot, from, to, Duration::ZERO);
        None
    }
}

/// The slot of some session, the node that keeps it, and another.
fn some_slot(cluster: &RedisCluster, chance: u64) -> Option<(u16, usize, usize)> {
    let node = |number: u64| usize::try_from(number % PRIMARIES).unwrap_or_default();
    let (from, to) = (node(chance), node(chance + 1 + chance / PRIMARIES % (PRIMARIES - 1)));
    let Reply::Text(key) = cluster.nodes()[from].command(&["RANDOMKEY"]) else {
        return None;
    };
    let slot = cluster.nodes()[from].command_bytes(&[b"CLUSTER", b"KEYSLOT", &key]);
    let slot = slot.text().parse().expect("the number of a slot");
    Some((slot, from, to))
}
