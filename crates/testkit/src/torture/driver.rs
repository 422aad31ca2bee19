//! The driver: starts it all, and judges in the end.

use std::collections::{BTreeSet, VecDeque};
use std::fs;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use sessile_core::{IntoStorage, Lookup, SessionKey, Storage};

use super::nemesis::{Nemesis, Tally};
use super::slots::Slots;
use super::worker::in_one_line;
use super::workload::{Client, first_write_id};
use super::{Disturbance, Failure, Report, Torture};
use crate::history::{Call, History, Recorder, Recording};
use crate::locked;
use crate::rng::Rng;

/// The process that the driver is in a history. Workers are counted from 1.
const DRIVER: u64 = 0;

impl Torture {
    /// Tortures a storage with worker processes, which are killed and stopped at random, and looks at everything
    /// itself in the end. The seed is printed.
    ///
    /// `open` opens the storage in this process; the program of the workers has to call
    /// [`worker_main`](super::worker_main) with the same. Variables set by [`with_env`](Self::with_env) are in the
    /// environment of the workers only, so in the driver `open` has to know by itself.
    ///
    /// # Errors
    ///
    /// What was found wrong.
    ///
    /// # Panics
    ///
    /// If processes cannot be started or there is no runtime to be had.
    pub fn run<S: IntoStorage>(&self, open: impl AsyncFnOnce() -> S) -> Result<Report, Box<Failure>> {
        self.run_workers(None, open)
    }

    /// As [`run`](Self::run), while this happens to the storage, too. What it lost by that is in the report.
    ///
    /// # Errors
    ///
    /// As for [`run`](Self::run).
    ///
    /// # Panics
    ///
    /// As [`run`](Self::run) does.
    pub fn run_under<S: IntoStorage>(
        &self,
        disturbance: &mut dyn Disturbance,
        open: impl AsyncFnOnce() -> S,
    ) -> Result<Report, Box<Failure>> {
        self.run_workers(Some(disturbance), open)
    }

    fn run_workers<S: IntoStorage>(
        &self,
        disturbance: Option<&mut dyn Disturbance>,
        open: impl AsyncFnOnce() -> S,
    ) -> Result<Report, Box<Failure>> {
        self.announce();
        let slots = Folder::new(self.seed);
        let mut nemesis = Nemesis::new(self, &slots.0, disturbance);
        nemesis.run().expect("worker processes can be started and killed");
        let (output, tally) = nemesis.end().expect("worker processes can be waited for");
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build();
        let (history, failures) = runtime.expect("a driver needs a runtime").block_on(async {
            let storage = open().await.into_storage();
            self.audit(&storage, output.events.history(), output.failures).await
        });
        self.judge(history, failures, tally)
    }

    /// Tortures a storage with tasks, for as long as planned. They give up, hang and forget; nobody is killed. The
    /// seed is printed.
    ///
    /// # Errors
    ///
    /// What was found wrong.
    pub async fn run_in_process(&self, storage: impl IntoStorage) -> Result<Report, Box<Failure>> {
        self.announce();
        let storage = storage.into_storage();
        let recorder = Recorder::new();
        let slots = Arc::new(Slots::in_memory(self.sessions));
        let (plan, stop) = (Arc::new(self.clone()), Arc::new(AtomicBool::new(false)));
        let failures = Arc::new(Mutex::new(Vec::new()));
        let mut clients = Vec::new();
        for number in 0..self.processes * self.tasks {
            let process = number + 1;
            let (storage, recorder) = (Arc::clone(&storage), recorder.clone());
            let reports = Arc::clone(&failures);
            let client = Client {
                storage: Arc::new(Recording::shared(storage, recorder, process)),
                slots: Arc::clone(&slots),
                rng: Rng::new(self.seed.wrapping_add(number)),
                write_ids: Arc::new(AtomicU64::new(first_write_id(process))),
                plan: Arc::clone(&plan),
                ended: VecDeque::new(),
                report: Arc::new(move |error| locked(&reports).push(in_one_line(error))),
            };
            clients.push(tokio::spawn(client.run(Arc::clone(&stop))));
        }
        tokio::time::sleep(self.duration()).await;
        stop.store(true, Ordering::SeqCst);
        for client in clients {
            if let Err(error) = client.await {
                locked(&failures).push(format!("a client panicked: {error}"));
            }
        }
        let failures = std::mem::take(&mut *locked(&failures));
        let (history, failures) = self.audit(&storage, recorder.history(), failures).await;
        self.judge(history, failures, Tally::default())
    }

    fn announce(&self) {
        let seed = self.seed;
        eprintln!("sessile-testkit: torture, seed {seed} (set SESSILE_SEED={seed} to try it again)");
    }

    /// Looks under every key there ever was, and takes the lock of every session that lives: nobody is left to hold
    /// it, so it has to be free within a lease.
    async fn audit(
        &self,
        storage: &Arc<dyn Storage>,
        mut history: History,
        mut failures: Vec<String>,
    ) -> (History, Vec<String>) {
        let mut keys: BTreeSet<SessionKey> = BTreeSet::new();
        for recorded in &history.calls {
            keys.insert(*recorded.call.key());
            if let Call::Rotate { to, .. } = recorded.call {
                keys.insert(to);
            }
        }
        let recorder = Recorder::new();
        let storage = Recording::shared(Arc::clone(storage), recorder.clone(), DRIVER);
        let wait = self.lease + self.tolerance.slack;
        for key in keys {
            let failure = match storage.read(&key).await {
                Ok(Lookup::Found(_)) => match storage.lock(&key, wait).await {
                    Ok(Lookup::Found(locked)) => storage.release(locked.lock).await.err(),
                    Ok(_) => None,
                    Err(error) => Some(error),
                },
                Ok(_) => None,
                Err(error) => Some(error),
            };
            failures.extend(failure.map(|error| format!("in the end, when all had left: {}", in_one_line(&error))));
        }
        history.calls.extend(recorder.history().calls);
        (history, failures)
    }

    fn judge(&self, history: History, failures: Vec<String>, tally: Tally) -> Result<Report, Box<Failure>> {
        let seed = self.seed;
        match history.check_across(&tally.setbacks, self.tolerance) {
            Ok((summary, lost)) if failures.is_empty() => Ok(Report {
                summary,
                lost,
                seed,
                kills: tally.kills,
                stops: tally.stops,
                strikes: tally.strikes,
                history,
            }),
            verdict => Err(Box::new(Failure {
                violations: verdict.err(),
                failures,
                seed,
                history,
            })),
        }
    }
}

/// A folder that goes with its owner.
struct Folder(PathBuf);

impl Folder {
    fn new(seed: u64) -> Self {
        let name = format!("sessile-torture-{}-{seed}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        fs::create_dir_all(&folder).expect("a folder for temporary files");
        Self(folder)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        drop(fs::remove_dir_all(&self.0));
    }
}
