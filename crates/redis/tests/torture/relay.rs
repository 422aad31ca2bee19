//! Two servers behind one name that swap roles, and connections that stay where they are.

use std::thread;
use std::time::{Duration, Instant};

use sessile_lab::redis::{Proxy, RedisServer};
use sessile_testkit::history::Setback;
use sessile_testkit::torture::Disturbance;

/// Two servers, one of which is the primary, and the name that leads to it.
pub(crate) struct Relay {
    servers: [RedisServer; 2],
    primary: usize,
    name: Proxy,
}

/// The number of writes on the new primary that prove that it is in use.
const FOUND: u64 = 20;

impl Relay {
    pub(crate) fn start() -> Self {
        // A replica that has lost its primary refuses reads instead of serving outdated data.
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
    /// A planned failover without loss. The old primary is cut off from the new one, so that it does not receive the
    /// changes that follow.
    fn strike(&mut self, _: u64) -> Option<Setback> {
        let (old, new) = (&self.servers[self.primary], &self.servers[1 - self.primary]);
        new.demote(old);
        expect("the replica follows", || new.follows());
        old.command(&["CLIENT", "PAUSE", "10000", "WRITE"]);
        expect("the replica catches up", || {
            old.info("replication", "master_repl_offset") == new.info("replication", "slave_repl_offset")
        });
        new.promote();
        self.name.lead_to(new.port());
        old.command(&["REPLICAOF", "127.0.0.1", "1"]);
        old.command(&["CLIENT", "UNPAUSE"]);
        self.primary = 1 - self.primary;
        let done = || new.calls("evalsha");
        let before = done();
        expect("the new primary is found", || done() >= before + FOUND);
        None
    }
}

/// Waits until a condition holds; fails otherwise.
fn expect(what: &str, condition: impl Fn() -> bool) {
    const PATIENCE: Duration = Duration::from_secs(20);
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < PATIENCE, "it never came about that {what}");
        thread::sleep(Duration::from_millis(10));
    }
}
