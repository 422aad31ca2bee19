//! [`Torture`]: the plan of a run.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use sessile_core::DEFAULT_LEASE;

use crate::history::Tolerance;
use crate::rng::seed;

/// Many clients on one storage that write, destroy and rotate sessions, hang, drop calls and die, and then a check of
/// the history against the five promises.
///
/// [`run`](Self::run) gives each client a process, which is killed and stopped at random.
/// [`run_in_process`](Self::run_in_process) uses tasks, for storages that live in one process.
///
/// Processes need a program. The simplest is a test without the standard harness (`harness = false` in `Cargo.toml`)
/// that is driver and worker in one:
///
/// ```no_run
/// use std::path::PathBuf;
/// use std::time::Duration;
/// use sessile_core::Storage;
/// use sessile_testkit::torture::{self, Torture};
/// # use sessile_testkit::ModelStorage;
/// # struct MyStorage;
/// # impl MyStorage { async fn open(_: PathBuf) -> ModelStorage { ModelStorage::new() } }
///
/// async fn open(folder: PathBuf) -> impl Storage {
///     MyStorage::open(folder).await
/// }
///
/// fn main() {
///     // In a worker this does not return.
///     torture::worker_main(async || open(std::env::var_os("MY_STORAGE").unwrap().into()).await);
///
///     let folder = std::env::temp_dir().join("my-storage");
///     let torture = Torture::new()
///         .with_duration(Duration::from_secs(20))
///         .with_lease(Duration::from_secs(1))
///         .with_env("MY_STORAGE", &folder);
///     println!("{}", torture.run(async || open(folder).await).unwrap());
/// }
/// ```
#[derive(Debug, Clone)]
pub struct Torture {
    pub(super) processes: u64,
    pub(super) tasks: u64,
    pub(super) sessions: u64,
    pub(super) duration: Duration,
    pub(super) seed: u64,
    pub(super) wait: Duration,
    pub(super) lease: Duration,
    pub(super) kills: bool,
    pub(super) stops: Duration,
    pub(super) together: u64,
    pub(super) aliases: bool,
    pub(super) tolerance: Tolerance,
    pub(super) env: Vec<(OsString, OsString)>,
    pub(super) program: Option<PathBuf>,
}

impl Torture {
    /// Returns a plan with four processes of two tasks each on six sessions, for five seconds, with kills and stops.
    ///
    /// The seed is that of the environment variable `SESSILE_SEED`, or a new one. It determines the calls and the
    /// faults. The machine schedules them, so a seed makes a failure likely again, but not certain.
    #[must_use]
    pub fn new() -> Self {
        Self {
            processes: 4,
            tasks: 2,
            sessions: 6,
            duration: Duration::from_secs(5),
            seed: seed(),
            wait: Duration::from_secs(2),
            lease: DEFAULT_LEASE,
            kills: true,
            stops: Duration::from_millis(1_500),
            together: 1,
            aliases: true,
            tolerance: Tolerance::default(),
            env: Vec::new(),
            program: None,
        }
    }

    /// Sets the number of processes.
    #[must_use]
    pub fn with_processes(mut self, processes: u64) -> Self {
        self.processes = processes.max(1);
        self
    }

    /// Sets the number of tasks per process.
    #[must_use]
    pub fn with_tasks(mut self, tasks: u64) -> Self {
        self.tasks = tasks.max(1);
        self
    }

    /// Sets the number of sessions at a time. A new session replaces each one that ends.
    #[must_use]
    pub fn with_sessions(mut self, sessions: u64) -> Self {
        self.sessions = sessions.max(1);
        self
    }

    /// Sets the duration. The environment variable `SESSILE_TORTURE_SECONDS` overrides it.
    #[must_use]
    pub fn with_duration(mut self, duration: Duration) -> Self {
        self.duration = duration;
        self
    }

    /// Sets the seed.
    #[must_use]
    pub fn with_seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// Sets the limit of waits for a lock. Two seconds by default.
    #[must_use]
    pub fn with_wait(mut self, wait: Duration) -> Self {
        self.wait = wait;
        self
    }

    /// Sets the lease of the storage's locks. It should be short, about a second: a killed worker blocks a session for
    /// that long, and a worker that is stopped for longer loses its lock.
    #[must_use]
    pub fn with_lease(mut self, lease: Duration) -> Self {
        self.lease = lease;
        self
    }

    /// Turns kills off.
    #[must_use]
    pub fn without_kills(mut self) -> Self {
        self.kills = false;
        self
    }

    /// Sets the longest stop of a process; zero for none. A second and a half by default. On platforms without signals
    /// no process is stopped.
    #[must_use]
    pub fn with_stops(mut self, longest: Duration) -> Self {
        self.stops = longest;
        self
    }

    /// Sets the number of processes that are stopped together, so that waiters stop along with holders. One by default.
    #[must_use]
    pub fn with_stops_of(mut self, processes: u64) -> Self {
        self.together = processes.max(1);
        self
    }

    /// Avoids rotations with a grace, for a storage that refuses them.
    #[must_use]
    pub fn without_aliases(mut self) -> Self {
        self.aliases = false;
        self
    }

    /// Sets the tolerance of the check. Its slack should be longer than a stop.
    #[must_use]
    pub fn with_tolerance(mut self, tolerance: Tolerance) -> Self {
        self.tolerance = tolerance;
        self
    }

    /// Sets an environment variable for the workers, which tells them where the storage is.
    #[must_use]
    pub fn with_env(mut self, name: impl Into<OsString>, value: impl Into<OsString>) -> Self {
        self.env.push((name.into(), value.into()));
        self
    }

    /// Sets the program of the workers. By default it is the running program.
    #[must_use]
    pub fn with_program(mut self, program: impl Into<PathBuf>) -> Self {
        self.program = Some(program.into());
        self
    }

    /// Returns the duration of the run.
    pub(super) fn duration(&self) -> Duration {
        let seconds = std::env::var("SESSILE_TORTURE_SECONDS").ok();
        let seconds = seconds.and_then(|seconds| seconds.parse().ok());
        seconds.map_or(self.duration, Duration::from_secs_f64)
    }
}

impl Default for Torture {
    fn default() -> Self {
        Self::new()
    }
}
