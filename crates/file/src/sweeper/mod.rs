//! The thread that removes what is over, and those that give it a hand.

mod pace;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError, Weak};
use std::thread;
use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};
use sessile_core::{StorageError, StorageErrorKind};

use crate::failure::NAME;
use crate::files::scan::{Position, SLICE};
use crate::files::sweep::{Order, Swept};
use crate::shared::Shared;
use crate::sweeper::pace::{Round, SHORTEST_REST, Savings, rest_after};

/// How long a sweeper goes at full speed before it gets another hand.
const HELP_AFTER: Duration = Duration::from_secs(1);

/// How many hands it gets, at most. Half of the processors are enough as long as it works. One that mostly waits, for the
/// disk or for a processor on a machine that is overloaded, waits like any other thread, and those who create sessions
/// may be many.
const HANDS: usize = 8;

/// How often the folder is looked after, at most.
const LOOK_AFTER: Duration = Duration::from_secs(1);

/// A sweeper, as it is known from outside its thread.
#[derive(Default)]
pub(crate) struct Sweeper {
    signal: Arc<Signal>,
    backlog: AtomicU64,
}

#[derive(Default)]
struct Signal {
    stopped: Mutex<bool>,
    changed: Condvar,
}

impl Signal {
    /// Returns whether the sweeper is to go on.
    fn rest(&self, time: Duration) -> bool {
        let stopped = self.stopped.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.changed.wait_timeout_while(stopped, time, |stopped| !*stopped);
        !*waited.unwrap_or_else(PoisonError::into_inner).0
    }
}

impl Sweeper {
    /// Starts to remove what is over in the background, for as long as the storage is used.
    pub(crate) fn start(&self, shared: Weak<Shared>, every: Duration) -> Result<(), StorageError> {
        let signal = self.signal.clone();
        let thread = thread::Builder::new().name("sessile-file-sweeper".into());
        let started = thread.spawn(move || run(&signal, &shared, every));
        started
            .map(drop)
            .map_err(|error| StorageError::new(StorageErrorKind::Unavailable, "open", NAME).with_source(error))
    }

    /// Estimates the backlog anew. A slice that was cut short says little.
    fn learn(&self, swept: &Swept) {
        let (new, whole) = (swept.looked.min(SLICE) as u64, SLICE as u64);
        let backlog = (self.backlog() * (whole - new) + swept.estimate() * new) / whole;
        self.backlog.store(backlog, Ordering::Relaxed);
    }

    /// About how many files are over and have not been removed.
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

/// Sweeps round after round.
fn run(signal: &Arc<Signal>, shared: &Weak<Shared>, every: Duration) {
    let mut rest = every;
    let mut looked_after = Instant::now();
    let mut round = Round::default();
    let mut at = None;
    let mut savings = Savings::default();
    let mut in_haste: Option<Instant> = None;
    let help = Help::default();
    while signal.rest(rest) {
        let Some(shared) = shared.upgrade() else { return };
        if looked_after.elapsed() >= LOOK_AFTER {
            if let Err(failure) = shared.files.folder.look_after() {
                round.tell(failure.into_error("sweep", NAME));
            }
            looked_after = Instant::now();
        }
        let (began, worked) = (Instant::now(), time_of_this_thread());
        let Some(mut swept) = slice(&shared, at.take()) else {
            rest = every;
            continue;
        };
        let (took, worked) = (began.elapsed(), time_of_this_thread().saturating_sub(worked));
        let unpaid = savings.pay(&swept);
        rest = rest_after(unpaid, took, every);
        shared.sweeper.learn(&swept);
        if let Some(trouble) = swept.trouble.take() {
            round.tell(trouble.into_error("sweep", NAME));
        }
        let is_in_haste = swept.pays();
        round.add(&swept, unpaid == 0);
        if swept.next.is_none() {
            round.end(swept.estimate());
        }
        at = Some(swept.next.unwrap_or_default());
        in_haste = is_in_haste.then(|| in_haste.unwrap_or(began));
        if in_haste.is_some_and(|since| since.elapsed() >= HELP_AFTER) {
            in_haste = Some(Instant::now());
            help.call(signal, &shared, worked < took / 2);
        }
    }
}

/// `None` after a panic, which must not end the sweeper. The next slice begins elsewhere.
fn slice(shared: &Shared, from: Option<Position>) -> Option<Swept> {
    catch_unwind(AssertUnwindSafe(|| sweep(shared, from))).ok()
}

fn sweep(shared: &Shared, from: Option<Position>) -> Swept {
    // It begins anywhere, so that those who sweep, threads and processes, share the work. Those who meet part again:
    // one of them removes, and the other passes by what is gone.
    let from = from.unwrap_or_else(|| {
        let mut stripe = [0];
        shared.files.folder.entropy.fill(&mut stripe);
        Position::of_stripe(stripe[0])
    });
    let order = Order {
        now: shared.over_by(),
        limit: usize::MAX,
        asked_for: false,
    };
    shared.files.sweep(&from, order)
}

/// Returns how long this thread has had a processor.
fn time_of_this_thread() -> Duration {
    Duration::try_from(clock_gettime(ClockId::ThreadCPUTime)).unwrap_or_default()
}

/// Other threads that sweep, for as long as there is much to do.
#[derive(Default)]
struct Help(Arc<AtomicUsize>);

impl Help {
    /// Calls one more, if there are not enough yet. One of them is the sweeper itself, which alone adds to the number.
    fn call(&self, signal: &Arc<Signal>, shared: &Arc<Shared>, mostly_waits: bool) {
        let half = thread::available_parallelism().map_or(1, |processors| processors.get() / 2);
        let hands = if mostly_waits { HANDS } else { half.min(HANDS) };
        if self.0.load(Ordering::Relaxed) + 1 >= hands {
            return;
        }
        self.0.fetch_add(1, Ordering::Relaxed);
        let hand = Hand(self.0.clone());
        let (signal, shared) = (signal.clone(), Arc::downgrade(shared));
        let thread = thread::Builder::new().name("sessile-file-sweeper".into());
        // Without a thread it goes on alone, and asks again.
        let _ = thread.spawn(move || {
            let _hand = hand;
            help(&signal, &shared);
        });
    }
}

/// One of those who help, counted for as long as it does, however that ends.
struct Hand(Arc<AtomicUsize>);

impl Drop for Hand {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Sweeps as long as there is no reason to rest.
fn help(signal: &Signal, shared: &Weak<Shared>) {
    let mut at = None;
    let mut rest = SHORTEST_REST;
    while signal.rest(rest) {
        let Some(shared) = shared.upgrade() else { return };
        let began = Instant::now();
        let Some(swept) = slice(&shared, at.take()).filter(Swept::pays) else {
            return;
        };
        rest = rest_after(0, began.elapsed(), Duration::ZERO);
        at = Some(swept.next.unwrap_or_default());
    }
}
