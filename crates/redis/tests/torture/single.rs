//! One server, behind an unreliable connection.

use std::thread;
use std::time::{Duration, Instant};

use sessile_lab::redis::{Proxy, RedisServer};
use sessile_testkit::history::Setback;
use sessile_testkit::torture::Disturbance;

/// A fault of a server or of the connection to it.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Act {
    /// Nothing: only workers are struck.
    Nothing,
    /// The server closes all connections.
    KillClients,
    /// The server loses the scripts.
    FlushScripts,
    /// The server dies, and restarts from its disk.
    Restart,
    /// Connections end, and none can be made.
    Cut,
    /// One direction or both are silent: connections stay half open.
    GoSilent,
    /// The latency grows or shrinks, by up to 50 milliseconds in each direction.
    Lag,
    /// The server has no memory left for writes.
    Fill,
    /// The server is suspended for longer than calls may take, and then executes what has arrived meanwhile.
    Stall,
}

/// A server, and its faults.
pub(crate) struct Single {
    pub(crate) server: RedisServer,
    pub(crate) proxy: Proxy,
    acts: &'static [Act],
    keeps: bool,
}

impl Single {
    /// Creates one that writes everything it acknowledges to disk.
    pub(crate) fn that_keeps(acts: &'static [Act]) -> Self {
        Self::new(acts, true, &["appendonly yes", "appendfsync always"])
    }

    /// Creates one that persists nothing.
    pub(crate) fn that_forgets(acts: &'static [Act]) -> Self {
        Self::new(acts, false, &[])
    }

    fn new(acts: &'static [Act], keeps: bool, config: &[&str]) -> Self {
        let mut lines = vec!["maxmemory-policy noeviction"];
        lines.extend(config);
        let server = RedisServer::start_with(&lines);
        let proxy = Proxy::to(server.port());
        Self {
            server,
            proxy,
            acts,
            keeps,
        }
    }

    fn restart(&mut self, chance: u64) -> Option<Setback> {
        // The next fault needs writes that it may lose, so there have to be some since the last.
        until(|| self.server.calls("set") >= 20);
        let setback = Setback::during(|| self.server.kill());
        doze(chance, 0..300);
        self.server.restart();
        Some(setback).filter(|_| !self.keeps)
    }
}

impl Disturbance for Single {
    fn strike(&mut self, chance: u64) -> Option<Setback> {
        let (which, chance) = (chance % self.acts.len() as u64, chance / self.acts.len() as u64);
        let act = self.acts.get(usize::try_from(which).unwrap_or_default())?;
        match act {
            Act::Nothing => {}
            Act::KillClients => {
                // The connections for commands, or those for messages.
                let kind = ["normal", "pubsub"][usize::from(chance.is_multiple_of(3))];
                self.server.command(&["CLIENT", "KILL", "TYPE", kind]);
            }
            Act::FlushScripts => drop(self.server.command(&["SCRIPT", "FLUSH", "SYNC"])),
            Act::Restart => return self.restart(chance),
            Act::Cut => {
                // With some latency, some replies are under way when the connection is cut.
                self.proxy.delay(Duration::from_millis(10 + chance % 20));
                doze(chance, 40..120);
                if chance.is_multiple_of(4) {
                    self.proxy.cut();
                    doze(chance, 50..300);
                } else {
                    self.proxy.hang_up();
                }
                self.proxy.heal();
            }
            Act::GoSilent => {
                if chance.is_multiple_of(2) {
                    self.proxy.lose_replies();
                } else {
                    self.proxy.go_silent();
                }
                doze(chance, 50..1_000);
                self.proxy.heal();
            }
            Act::Lag => self
                .proxy
                .delay(Duration::from_millis([25, 0, 25, 10][(chance % 4) as usize])),
            Act::Stall => {
                let stall = Duration::from_millis(200 + chance % 1_300);
                self.server.stall(stall);
                // The server replies when it is over.
                self.server.command(&["PING"]);
            }
            Act::Fill => {
                let refusals = || self.server.info("errorstats", "errorstat_OOM");
                let before = refusals();
                self.server.command(&["CONFIG", "SET", "maxmemory", "1"]);
                until(|| refusals() != before);
                doze(chance, 100..500);
                self.server.command(&["CONFIG", "SET", "maxmemory", "0"]);
            }
        }
        None
    }

    fn heal(&mut self) {
        self.proxy.heal();
    }
}

/// Sleeps for a time that follows from `chance`.
pub(crate) fn doze(chance: u64, millis: std::ops::Range<u64>) {
    let millis = millis.start + (chance >> 8) % (millis.end - millis.start);
    thread::sleep(Duration::from_millis(millis));
}

/// Waits until a condition holds, but not for ever: without work it never does.
pub(crate) fn until(condition: impl Fn() -> bool) {
    let start = Instant::now();
    while !condition() && start.elapsed() < Duration::from_secs(3) {
        thread::sleep(Duration::from_millis(5));
    }
}
