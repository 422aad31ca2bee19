//! [`Crew`]: the worker processes, and what they report.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use super::call::History;
use super::observer::Observed;
use super::plan::Plan;
use crate::process::ChildProcess;

/// The worker processes, and what they report.
pub(super) struct Crew<'a> {
    test: &'a str,
    folder: &'a Path,
    env: &'a [(String, String)],
    workers: Vec<(u64, ChildProcess)>,
    started: u64,
    done: BTreeSet<u64>,
    pub(super) killed: BTreeSet<u64>,
    pub(super) history: History,
}

/// The limit of every wait for a worker.
const PATIENCE: Duration = Duration::from_secs(180);

impl<'a> Crew<'a> {
    pub(super) fn new(test: &'a str, folder: &'a Path, env: &'a [(String, String)]) -> Self {
        Self {
            test,
            folder,
            env,
            workers: Vec::new(),
            started: 0,
            done: BTreeSet::new(),
            killed: BTreeSet::new(),
            history: History::default(),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.workers.len()
    }

    /// Starts workers, and lets them begin together.
    pub(super) fn start(&mut self, count: u64, plan: &Plan) {
        let before = self.workers.len();
        for _ in 0..count {
            self.started += 1;
            let plan = Plan {
                process: self.started,
                seed: plan.seed.wrapping_mul(31).wrapping_add(self.started << 16),
                ..plan.clone()
            };
            let mut command = Command::new(std::env::current_exe().expect("the test itself"));
            command.envs(self.env.iter().map(|(name, value)| (name, value)));
            let child = ChildProcess::spawn(command, self.test, &plan.text(), self.folder);
            self.workers.push((self.started, child));
        }
        for (_, child) in &self.workers[before..] {
            assert_eq!(child.receive(), "ready");
        }
        for (_, child) in &mut self.workers[before..] {
            child.send("go");
        }
    }

    /// Kills a worker.
    pub(super) fn kill(&mut self, index: usize, observed: &Observed) {
        let (process, child) = self.workers.swap_remove(index);
        let messages = child.kill();
        self.killed.insert(process);
        self.note(process, messages, observed);
    }

    /// Takes what the workers have reported since the last call. Returns whether all are done.
    pub(super) fn listen(&mut self, observed: &Observed) -> bool {
        for index in 0..self.workers.len() {
            let (process, child) = &self.workers[index];
            let messages: Vec<String> = std::iter::from_fn(|| child.try_receive()).collect();
            self.note(*process, messages, observed);
        }
        self.workers.iter().all(|(process, _)| self.done.contains(process))
    }

    fn note(&mut self, process: u64, messages: Vec<String>, observed: &Observed) {
        for message in messages {
            if message == "done" {
                self.done.insert(process);
            } else if let Some(key) = self.history.add(process, &message) {
                observed.add(key);
            }
        }
    }

    /// Asks the workers to stop, and waits until they have.
    pub(super) fn stop(&mut self, observed: &Observed) {
        for (_, child) in &mut self.workers {
            child.send("stop");
        }
        let start = Instant::now();
        while !self.listen(observed) {
            assert!(start.elapsed() < PATIENCE, "a worker does not stop");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Ends all workers, which were stopped.
    pub(super) fn dismiss(&mut self, observed: &Observed) {
        for (process, child) in std::mem::take(&mut self.workers) {
            let messages = child.kill();
            self.note(process, messages, observed);
        }
    }
}
