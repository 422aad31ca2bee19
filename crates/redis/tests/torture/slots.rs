//! Clusters whose slots migrate, or fail to.

use std::time::Duration;

use sessile_lab::redis::{RedisCluster, Reply};
use sessile_testkit::history::Setback;
use sessile_testkit::torture::Disturbance;

use crate::single::doze;

/// A cluster, and the slots in use.
pub(crate) struct Slots(pub(crate) RedisCluster);

/// A cluster whose migrations stop half-way for a while.
pub(crate) struct OpenSlots(pub(crate) RedisCluster);

/// The number of primaries.
const PRIMARIES: u64 = 3;

impl Disturbance for Slots {
    /// Migrates the slot of a session to another node, slowly enough for commands to come between.
    fn strike(&mut self, chance: u64) -> Option<Setback> {
        let (slot, _, to) = some_slot(&self.0, chance)?;
        self.0.move_slot(slot, to, Duration::from_millis(chance >> 8 & 31));
        None
    }
}

impl Disturbance for OpenSlots {
    /// Begins to migrate the slot of a session, with none, some or all of its keys, and finishes later.
    fn strike(&mut self, chance: u64) -> Option<Setback> {
        let (slot, from, to) = some_slot(&self.0, chance)?;
        let keys = usize::try_from(chance >> 4 & 3).unwrap_or_default();
        self.0.leave_slot_open(slot, from, to, keys);
        doze(chance, 100..1_500);
        self.0.finish_slot(slot, from, to, Duration::ZERO);
        None
    }
}

/// Returns the slot of a session, its owner, and another node.
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
