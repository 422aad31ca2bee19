//! [`Nemesis`]: a kind of fault, its target, and its permitted effects.

use std::time::Duration;

use sessile_core::StorageErrorKind;
use sessile_testkit::history::{CallResult, Tolerance};
use sessile_testkit::torture::{Report, Torture};

use crate::options::Options;
use crate::place::{LEASE, VARIABLE};
use crate::scene::{self, Scene};

/// A fault of workers, servers or connections.
#[derive(Debug)]
pub(crate) struct Nemesis {
    pub(crate) name: &'static str,
    pub(crate) what: &'static str,
    /// The default duration.
    pub(crate) seconds: u64,
    /// True if it runs by default.
    pub(crate) short: bool,
    scene: fn() -> Scene,
    /// The expectation without which the run has shown nothing, or too much.
    expected: fn(&Report) -> bool,
}

impl Nemesis {
    /// Creates a nemesis of a few seconds that is only expected to strike.
    const fn new(name: &'static str, what: &'static str, scene: fn() -> Scene) -> Self {
        Self {
            name,
            what,
            seconds: 2,
            short: true,
            scene,
            expected: |report| report.strikes > 0,
        }
    }

    const fn of(self, seconds: u64) -> Self {
        Self { seconds, ..self }
    }

    const fn long(self) -> Self {
        Self { short: false, ..self }
    }

    const fn expecting(self, expected: fn(&Report) -> bool) -> Self {
        Self { expected, ..self }
    }

    pub(crate) const ALL: &[Self] = &[
        Self::new("kill", "workers are killed", scene::kill).expecting(|report| report.kills > 0),
        Self::new("stop", "workers are stopped, for longer than a lease too", scene::stop)
            .of(5)
            .expecting(|report| report.stops > 0),
        Self::new(
            "freeze",
            "three of four workers are stopped at once, those who wait too",
            scene::freeze,
        )
        .of(5)
        .expecting(|report| report.stops > 0),
        Self::new(
            "stall",
            "the server does nothing for a while, and then all of it",
            scene::stall,
        )
        .of(4),
        Self::new("client-kill", "the server closes all connections", scene::client_kill),
        Self::new("script-flush", "the server forgets its scripts", scene::script_flush),
        Self::new("restart", "the server dies, and has all of it on disk", scene::restart),
        Self::new(
            "restart-empty",
            "the server dies, and has nothing on disk",
            scene::restart_empty,
        )
        .expecting(|report| report.lost.writes > 0 && report.lost.sessions > 0),
        Self::new("cut", "connections are cut", scene::cut).of(4),
        Self::new(
            "half-open",
            "lines say nothing any more, in one direction or both",
            scene::half_open,
        )
        .of(3),
        Self::new("latency", "the way takes up to 50 milliseconds longer", scene::latency),
        Self::new("full", "the server has no memory left", scene::full).expecting(refuses_what_is_new),
        Self::new("slots", "slots move from node to node of a cluster", scene::slots).of(3),
        Self::new(
            "open-slots",
            "slots are left half-way between two nodes of a cluster",
            scene::open_slots,
        )
        .of(4),
        Self::new(
            "demoted",
            "another server takes over behind the same name, and connections stay open",
            scene::demoted,
        )
        .of(3),
        Self::new("failover", "the primary dies while its replica lags", scene::failover)
            .expecting(|report| report.lost.writes > 0),
        Self::new(
            "failover-durable",
            "the same, and what ends a key waits for the replica",
            scene::failover_durable,
        )
        .expecting(|report| report.lost.writes > 0 && report.lost.logouts == 0 && report.lost.rotations == 0),
        Self::new(
            "failover-durable-commits",
            "the same, and all that is written waits for the replica",
            scene::failover_durable_commits,
        )
        // Locks are not replicated synchronously, so the storage counts as set back, though it must not have lost a
        // write.
        .expecting(|report| report.lost.is_nothing())
        .long(),
        Self::new(
            "everything",
            "all of it that one server can bear, at once",
            scene::everything,
        )
        .of(10)
        .long(),
    ];

    /// Runs the nemesis. The error describes an inconsistency.
    pub(crate) fn run(&self, options: &Options) -> Result<Report, String> {
        let Scene {
            place,
            mut disturbance,
            kills,
            stops,
            together,
        } = (self.scene)();
        let tolerance = Tolerance::default()
            .with_lease(LEASE)
            // The clock lags by the latency of a reply, and by the time for which its process is stopped.
            .with_skew(if stops { 4 * LEASE } else { LEASE })
            .with_slack(if stops { 5 * LEASE } else { 3 * LEASE });
        let mut torture = Torture::new()
            .with_seed(options.seed)
            .with_tasks(4)
            .with_sessions(12)
            .with_duration(Duration::from_secs(options.seconds.unwrap_or(self.seconds)))
            .with_lease(LEASE)
            .with_stops(if stops { LEASE * 5 / 2 } else { Duration::ZERO })
            .with_stops_of(together)
            .with_tolerance(tolerance)
            .with_env(VARIABLE, place.text());
        if !kills {
            torture = torture.without_kills();
        }
        let report = torture.run_under(disturbance.as_mut(), async || place.connect().await);
        let report = report.map_err(|failure| failure.to_string())?;
        if (self.expected)(&report) {
            Ok(report)
        } else {
            Err(format!("this is not what was expected of it: {report}\n"))
        }
    }
}

/// A server without memory refuses, and says why.
fn refuses_what_is_new(report: &Report) -> bool {
    let full = Some(CallResult::Refused(StorageErrorKind::Full));
    report.history.calls.iter().any(|recorded| recorded.result() == full)
}
