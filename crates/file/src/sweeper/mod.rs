//! [`Sweeper`]: the background thread that removes expired sessions, and its helpers.

mod pace;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError, Weak};
use std::thread;
use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};
use sessile_core::{StorageError, StorageErrorKind};

use self::pace::{Credit, MIN_REST, PassStats, is_productive, rest_after};
use crate::failure::NAME;
use crate::files::Files;
use crate::files::position::{Position, SLICE};
use crate::files::sweep::{SweepReport, SweepRequest};

/// The time at full speed after which a sweeper gets another helper.
const HELPER_AFTER: Duration = Duration::from_secs(1);

/// The largest number of threads that sweep.
///
/// Half of the processors are enough as long as the threads are busy. Threads that mostly wait, for the disk or for a
/// processor of an overloaded machine, compete with any number of threads that create sessions.
const MAX_THREADS: usize = 8;

/// The shortest interval between two calls of [`Tree::maintain`](crate::folder::tree::Tree::maintain).
const MAINTAIN_EVERY: Duration = Duration::from_secs(1);

/// The handle of the background thread. Dropping it stops the thread.
#[derive(Default)]
pub(crate) struct Sweeper {
    signal: Arc<StopSignal>,
    /// The estimated number of expired files that have not been removed.
    backlog: Arc<AtomicU64>,
}

#[derive(Default)]
struct StopSignal {
    stopped: Mutex<bool>,
    changed: Condvar,
}

impl StopSignal {
    /// Waits, and returns whether the thread goes on.
    fn rest(&self, time: Duration) -> bool {
        let stopped = self.stopped.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.changed.wait_timeout_while(stopped, time, |stopped| !*stopped);
        !*waited.unwrap_or_else(PoisonError::into_inner).0
    }
}

impl Sweeper {
    /// Starts the background thread, which runs as long as the storage is used.
    pub(crate) fn start(&self, files: Weak<Files>, every: Duration) -> Result<(), StorageError> {
        let (signal, backlog) = (self.signal.clone(), self.backlog.clone());
        let thread = thread::Builder::new().name("sessile-file-sweeper".into());
        let started = thread.spawn(move || run(&signal, &backlog, &files, every));
        started
            .map(drop)
            .map_err(|error| StorageError::new(StorageErrorKind::Unavailable, "open", NAME).with_source(error))
    }

    /// Returns the estimated number of expired files that have not been removed.
    pub(crate) fn backlog(&self) -> u64 {
        self.backlog.load(Ordering::Relaxed)
    }
}

impl Drop for Sweeper {
    fn drop(&mut self) {
        *self.signal.stopped.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.signal.changed.notify_all();
    }
}

/// Sweeps the folder in passes until the signal stops it.
fn run(signal: &Arc<StopSignal>, backlog: &AtomicU64, files: &Weak<Files>, every: Duration) {
    let mut rest = every;
    let mut maintained = Instant::now();
    let mut pass = PassStats::default();
    let mut at = None;
    let mut credit = Credit::default();
    let mut busy_since: Option<Instant> = None;
    let helpers = Helpers::default();
    while signal.rest(rest) {
        let Some(files) = files.upgrade() else { return };
        if maintained.elapsed() >= MAINTAIN_EVERY {
            if let Err(failure) = files.folder.tree.maintain() {
                pass.warn_once(failure.into_error("sweep", NAME));
            }
            maintained = Instant::now();
        }
        let (began, cpu_time) = (Instant::now(), thread_cpu_time());
        let Some(mut report) = sweep_slice(&files, at.take()) else {
            rest = every;
            continue;
        };
        let (took, cpu_time) = (began.elapsed(), thread_cpu_time().saturating_sub(cpu_time));
        let unpaid = credit.settle(&report);
        rest = rest_after(unpaid, took, every);
        let estimate = update_estimate(backlog.load(Ordering::Relaxed), &report);
        backlog.store(estimate, Ordering::Relaxed);
        if let Some(failure) = report.failure.take() {
            pass.warn_once(failure.into_error("sweep", NAME));
        }
        let is_busy = is_productive(&report);
        pass.add(&report, unpaid == 0);
        if report.next.is_none() {
            pass.finish(report.estimate());
        }
        at = Some(report.next.unwrap_or_default());
        busy_since = is_busy.then(|| busy_since.unwrap_or(began));
        if busy_since.is_some_and(|since| since.elapsed() >= HELPER_AFTER) {
            busy_since = Some(Instant::now());
            helpers.spawn(signal, &files, cpu_time < took / 2);
        }
    }
}

/// Sweeps one slice. Returns `None` after a panic, which must not end the thread; the next slice then begins elsewhere.
fn sweep_slice(files: &Files, from: Option<Position>) -> Option<SweepReport> {
    catch_unwind(AssertUnwindSafe(|| {
        // A random start spreads the threads and processes that sweep. Two that meet separate again: one removes the
        // files, and the other finds none and moves ahead.
        let from = from.unwrap_or_else(|| {
            let mut stripe = [0];
            files.folder.entropy.fill(&mut stripe);
            Position::of_stripe(stripe[0])
        });
        let request = SweepRequest {
            before: files.folder.clocks.sweep_cutoff(),
            limit: usize::MAX,
            collect: false,
        };
        files.sweep(&from, request)
    }))
    .ok()
}

/// Updates the estimated backlog. A slice counts in proportion to the files that it has examined.
fn update_estimate(backlog: u64, report: &SweepReport) -> u64 {
    let (new, whole) = (report.examined.min(SLICE) as u64, SLICE as u64);
    (backlog * (whole - new) + report.estimate() * new) / whole
}

/// Returns the processor time that this thread has used.
fn thread_cpu_time() -> Duration {
    Duration::try_from(clock_gettime(ClockId::ThreadCPUTime)).unwrap_or_default()
}

/// The helper threads, which sweep as long as there is much to remove. Each owns a reference until it ends in any way.
#[derive(Default)]
struct Helpers(Arc<()>);

impl Helpers {
    /// Starts one more helper if there are not enough yet.
    fn spawn(&self, signal: &Arc<StopSignal>, files: &Arc<Files>, mostly_waits: bool) {
        let half = thread::available_parallelism().map_or(1, |processors| processors.get() / 2);
        let threads = if mostly_waits {
            MAX_THREADS
        } else {
            half.min(MAX_THREADS)
        };
        // One reference is that of the sweeper, which sweeps as well. Only this thread adds references, and one that is
        // dropped late delays a helper by a second.
        if Arc::strong_count(&self.0) >= threads {
            return;
        }
        let counted = self.0.clone();
        let (signal, files) = (signal.clone(), Arc::downgrade(files));
        let thread = thread::Builder::new().name("sessile-file-sweeper".into());
        // If no thread can be started, the sweeper goes on alone and tries again later.
        let _ = thread.spawn(move || {
            let _counted = counted;
            help(&signal, &files);
        });
    }
}

/// Sweeps until a slice is not worth its cost.
fn help(signal: &StopSignal, files: &Weak<Files>) {
    let mut at = None;
    let mut rest = MIN_REST;
    while signal.rest(rest) {
        let Some(files) = files.upgrade() else { return };
        let began = Instant::now();
        let Some(report) = sweep_slice(&files, at.take()).filter(is_productive) else {
            return;
        };
        rest = rest_after(0, began.elapsed(), Duration::ZERO);
        at = Some(report.next.unwrap_or_default());
    }
}
