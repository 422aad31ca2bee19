//! The nemesis: starts, stops and kills the worker processes.

use std::io::{BufRead, BufReader, Result};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::worker::{FAILURE, WorkerOptions};
use super::{Disturbance, Torture};
use crate::history::{Event, EventLog, Setback};
use crate::locked;
use crate::rng::Rng;

/// The output of all workers so far.
#[derive(Debug, Default)]
pub(super) struct WorkerOutput {
    pub(super) events: EventLog,
    pub(super) failures: Vec<String>,
}

/// Counts of the faults injected into workers and storage.
#[derive(Debug, Default)]
pub(super) struct Tally {
    pub(super) kills: u64,
    pub(super) stops: u64,
    pub(super) strikes: u64,
    pub(super) setbacks: Vec<Setback>,
}

/// The workers, and the faults injected into them and their storage.
pub(super) struct Nemesis<'a, 'd> {
    plan: &'a Torture,
    slots: &'a Path,
    disturbance: Option<&'d mut dyn Disturbance>,
    rng: Rng,
    workers: Vec<Worker>,
    started: u64,
    output: Arc<Mutex<WorkerOutput>>,
    tally: Tally,
}

/// The interval at which a long run prints its progress.
const PROGRESS_INTERVAL: Duration = Duration::from_secs(10);

struct Worker {
    child: Child,
    reader: JoinHandle<()>,
}

impl<'a, 'd> Nemesis<'a, 'd> {
    pub(super) fn new(plan: &'a Torture, slots: &'a Path, disturbance: Option<&'d mut dyn Disturbance>) -> Self {
        Self {
            plan,
            slots,
            disturbance,
            rng: Rng::new(plan.seed),
            workers: Vec::new(),
            started: 0,
            output: Arc::default(),
            tally: Tally::default(),
        }
    }

    /// Runs the workers for the planned duration, and injects each kind of fault at least once.
    pub(super) fn run(&mut self) -> Result<()> {
        let (start, duration) = (Instant::now(), self.plan.duration());
        let (end, mut next_progress) = (start + duration, start + PROGRESS_INTERVAL);
        for _ in 0..self.plan.processes {
            let worker = self.start()?;
            self.workers.push(worker);
        }
        while Instant::now() < end || !self.has_done_all() {
            let calm = Duration::from_millis(50 + self.rng.below(350));
            thread::sleep(calm.min(end.saturating_duration_since(Instant::now())));
            self.strike()?;
            if Instant::now() > next_progress {
                next_progress = Instant::now() + PROGRESS_INTERVAL;
                let (elapsed, calls) = (start.elapsed().as_secs(), locked(&self.output).events.count());
                eprintln!(
                    "sessile-testkit: {elapsed} of {} seconds, {calls} operations",
                    duration.as_secs()
                );
            }
        }
        Ok(())
    }

    fn has_done_all(&self) -> bool {
        let Tally {
            kills, stops, strikes, ..
        } = self.tally;
        (self.disturbance.is_none() || strikes > 0)
            && (!self.plan.kills || kills > 0)
            && (self.plan.stops.is_zero() || stops > 0)
    }

    fn strike(&mut self) -> Result<()> {
        let victim = usize::try_from(self.rng.below(self.workers.len() as u64)).unwrap_or_default();
        let stop = u64::try_from(self.plan.stops.as_millis()).unwrap_or(u64::MAX);
        let spares_workers = !self.plan.kills && stop == 0;
        if let Some(disturbance) = self
            .disturbance
            .as_mut()
            .filter(|_| spares_workers || self.rng.chance(0.5))
        {
            self.tally.strikes += 1;
            let setback = disturbance.strike(self.rng.next());
            self.tally.setbacks.extend(setback);
        } else if self.plan.kills && (stop == 0 || self.rng.chance(0.5)) {
            self.tally.kills += 1;
            let successor = self.start()?;
            let worker = std::mem::replace(&mut self.workers[victim], successor);
            worker.kill()?;
        } else if stop > 0 {
            self.tally.stops += 1;
            let pause = Duration::from_millis(1 + self.rng.below(stop));
            let together = usize::try_from(self.plan.together).unwrap_or(usize::MAX);
            let victims = self.workers.iter().cycle().skip(victim);
            let victims = victims.take(together.min(self.workers.len()));
            pause_processes(victims.map(|worker| &worker.child), pause);
        }
        Ok(())
    }

    fn start(&mut self) -> Result<Worker> {
        self.started += 1;
        let options = WorkerOptions {
            process: self.started,
            seed: self.rng.next(),
            slots: self.slots.to_owned(),
        };
        let program = match &self.plan.program {
            Some(program) => program.clone(),
            None => std::env::current_exe()?,
        };
        let (name, value) = options.variable(self.plan);
        let mut child = Command::new(program)
            .env(name, value)
            .envs(self.plan.env.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let stdout = child.stdout.take().expect("the output of a worker is a pipe");
        let output = Arc::clone(&self.output);
        let reader = thread::spawn(move || {
            // The last line of a killed worker may be cut off.
            for text in BufReader::new(stdout).lines().map_while(Result::ok) {
                let mut output = locked(&output);
                match (text.parse::<Event>(), text.strip_prefix(FAILURE)) {
                    (Ok(event), _) => output.events.add(event),
                    (_, Some(failure)) => output.failures.push(failure.to_owned()),
                    _ => {}
                }
            }
        });
        Ok(Worker { child, reader })
    }

    /// Repairs the storage, asks all workers to stop, waits for them, and returns their output. A worker that does not
    /// stop in time is killed and counts as a failure.
    pub(super) fn end(mut self) -> Result<(WorkerOutput, Tally)> {
        if let Some(disturbance) = &mut self.disturbance {
            disturbance.heal();
        }
        for worker in &mut self.workers {
            drop(worker.child.stdin.take());
        }
        // The longest time for which a client does not look at the flag: it waits for a lock, then sleeps past a lease.
        let patience = self.plan.wait + self.plan.lease * 2 + self.plan.tolerance.slack;
        let end = Instant::now() + patience;
        for worker in std::mem::take(&mut self.workers) {
            worker.stop_by(end, &self.output)?;
        }
        let output = std::mem::take(&mut *locked(&self.output));
        Ok((output, std::mem::take(&mut self.tally)))
    }
}

/// Kills the remaining workers if the run ends early.
impl Drop for Nemesis<'_, '_> {
    fn drop(&mut self) {
        for worker in std::mem::take(&mut self.workers) {
            drop(worker.kill());
        }
    }
}

impl Worker {
    fn kill(mut self) -> Result<()> {
        self.child.kill()?;
        self.leave().map(drop)
    }

    fn stop_by(mut self, end: Instant, output: &Mutex<WorkerOutput>) -> Result<()> {
        let report = |what: String| locked(output).failures.push(what);
        while self.child.try_wait()?.is_none() {
            if Instant::now() > end {
                report("a worker did not stop when asked to".to_owned());
                return self.kill();
            }
            thread::sleep(Duration::from_millis(5));
        }
        let status = self.leave()?;
        if !status.success() {
            report(format!("a worker that was not killed has ended with {status}"));
        }
        Ok(())
    }

    /// Waits until the process has ended and all of its output is read.
    fn leave(mut self) -> Result<ExitStatus> {
        let status = self.child.wait()?;
        drop(self.reader.join());
        Ok(status)
    }
}

#[cfg(unix)]
fn pause_processes<'a>(children: impl Iterator<Item = &'a Child>, pause: Duration) {
    use rustix::process::{Pid, Signal, kill_process};

    // A process that ended is not reaped yet, so its number is not reused. A failed stop of it is no error.
    let processes = children.map(Pid::from_child);
    let stopped: Vec<_> = processes
        .filter(|process| kill_process(*process, Signal::STOP).is_ok())
        .collect();
    thread::sleep(pause);
    for process in stopped {
        kill_process(process, Signal::CONT).expect("a stopped process can be continued");
    }
}

#[cfg(not(unix))]
fn pause_processes<'a>(_: impl Iterator<Item = &'a Child>, pause: Duration) {
    thread::sleep(pause);
}
