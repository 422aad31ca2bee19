//! Two servers behind one name, which take turns, and connections that stay where they are.

use sessile_testkit::Setback;
use sessile_testkit::redis::{Proxy, RedisServer};
use sessile_testkit::torture::Disturbance;

use crate::single::until;

/// Two servers, one of which is the primary, and the name that leads to it.
pub(crate) struct Relay {
    servers: [RedisServer; 2],
    primary: usize,
    name: Proxy,
}

/// How much has to be done on the new primary for it to count as found.
const FOUND: u64 = 20;

impl Relay {
    pub(crate) fn start() -> Self {
        // One that has lost its primary says so, instead of telling what was once true.
        let config = ["repl-diskless-sync-delay 0", "replica-serve-stale-data no"];
        let servers = [RedisServer::start_with(&config), RedisServer::start_with(&config)];
        let name = Proxy::to(servers[0].port());
        Self {
            servers,
            primary: 0,
            name,
        }
    }

    pub(crate) fn url(&self) -> String {
        self.name.url()
    }
}

impl Disturbance for Relay {
    /// A planned failover: nothing is lost. The old primary is cut off from the new one, so that nobody reads there what
    /// is about to change.
    fn strike(&mut self, _: u64) -> Option<Setback> {
        let (old, new) = (&self.servers[self.primary], &self.servers[1 - self.primary]);
        new.demote(old);
        until(|| new.follows());
        assert!(new.follows(), "the replica does not follow");
        old.command(&["CLIENT", "PAUSE", "10000", "WRITE"]);
        let caught_up =
            || old.info("replication", "master_repl_offset") == new.info("replication", "slave_repl_offset");
        until(caught_up);
        assert!(caught_up(), "the replica does not catch up");
        new.promote();
        self.name.lead_to(new.port());
        old.command(&["REPLICAOF", "127.0.0.1", "1"]);
        old.command(&["CLIENT", "UNPAUSE"]);
        self.primary = 1 - self.primary;
        let done = || new.calls("evalsha");
        let before = done();
        until(|| done() >= before + FOUND);
        assert!(done() >= before + FOUND, "nobody has found the new primary");
        None
    }
}
