//! Populations of sessions under torture: many processes log owners in and out, end sessions and list them, are killed
//! meanwhile, and what they were told must be consistent.
//!
//! A test is the driver, and runs again in child processes as its workers:
//!
//! ```no_run
//! use sessile_lab::population::{Population, ScratchFolder, work};
//! use sessile_lab::process::role;
//! # async fn open() -> sessile_testkit::ModelStorage { todo!() }
//!
//! // A test:
//! fn a_limit_is_exact() {
//!     if let Some((role, folder)) = role() {
//!         return work(&role, &folder, async || open().await);
//!     }
//!     let folder = ScratchFolder::new();
//!     Population::logins().run("a_limit_is_exact", folder.path(), async || open().await);
//! }
//! ```

mod call;
mod check;
mod clients;
mod clock;
mod crew;
mod driver;
mod inventory;
mod observer;
mod plan;
mod rng;
mod scratch;
mod sessions;
mod summary;
mod visits;
mod worker;

use std::time::Duration;

use self::plan::Plan;
pub use self::scratch::ScratchFolder;
pub use self::summary::Summary;
pub use self::worker::work;

/// The variable that makes runs longer.
const SECONDS: &str = "SESSILE_TORTURE_SECONDS";

/// The calls of several processes on a population of sessions, and the faults meanwhile.
#[derive(Debug, Clone)]
pub struct Population {
    plan: Plan,
    processes: u64,
    /// The number of workers to kill during logins; otherwise, whether workers are killed.
    kills: u64,
    duration: Duration,
    /// `true` if the storage may return to an earlier state, as long as it has acknowledged no later one.
    forgets: bool,
    /// Variables in the environment of the workers.
    env: Vec<(String, String)>,
}

impl Population {
    /// Eight processes log one owner in 200 times. The limit is three sessions, and the newest is refused.
    #[must_use]
    pub fn logins() -> Self {
        let plan = Plan {
            process: 0,
            seed: sessile_testkit::seed(),
            tasks: 5,
            logins: 25,
            owners: 1,
            clients: 16,
            limit: 3,
            evicts: false,
            lifetime_ms: 0,
            report_within_ms: 0,
        };
        Self {
            plan,
            processes: 8,
            kills: 0,
            duration: Duration::ZERO,
            forgets: false,
            env: Vec::new(),
        }
    }

    /// Four processes do everything at once: logins, logouts, new ids, ends of one, all and all other sessions, and
    /// expiry, within a limit that ends the oldest. They are killed at random.
    ///
    /// `SESSILE_TORTURE_SECONDS` sets how long.
    #[must_use]
    pub fn torture(duration: Duration) -> Self {
        let seconds = std::env::var(SECONDS).ok().and_then(|text| text.parse().ok());
        let duration = seconds.map_or(duration, Duration::from_secs);
        let logins = Self::logins();
        let plan = Plan {
            tasks: 3,
            logins: 0,
            owners: 3,
            clients: 15,
            limit: 4,
            evicts: true,
            lifetime_ms: 2_000,
            ..logins.plan
        };
        Self {
            plan,
            processes: 4,
            kills: 1,
            duration,
            ..logins
        }
    }

    /// Ends the oldest session if there is one too many.
    #[must_use]
    pub fn evicting(mut self) -> Self {
        self.plan.evicts = true;
        self
    }

    /// Kills this number of workers at random moments.
    #[must_use]
    pub fn killing(mut self, workers: u64) -> Self {
        self.kills = workers;
        self
    }

    /// Tells the workers of all ends, and checks that none is missed.
    #[must_use]
    pub fn told_within(mut self, time: Duration) -> Self {
        self.plan.report_within_ms = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        self
    }

    /// Accepts that the storage returns to an earlier state, as long as it has acknowledged no later one.
    #[must_use]
    pub fn forgetting(mut self) -> Self {
        self.forgets = true;
        self
    }

    /// Sets a variable in the environment of the workers.
    #[must_use]
    pub fn with_env(mut self, name: &str, value: &str) -> Self {
        self.env.push((name.to_owned(), value.to_owned()));
        self
    }
}
