//! The thread that removes what is over: how fast it goes, when it rests, and what it says.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError, Weak};
use std::thread;
use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};
use sessile_core::{StorageError, StorageErrorKind};

use crate::failure::NAME;
use crate::shared::Shared;
use crate::sweep::{Order, Swept};
use crate::walk::{Position, SLICE};

/// One file that is over pays for looking at this many. So the sweeper goes at full speed as long as there are more of
/// them than one in this many, and more and more slowly below.
const WORTH: usize = 32;

/// What others get of the time, at full speed: this part of what a slice took, and not less than the shortest rest.
const SHARE: u32 = 8;
const SHORTEST_REST: Duration = Duration::from_millis(1);

/// How long a sweeper goes at full speed before it gets another hand.
const HELP_AFTER: Duration = Duration::from_secs(1);

/// How many hands it gets, at most. Half of the processors are enough as long as there are processors to be had. On a
/// machine that is overloaded each thread has its share of the time like any other, and those who create sessions may
/// be many.
const HANDS: usize = 8;

/// How often the folder is looked after, at most.
const LOOK_AFTER: Duration = Duration::from_secs(1);

/// What is known of a sweeper from outside.
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
        let mut swept = slice(&shared, at.take());
        let (took, worked) = (began.elapsed(), time_of_this_thread().saturating_sub(worked));
        rest = rest_after(&swept, took, every);
        shared.sweeper.backlog.store(swept.estimate(), Ordering::Relaxed);
        if let Some(trouble) = swept.trouble.take() {
            round.tell(trouble.into_error("sweep", NAME));
        }
        let is_in_haste = swept.pays();
        round.add(&swept, is_in_haste);
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

fn slice(shared: &Shared, from: Option<Position>) -> Swept {
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

/// For how long this thread has had a processor.
fn time_of_this_thread() -> Duration {
    Duration::try_from(clock_gettime(ClockId::ThreadCPUTime)).unwrap_or_default()
}

/// Other threads that sweep, for as long as there is much to do.
#[derive(Default)]
struct Help(Arc<AtomicUsize>);

impl Help {
    /// Calls one more, if there are not enough yet. One of them is the sweeper itself, which alone adds to the number.
    fn call(&self, signal: &Arc<Signal>, shared: &Arc<Shared>, is_overloaded: bool) {
        let half = thread::available_parallelism().map_or(1, |processors| processors.get() / 2);
        let hands = if is_overloaded { HANDS } else { half.min(HANDS) };
        if self.0.load(Ordering::Relaxed) + 1 >= hands {
            return;
        }
        self.0.fetch_add(1, Ordering::Relaxed);
        let (count, signal, shared) = (self.0.clone(), signal.clone(), Arc::downgrade(shared));
        let thread = thread::Builder::new().name("sessile-file-sweeper".into());
        let helping = thread.spawn(move || {
            help(&signal, &shared);
            count.fetch_sub(1, Ordering::Relaxed);
        });
        if helping.is_err() {
            // It goes on alone, and asks again.
            self.0.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

/// Sweeps as long as there is no reason to rest.
fn help(signal: &Signal, shared: &Weak<Shared>) {
    let mut at = None;
    let mut rest = SHORTEST_REST;
    while signal.rest(rest) {
        let Some(shared) = shared.upgrade() else { return };
        let began = Instant::now();
        let swept = slice(&shared, at.take());
        if !swept.pays() {
            return;
        }
        rest = rest_after(&swept, began.elapsed(), Duration::ZERO);
        at = Some(swept.next.unwrap_or_default());
    }
}

impl Swept {
    /// How much was looked at that what was removed does not make up for.
    fn unpaid(&self) -> usize {
        self.looked.saturating_sub(self.removed.saturating_mul(WORTH))
    }

    /// Whether there was so much to remove that there is no reason to rest.
    fn pays(&self) -> bool {
        self.removed > 0 && self.unpaid() == 0
    }
}

/// How long to rest after a slice. What has been removed makes up for what was looked at.
fn rest_after(swept: &Swept, took: Duration, every: Duration) -> Duration {
    let unpaid = swept.unpaid();
    let share = unpaid.min(SLICE) as f64 / SLICE as f64;
    every.mul_f64(share).max(took / SHARE).max(SHORTEST_REST)
}

/// A round through the whole folder.
#[derive(Debug, Default)]
struct Round {
    removed: usize,
    rested: bool,
    told: bool,
    /// How many files were removed in the round before, if that was one without a rest.
    before: Option<usize>,
}

impl Round {
    fn add(&mut self, swept: &Swept, at_full_speed: bool) {
        self.removed += swept.removed;
        self.rested |= !at_full_speed;
    }

    /// Says once a round what keeps the sweeper from removing something.
    fn tell(&mut self, trouble: StorageError) {
        if !std::mem::replace(&mut self.told, true) {
            #[cfg(feature = "tracing")]
            tracing::warn!(%trouble, cause = ?std::error::Error::source(&trouble), "the sweeper meets with trouble");
            drop(trouble);
        }
    }

    fn end(&mut self, backlog: u64) {
        let (removed, rested) = (self.removed, self.rested);
        if !rested && self.before.is_some_and(|before| removed >= before) {
            #[cfg(feature = "tracing")]
            tracing::warn!(
                removed,
                backlog,
                "the sweeper is behind: sessions end faster than it removes them"
            );
        }
        let _ = backlog;
        *self = Self {
            before: (!rested).then_some(removed),
            ..Self::default()
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sweeper_rests_when_there_is_nothing_and_goes_on_when_there_is() {
        let every = Duration::from_secs(10);
        let took = Duration::from_millis(16);
        let rest = |looked, removed| {
            let mut swept = crate::sweep::Swept::of(looked, removed);
            swept.next = None;
            rest_after(&swept, took, every)
        };
        assert_eq!(rest(SLICE, 0), every);
        assert_eq!(
            rest(SLICE * 100, 0),
            every,
            "a slice that was large is no reason for more"
        );
        assert_eq!(rest(SLICE, SLICE), took / SHARE);
        assert_eq!(rest(SLICE, SLICE / WORTH), took / SHARE);
        assert_eq!(rest(SLICE, SLICE / WORTH / 2), every / 2);
        assert_eq!(rest(0, 0), took / SHARE);
    }

    #[test]
    fn a_sweeper_that_finds_as_many_as_before_without_a_rest_is_behind() {
        let mut round = Round::default();
        for removed in [100, 100] {
            round.add(&Swept::of(1_000, removed), true);
        }
        round.end(0);
        assert_eq!(round.before, Some(200));
        round.add(&Swept::of(1_000, 1), false);
        round.end(0);
        assert_eq!(round.before, None, "one that rests is not behind");
    }
}
