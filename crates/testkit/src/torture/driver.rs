//! The driver: starts the workers and checks the history.

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

/// The number of the driver's process in a history. Workers count from 1.
const DRIVER: u64 = 0;

impl Torture {
    /// Runs worker processes on a storage, kills and stops them at random, and then reads every session. Prints the
    /// seed.
    ///
    /// `open` opens the storage in this process. The program of the workers has to call
    /// [`worker_main`](super::worker_main) with the same function. Only the workers have the variables of
    /// [`with_env`](Self::with_env) in their environment, so `open` must find the storage without them here.
    ///
    /// # Errors
    ///
    /// Returns the violations and the other failures.
    ///
    /// # Panics
    ///
    /// Panics if processes cannot be started or a runtime cannot be built.
    pub fn run<S: IntoStorage>(&self, open: impl AsyncFnOnce() -> S) -> Result<Report, Box<Failure>> {
        self.run_workers(None, open)
    }

    /// Runs like [`run`](Self::run), with a disturbance of the storage. The report counts what the storage lost.
    ///
    /// # Errors
    ///
    /// Fails like [`run`](Self::run).
    ///
    /// # Panics
    ///
    /// Panics like [`run`](Self::run).
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

    /// Runs the clients as tasks of this process, for the planned duration. Clients drop calls and keep locks too long,
    /// but are not killed. Prints the seed.
    ///
    /// # Errors
    ///
    /// Returns the violations and the other failures.
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

    /// Reads every key of the history and locks every live session. No client holds a lock any more, so each lock must
    /// be free within a lease.
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

/// A folder that is removed on drop.
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
