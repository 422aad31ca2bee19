//! [`Load`]: calls that go on during an event, and their outcomes.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use sessile_core::{StorageError, StorageErrorKind};
use tokio::task::JoinHandle;

/// The pause of a caller between two calls: enough load to meet any event, too little to fill two processors.
const PACE: Duration = Duration::from_millis(5);

/// Callers that call one after the other, independently, until they are stopped.
pub(crate) struct Load {
    began: Instant,
    stop: Arc<AtomicBool>,
    callers: Vec<JoinHandle<Tally>>,
}

/// The outcomes of the calls.
#[derive(Default)]
pub(crate) struct Tally {
    pub(crate) done: u64,
    /// The failures and their times.
    pub(crate) failed: Vec<(Instant, StorageError)>,
    pub(crate) slowest: Duration,
    /// The time of the last success.
    pub(crate) last_done: Option<Instant>,
    /// The time from the first call to the last.
    pub(crate) lasted: Duration,
}

impl Load {
    /// Starts this many callers; `call` gets the number of the caller and of its call.
    pub(crate) fn start<F>(callers: usize, call: impl Fn(usize, u64) -> F + Clone + Send + 'static) -> Self
    where
        F: Future<Output = Result<(), StorageError>> + Send,
    {
        let (began, stop) = (Instant::now(), Arc::new(AtomicBool::new(false)));
        let callers = (0..callers).map(|caller| {
            let (call, stop) = (call.clone(), Arc::clone(&stop));
            tokio::spawn(async move {
                let mut tally = Tally::default();
                for number in 0.. {
                    if stop.load(Ordering::SeqCst) {
                        break;
                    }
                    let start = Instant::now();
                    let outcome = call(caller, number).await;
                    tally.count(start, outcome);
                    tokio::time::sleep(PACE).await;
                }
                tally
            })
        });
        Self {
            began,
            callers: callers.collect(),
            stop,
        }
    }

    /// Stops the callers and adds up the outcomes of their calls.
    pub(crate) async fn end(self) -> Tally {
        self.stop.store(true, Ordering::SeqCst);
        let mut sum = Tally::default();
        for caller in self.callers {
            sum.add(caller.await.expect("a caller does not panic"));
        }
        sum.lasted = self.began.elapsed();
        sum
    }
}

impl Tally {
    fn count(&mut self, start: Instant, outcome: Result<(), StorageError>) {
        self.slowest = self.slowest.max(start.elapsed());
        match outcome {
            Ok(()) => {
                self.done += 1;
                self.last_done = Some(Instant::now());
            }
            Err(error) => self.failed.push((Instant::now(), error)),
        }
    }

    fn add(&mut self, other: Self) {
        self.done += other.done;
        self.failed.extend(other.failed);
        self.slowest = self.slowest.max(other.slowest);
        self.last_done = self.last_done.max(other.last_done);
    }

    /// Asserts that nothing has failed.
    #[track_caller]
    pub(crate) fn is_clean(&self, part: &str) {
        assert!(self.done > 0, "{part} did nothing at all");
        assert!(self.failed.is_empty(), "{part}: {self}");
    }

    /// Asserts that nothing has failed after this moment, and that there were calls.
    #[track_caller]
    pub(crate) fn is_clean_after(&self, moment: Instant, part: &str) {
        let late: Vec<_> = self.failed.iter().filter(|(when, _)| *when > moment).collect();
        assert!(late.is_empty(), "{part}: {} failed too late: {self}", late.len());
        assert!(self.last_done > Some(moment), "{part} did nothing any more: {self}");
    }

    /// Asserts that all failures are of these kinds.
    #[track_caller]
    pub(crate) fn fails_only_with(&self, kinds: &[StorageErrorKind], part: &str) {
        let strange = self.failed.iter().find(|(_, error)| !kinds.contains(&error.kind()));
        assert!(strange.is_none(), "{part}: {:?}, of {self}", strange.unwrap().1);
    }

    /// Returns the rate of successful calls, per second.
    pub(crate) fn rate(&self) -> f64 {
        self.done as f64 / self.lasted.as_secs_f64()
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (done, failed) = (self.done, self.failed.len());
        write!(f, "{done} done ({:.0}/s), {failed} failed", self.rate())?;
        let mut kinds: Vec<(StorageErrorKind, usize)> = Vec::new();
        for (_, error) in &self.failed {
            match kinds.iter_mut().find(|(kind, _)| *kind == error.kind()) {
                Some((_, count)) => *count += 1,
                None => kinds.push((error.kind(), 1)),
            }
        }
        if !kinds.is_empty() {
            write!(f, " {kinds:?}")?;
        }
        if let Some((_, error)) = self.failed.first() {
            write!(f, ", the first with {error:?}")?;
        }
        write!(f, "; the slowest took {:?}", self.slowest)
    }
}
