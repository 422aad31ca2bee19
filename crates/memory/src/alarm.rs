//! [`Alarm`]: the time of the next sweep, and the signal that wakes the sweeper for it.

use std::fmt;
use std::sync::atomic::Ordering;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use sessile_core::{Clock, Timestamp};

use crate::sync::AtomicU64;

/// The longest sleep without a look at the clock, which may have been set meanwhile.
const MAX_SLEEP: Duration = Duration::from_secs(60);

/// The least time between two sweeps, so that deadlines close to each other share one.
const PAUSE: Duration = Duration::from_millis(100);

/// Starts the thread, and returns whether that worked.
type Start = Box<dyn Fn() -> bool + Send + Sync>;

/// The side of the sweeper that shards see. It starts the thread with the first deadline, and knows nothing else of it.
pub(crate) struct Alarm {
    /// `None` if the storage has no sweeper.
    start: Option<Start>,
    /// The time of the next sweep, in milliseconds. Only an earlier deadline has to wake the thread.
    next: AtomicU64,
    phase: Mutex<Phase>,
    changed: Condvar,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    NotStarted,
    Running,
    Stopped,
}

impl Alarm {
    pub(crate) fn new(start: Option<impl Fn() -> bool + Send + Sync + 'static>) -> Self {
        Self {
            start: start.map(|start| Box::new(start) as Start),
            next: AtomicU64::new(u64::MAX),
            phase: Mutex::new(Phase::NotStarted),
            changed: Condvar::new(),
        }
    }

    /// Brings the next sweep forward to `moment`, and returns whether the thread must be [woken](Self::wake) for that.
    ///
    /// Must be called under the mutex of the shard. A sweep [resets](Self::reset) the alarm before it asks the shards
    /// for their next deadline, each under its mutex. So either the sweep finds the new deadline in the shard, or the
    /// caller finds the alarm reset.
    pub(crate) fn schedule(&self, moment: Timestamp) -> bool {
        let moment = moment.as_millis();
        self.start.is_some()
            && moment < self.next.load(Ordering::Relaxed)
            && moment < self.next.fetch_min(moment, Ordering::Relaxed)
    }

    /// Forgets the next sweep.
    pub(crate) fn reset(&self) {
        self.next.store(u64::MAX, Ordering::Relaxed);
    }

    /// Wakes the thread, or starts it.
    pub(crate) fn wake(&self) {
        let mut phase = self.phase();
        if *phase == Phase::NotStarted
            && let Some(start) = &self.start
        {
            if start() {
                *phase = Phase::Running;
            } else {
                // The system has no thread to give now. Reads do not depend on one, and the next deadline tries again.
                self.reset();
            }
        }
        self.changed.notify_one();
    }

    /// Marks the thread as running without starting it.
    #[cfg(test)]
    pub(crate) fn pretend(&self) {
        *self.phase() = Phase::Running;
    }

    /// Returns the time of the next sweep, in milliseconds.
    #[cfg(test)]
    pub(crate) fn next(&self) -> u64 {
        self.next.load(Ordering::Relaxed)
    }

    /// Ends the thread.
    pub(crate) fn stop(&self) {
        *self.phase() = Phase::Stopped;
        self.changed.notify_one();
    }

    /// Sleeps until the next sweep is due. Returns `false` if the thread has to end instead.
    pub(crate) fn sleep(&self, clock: &dyn Clock) -> bool {
        let running = |phase: &mut Phase| *phase == Phase::Running;
        let pause = self.changed.wait_timeout_while(self.phase(), PAUSE, running);
        let (mut phase, _) = pause.unwrap_or_else(PoisonError::into_inner);
        while *phase == Phase::Running {
            // An earlier deadline sets `next` first, and notifies while it holds this mutex, which is ours until we
            // wait: so the notification cannot fall between the look at `next` and the wait.
            let left = match self.next.load(Ordering::Relaxed) {
                u64::MAX => MAX_SLEEP,
                moment => clock.now().until(Timestamp::from_millis(moment)),
            };
            if left.is_zero() {
                return true;
            }
            let slept = self.changed.wait_timeout(phase, left.min(MAX_SLEEP));
            (phase, _) = slept.unwrap_or_else(PoisonError::into_inner);
        }
        false
    }

    fn phase(&self) -> MutexGuard<'_, Phase> {
        self.phase.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Alarm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Alarm")
            .field("next", &self.next)
            .finish_non_exhaustive()
    }
}
