//! A primary whose replica lags when it has to take over.

use sessile_lab::redis::RedisSentinel;
use sessile_testkit::history::Setback;
use sessile_testkit::torture::Disturbance;

use crate::single::until;

/// Two servers and their sentinels.
pub(crate) struct Group(pub(crate) RedisSentinel);

/// The number of writes of the primary that do not reach the replica.
const AHEAD: u64 = 100;

impl Group {
    /// Waits until the primary has made this many writes alone.
    fn get_ahead(&self, primary: usize) {
        let done = || self.0.servers()[primary].calls("evalsha");
        let before = done();
        until(|| done() >= before + AHEAD);
    }
}

impl Disturbance for Group {
    fn strike(&mut self, _: u64) -> Option<Setback> {
        // The server that died last has to have become a replica.
        self.0.wait_until_whole();
        let primary = self.0.primary();
        let replica = 1 - primary;
        self.0.leave_behind(replica, primary);
        self.get_ahead(primary);
        let setback = Setback::during(|| self.0.servers_mut()[primary].kill());
        self.0.servers()[replica].resume();
        self.0.wait_for_another(primary);
        self.0.servers_mut()[primary].restart();
        Some(setback)
    }
}
