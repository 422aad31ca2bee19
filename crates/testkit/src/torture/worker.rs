//! A worker: one of the processes that use the storage and may be killed.

use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use sessile_core::{IntoStorage, Storage, StorageError};

use super::Torture;
use super::slots::Slots;
use super::workload::{Client, first_write_id};
use crate::history::{Recorder, Recording};
use crate::rng::Rng;

/// The environment variable that marks a process as a worker and has its options.
const VARIABLE: &str = "SESSILE_TORTURE";

/// The prefix of a line that reports a failure in place of an event.
pub(super) const FAILURE: &str = "failure ";

/// The options of a worker.
#[derive(Debug)]
pub(super) struct WorkerOptions {
    pub(super) process: u64,
    pub(super) seed: u64,
    pub(super) slots: PathBuf,
}

impl WorkerOptions {
    /// Encodes the options as an environment variable.
    pub(super) fn variable(&self, plan: &Torture) -> (&'static str, String) {
        let Self { process, seed, slots } = self;
        let Torture {
            tasks,
            sessions,
            wait,
            aliases,
            ..
        } = plan;
        let (wait, aliases) = (wait.as_millis(), u64::from(*aliases));
        let options = format!(
            "{process} {seed} {tasks} {sessions} {wait} {aliases} {}",
            slots.display()
        );
        (VARIABLE, options)
    }

    fn read(options: &str) -> Option<(Self, Torture)> {
        let mut words = options.splitn(7, ' ');
        let mut number = || words.next()?.parse::<u64>().ok();
        let (process, seed, tasks, sessions) = (number()?, number()?, number()?, number()?);
        let (wait, aliases) = (number()?, number()?);
        let slots = words.next()?.into();
        let plan = Torture {
            aliases: aliases != 0,
            ..Torture::new()
                .with_tasks(tasks)
                .with_sessions(sessions)
                .with_wait(Duration::from_millis(wait))
        };
        Some((Self { process, seed, slots }, plan))
    }
}

/// Runs the worker in a worker process, and does not return. Returns immediately in any other process.
///
/// Call it first in the program that [`Torture::run`] starts for its workers. `open` opens the storage, which it finds
/// through the variables of [`Torture::with_env`].
///
/// # Panics
///
/// Panics in a worker if a runtime cannot be built.
pub fn worker_main<S: IntoStorage>(open: impl AsyncFnOnce() -> S) {
    let Ok(options) = std::env::var(VARIABLE) else { return };
    let (options, plan) = WorkerOptions::read(&options).expect("the orders of a worker come from its driver");
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build();
    runtime.expect("a worker needs a runtime").block_on(async {
        let storage = open().await.into_storage();
        work(options, plan, storage).await;
    });
    std::process::exit(0);
}

async fn work(options: WorkerOptions, plan: Torture, storage: Arc<dyn Storage>) {
    let recorder = Recorder::to(|event| send_line(&event.to_string()));
    let storage: Arc<dyn Storage> = Arc::new(Recording::shared(storage, recorder, options.process));
    let slots = Arc::new(Slots::Folder(options.slots));
    let write_ids = Arc::new(AtomicU64::new(first_write_id(options.process)));
    let (plan, stop) = (Arc::new(plan), stop_at_end_of_input());
    let clients: Vec<_> = (0..plan.tasks)
        .map(|task| {
            let client = Client {
                storage: Arc::clone(&storage),
                slots: Arc::clone(&slots),
                rng: Rng::new(options.seed.wrapping_add(task)),
                write_ids: Arc::clone(&write_ids),
                plan: Arc::clone(&plan),
                ended: VecDeque::new(),
                report: Arc::new(|error| send_line(&format!("{FAILURE}{}", in_one_line(error)))),
            };
            tokio::spawn(client.run(Arc::clone(&stop)))
        })
        .collect();
    for client in clients {
        if let Err(error) = client.await {
            send_line(&format!("{FAILURE}a client panicked: {error}"));
        }
    }
}

pub(super) fn in_one_line(error: &StorageError) -> String {
    format!("{error:?}").replace(['\n', '\r'], " ")
}

/// Writes a whole line to the driver. Exits if the driver is gone.
fn send_line(event: &str) {
    let event = format!("{event}\n");
    let mut output = io::stdout().lock();
    if output
        .write_all(event.as_bytes())
        .and_then(|()| output.flush())
        .is_err()
    {
        std::process::exit(1);
    }
}

/// Sets the flag when the input ends. The driver closes it to stop the work, or by dying.
fn stop_at_end_of_input() -> Arc<AtomicBool> {
    let stop = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&stop);
    std::thread::spawn(move || {
        drop(io::stdin().lock().read_to_end(&mut Vec::new()));
        flag.store(true, Ordering::SeqCst);
    });
    stop
}
