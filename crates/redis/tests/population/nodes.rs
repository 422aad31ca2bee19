//! A cluster whose primaries die.

use std::thread;
use std::time::{Duration, Instant};

use sessile_lab::redis::RedisCluster;
use sessile_testkit::history::Setback;
use sessile_testkit::torture::Disturbance;

/// A cluster whose primaries die, one at a time.
pub(crate) struct Nodes(pub(crate) RedisCluster);

/// The number of slots of the cluster.
const SLOTS: u64 = 16_384;

impl Disturbance for Nodes {
    /// Kills the primary of a slot, and starts it again when its replica has taken over.
    fn strike(&mut self, chance: u64) -> Option<Setback> {
        self.0.wait_until_whole();
        let slot = u16::try_from(chance % SLOTS).unwrap_or_default();
        let primary = self.0.owner(slot);
        let setback = Setback::during(|| self.0.nodes_mut()[primary].kill());
        wait_until(|| self.0.owner(slot) != primary);
        self.0.nodes_mut()[primary].restart();
        self.0.wait_until_whole();
        Some(setback)
    }
}

/// Waits until a condition holds; fails otherwise.
fn wait_until(condition: impl Fn() -> bool) {
    const PATIENCE: Duration = Duration::from_secs(60);
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < PATIENCE, "no replica takes over");
        thread::sleep(Duration::from_millis(20));
    }
}
