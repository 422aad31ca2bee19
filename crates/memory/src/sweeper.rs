//! [`Sweeper`]: the thread that takes expired sessions away.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use sessile_core::{Clock, Timestamp};

use crate::shared::Shared;
use crate::sync::AtomicU64;

/// The longest time for which a deadline is waited for without looking at the clock: it may have been set.
const LOOK_AGAIN: Duration = Duration::from_secs(60);

/// The time between two rounds. Deadlines that come one by one are met together.
const PAUSE: Duration = Duration::from_millis(100);

/// Starts, wakes and stops the thread. It is one of the system's, not a task: a storage works without a runtime, in
/// a `static`, and across runtimes.
#[derive(Debug)]
pub(crate) struct Sweeper {
    /// `None` if the storage leaves sweeping to others.
    storage: Option<Weak<Shared>>,
    /// The moment, in milliseconds, at which the thread looks next: only what ends before is news to it.
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

impl Sweeper {
    pub(crate) fn new(storage: Option<Weak<Shared>>) -> Self {
        Self {
            storage,
            next: AtomicU64::new(u64::MAX),
            phase: Mutex::new(Phase::NotStarted),
            changed: Condvar::new(),
        }
    }

    /// Takes note that something in a shard leaves at `moment`, and returns whether the thread must be
    /// [woken](Self::wake) for that.
    ///
    /// To be called under the mutex of the shard. The thread forgets its `next` before it asks the shards, each under
    /// its mutex: so either it finds the new deadline there, or the caller finds that it has forgotten.
    pub(crate) fn expect(&self, moment: Timestamp) -> bool {
        let moment = moment.as_millis();
        self.storage.is_some()
            && moment < self.next.load(Ordering::Relaxed)
            && moment < self.next.fetch_min(moment, Ordering::Relaxed)
    }

    /// Wakes the thread, or starts it.
    pub(crate) fn wake(&self) {
        let mut phase = self.phase();
        if *phase == Phase::NotStarted
            && let Some(storage) = self.storage.clone()
        {
            let thread = std::thread::Builder::new().name("sessile-sweeper".into());
            if thread.spawn(move || run(&storage)).is_ok() {
                *phase = Phase::Running;
            } else {
                // No thread to be had just now. Readers do not depend on it, and the next deadline tries again.
                self.next.store(u64::MAX, Ordering::Relaxed);
            }
        }
        self.changed.notify_one();
    }

    /// As if the thread had been started.
    #[cfg(test)]
    pub(crate) fn pretend(&self) {
        *self.phase() = Phase::Running;
    }

    /// The moment, in milliseconds, at which the thread looks next.
    #[cfg(test)]
    pub(crate) fn next(&self) -> u64 {
        self.next.load(Ordering::Relaxed)
    }

    /// Ends the thread.
    pub(crate) fn stop(&self) {
        *self.phase() = Phase::Stopped;
        self.changed.notify_one();
    }

    /// Takes out what has expired, and finds out when the next does. Returns whether the storage is still there: it
    /// is held only while a shard is looked into, so that it can go at any time.
    pub(crate) fn round(&self, storage: &Weak<Shared>) -> bool {
        self.next.store(u64::MAX, Ordering::Relaxed);
        for index in 0.. {
            let Some(storage) = storage.upgrade() else { return false };
            let Some(shard) = storage.shards.get(index) else { break };
            while shard.sweep_slice(usize::MAX, &mut Vec::new()) {}
            if let Some(end) = shard.step(|state, _| state.next_end()) {
                self.next.fetch_min(end.as_millis(), Ordering::Relaxed);
            }
        }
        true
    }

    fn phase(&self) -> MutexGuard<'_, Phase> {
        self.phase.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sleeps until the next round is due, and returns whether there is to be one.
    fn sleep(&self, clock: &dyn Clock) -> bool {
        let running = |phase: &mut Phase| *phase == Phase::Running;
        let pause = self.changed.wait_timeout_while(self.phase(), PAUSE, running);
        let (mut phase, _) = pause.unwrap_or_else(PoisonError::into_inner);
        while *phase == Phase::Running {
            // Whoever brings an earlier moment sets `next` first and notifies under the mutex, which is ours until
            // we wait.
            let next = match self.next.load(Ordering::Relaxed) {
                u64::MAX => LOOK_AGAIN,
                moment => clock.now().until(Timestamp::from_millis(moment)),
            };
            if next.is_zero() {
                return true;
            }
            let slept = self.changed.wait_timeout(phase, next.min(LOOK_AGAIN));
            (phase, _) = slept.unwrap_or_else(PoisonError::into_inner);
        }
        false
    }
}

/// The thread.
fn run(storage: &Weak<Shared>) {
    let Some(settings) = storage.upgrade().map(|storage| Arc::clone(&storage.settings)) else {
        return;
    };
    while settings.sweeper.round(storage) && settings.sweeper.sleep(&*settings.clock) {}
}
