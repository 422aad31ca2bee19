//! [`Torture`]: what is to be done to a storage.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use sessile_core::DEFAULT_LEASE;

use crate::history::Tolerance;
use crate::rng::seed;

/// Many clients on one storage, who write, log out, move sessions, hang, give up and die; then a check of all that
/// they were told against the five promises.
///
/// [`run`](Self::run) gives each client a process of its own, which is killed and stopped at random.
/// [`run_in_process`](Self::run_in_process) makes do with tasks, for storages that live in one process.
///
/// Processes need a program to run. The best is a test without the usual harness (`harness = false` in
/// `Cargo.toml`), which is driver and worker in one:
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
    /// Four processes of two tasks each on six sessions, for five seconds, with kills and stops.
    ///
    /// The seed is the one in the environment variable `SESSILE_SEED`, or a new one. It decides what each client does
    /// and what is done to it; when each of them gets its turn is up to the machine, so that a seed makes a failure
    /// likely again, not certain.
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

    /// With this many processes.
    #[must_use]
    pub fn with_processes(mut self, processes: u64) -> Self {
        self.processes = processes.max(1);
        self
    }

    /// With this many tasks in each process.
    #[must_use]
    pub fn with_tasks(mut self, tasks: u64) -> Self {
        self.tasks = tasks.max(1);
        self
    }

    /// On this many sessions at a time. One that ends is followed by a new one.
    #[must_use]
    pub fn with_sessions(mut self, sessions: u64) -> Self {
        self.sessions = sessions.max(1);
        self
    }

    /// For so long. The environment variable `SESSILE_TORTURE_SECONDS` overrules it.
    #[must_use]
    pub fn with_duration(mut self, duration: Duration) -> Self {
        self.duration = duration;
        self
    }

    /// With another seed.
    #[must_use]
    pub fn with_seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// With clients that wait for a lock for so long. Two seconds by default.
    #[must_use]
    pub fn with_wait(mut self, wait: Duration) -> Self {
        self.wait = wait;
        self
    }

    /// On a storage that leases its locks for so long. It should be short, a second perhaps: whoever is killed blocks
    /// a session for that long, and whoever is stopped for longer comes back too late.
    #[must_use]
    pub fn with_lease(mut self, lease: Duration) -> Self {
        self.lease = lease;
        self
    }

    /// Without processes that are killed.
    #[must_use]
    pub fn without_kills(mut self) -> Self {
        self.kills = false;
        self
    }

    /// With processes that are stopped for so long at most; zero for none. A second and a half by default. Where there
    /// are no signals to stop a process with, none is stopped.
    #[must_use]
    pub fn with_stops(mut self, longest: Duration) -> Self {
        self.stops = longest;
        self
    }

    /// With this many processes that are stopped at the same time, so that those who wait are stopped along with those
    /// they wait for. One by default.
    #[must_use]
    pub fn with_stops_of(mut self, processes: u64) -> Self {
        self.together = processes.max(1);
        self
    }

    /// On a storage that refuses to rotate with a grace.
    #[must_use]
    pub fn without_aliases(mut self) -> Self {
        self.aliases = false;
        self
    }

    /// Judged with this tolerance. Its slack should be longer than a stop.
    #[must_use]
    pub fn with_tolerance(mut self, tolerance: Tolerance) -> Self {
        self.tolerance = tolerance;
        self
    }

    /// With this environment variable in the workers: to say where the storage is.
    #[must_use]
    pub fn with_env(mut self, name: impl Into<OsString>, value: impl Into<OsString>) -> Self {
        self.env.push((name.into(), value.into()));
        self
    }

    /// With another program for the workers. By default it is the one that is running.
    #[must_use]
    pub fn with_program(mut self, program: impl Into<PathBuf>) -> Self {
        self.program = Some(program.into());
        self
    }

    /// How long it is to take.
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
