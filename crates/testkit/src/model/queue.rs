//! Waiting for a lock, in order of arrival.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use sessile_core::{
    Clock, LockId, LockToken, Lookup, OsEntropy, SessionKey, StorageErrorKind, Stored, Timestamp, Unlock,
};
use tokio::sync::watch;
use tokio::time::Instant;

use crate::locked;
use crate::model::{Attempt, ModelState, Rules};

/// The data that the handles of a model storage share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) rules: Arc<dyn Rules>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) lease: Duration,
    pub(super) tombstone: Duration,
    pub(super) max_waiters: usize,
    pub(super) inner: Mutex<Inner>,
    /// Notifies all waiters of any change, and each of them checks again. This is slow, but simple.
    pub(super) changes: watch::Sender<u64>,
}

#[derive(Debug, Default)]
pub(super) struct Inner {
    pub(super) state: ModelState,
    queues: BTreeMap<SessionKey, VecDeque<u64>>,
    arrivals: u64,
}

/// The entry of a waiter in the queue of a key. Dropping the guard removes it.
struct QueueGuard<'a> {
    shared: &'a Shared,
    at: Option<(SessionKey, u64)>,
}

impl Drop for QueueGuard<'_> {
    fn drop(&mut self) {
        if self.at.is_some() && self.shared.rules.leaves_queue_when_dropped() {
            self.shared.change(|inner| inner.remove_waiter(self.at.take()));
        }
    }
}

impl Unlock for Shared {
    fn unlock(&self, lock_id: LockId) {
        self.change(|inner| self.rules.dropped(&mut inner.state, &lock_id));
    }
}

impl Shared {
    /// Changes the state in one step and notifies all waiters.
    pub(super) fn change<T>(&self, step: impl FnOnce(&mut Inner) -> T) -> T {
        let result = step(&mut locked(&self.inner));
        self.changes.send_modify(|changes| *changes += 1);
        result
    }

    pub(super) async fn lock(
        &self,
        key: &SessionKey,
        wait: Duration,
    ) -> Result<Lookup<(LockToken, Stored)>, StorageErrorKind> {
        let arrival = Instant::now();
        let mut changes = self.changes.subscribe();
        let mut guard = QueueGuard { shared: self, at: None };
        loop {
            changes.mark_unchanged();
            let token = LockToken::generate(&OsEntropy);
            let until = match self.attempt(key, token, &mut guard.at)? {
                Lookup::Missing => return Ok(Lookup::Missing),
                Lookup::Superseded => return Ok(Lookup::Superseded),
                Lookup::Found(Attempt::Taken(stored)) => {
                    // The new head of the queue has to learn when the lease ends.
                    self.changes.send_modify(|changes| *changes += 1);
                    return Ok(Lookup::Found((token, stored)));
                }
                Lookup::Found(Attempt::Busy(until)) => until,
            };
            let left = wait.saturating_sub(arrival.elapsed());
            if left.is_zero() {
                return Err(StorageErrorKind::LockTimeout);
            }
            // At least one millisecond, so that a clock between two milliseconds does not cause a busy loop.
            let until = self.clock.now().until(until).max(Duration::from_millis(1));
            tokio::select! {
                _ = changes.changed() => {}
                () = tokio::time::sleep(left.min(until)) => {}
            }
        }
    }

    /// Waits until no lock is held, at most for `patience`, then removes the remaining locks.
    pub(super) async fn drain(&self, patience: Duration) {
        let start = Instant::now();
        let mut changes = self.changes.subscribe();
        loop {
            changes.mark_unchanged();
            let now = self.clock.now();
            let held = |inner: &Inner| inner.state.locks.values().map(|holder| now.until(holder.until)).max();
            let longest = held(&locked(&self.inner)).unwrap_or_default();
            let left = patience.saturating_sub(start.elapsed());
            if longest.is_zero() || left.is_zero() {
                break;
            }
            tokio::select! {
                _ = changes.changed() => {}
                () = tokio::time::sleep(left.min(longest)) => {}
            }
        }
        self.change(|inner| inner.state.locks.clear());
    }

    /// Takes the lock if it is free and no earlier waiter is queued. Otherwise joins or keeps its place in the queue,
    /// and returns when to check again without a notification.
    fn attempt(
        &self,
        key: &SessionKey,
        token: LockToken,
        at: &mut Option<(SessionKey, u64)>,
    ) -> Result<Lookup<Attempt>, StorageErrorKind> {
        let inner = &mut *locked(&self.inner);
        let now = self.clock.now();
        let actual = inner.state.find(key, now);
        if at.is_some_and(|(queue, _)| actual != Lookup::Found(queue)) {
            inner.remove_waiter(at.take());
        }
        let mut wake = Timestamp::MAX;
        if inner.is_first(&actual, *at) {
            match self.rules.lock(&mut inner.state, key, token, self.lease, now) {
                Lookup::Found(Attempt::Busy(until)) => wake = until,
                result => {
                    inner.remove_waiter(at.take());
                    return Ok(result);
                }
            }
        }
        let Lookup::Found(actual) = actual else {
            return Ok(Lookup::Found(Attempt::Busy(wake)));
        };
        // The deadline of the record ends a wait too.
        let deadline = inner.state.records.get(&actual).and_then(|record| record.meta.deadline);
        if at.is_none() {
            let queue = inner.queues.entry(actual).or_default();
            if !self.rules.admits(queue.len(), self.max_waiters) {
                return Err(StorageErrorKind::TooManyWaiters);
            }
            inner.arrivals += 1;
            self.rules.enqueue(queue, inner.arrivals);
            *at = Some((actual, inner.arrivals));
        }
        let wake = wake.min(deadline.unwrap_or(Timestamp::MAX));
        Ok(Lookup::Found(Attempt::Busy(wake)))
    }
}

impl Inner {
    fn is_first(&self, actual: &Lookup<SessionKey>, at: Option<(SessionKey, u64)>) -> bool {
        let Lookup::Found(actual) = actual else { return true };
        match (self.queues.get(actual), at) {
            (Some(queue), Some((_, arrival))) => queue.front() == Some(&arrival),
            (Some(queue), None) => queue.is_empty(),
            (None, _) => true,
        }
    }

    fn remove_waiter(&mut self, at: Option<(SessionKey, u64)>) {
        let Some((key, arrival)) = at else { return };
        if let Some(queue) = self.queues.get_mut(&key) {
            queue.retain(|waiter| *waiter != arrival);
            if queue.is_empty() {
                self.queues.remove(&key);
            }
        }
    }

    pub(super) fn footprint(&self) -> usize {
        self.state.footprint() + self.queues.len()
    }
}
