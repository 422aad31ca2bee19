//! Changing a value in place, which takes a moment in which code of the application runs.
//!
//! Tasks that share a visit through its handle may change the same value at once. While one has a value in hand to
//! make another of it, others who want to do the same to it wait, so that no change is lost; those who are at other
//! values, or just set this one, do not. Nothing is locked meanwhile: the code of the application may use the session, and
//! may wait for others who do.
//!
//! What is set while a value is in hand counts as set after it was changed: it stays, and what the change has made of the
//! value from before is not stored. Everybody else sees just that order, as nobody has seen the changed value.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{MutexGuard, PoisonError};
use std::thread::{self, ThreadId};
use std::time::{Duration, Instant};

use super::Context;
use super::state::State;
use crate::contents::AsOf;
use crate::error::SessionError;
use crate::expiration::DAY;

/// Which values are being changed, and by which threads.
#[derive(Debug, Default)]
pub(super) struct Changes {
    /// Mostly there is but one, which takes no allocation.
    first: Option<Change>,
    others: Vec<Change>,
    /// How many threads wait for one of these.
    waiting: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Change {
    value: ValueHash,
    by: ThreadId,
}

/// Stands for a value. That two values share one, which is next to impossible, would make one wait for the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ValueHash(u64);

impl ValueHash {
    pub(super) fn of(namespace: Option<&str>, name: &str) -> Self {
        let mut hasher = DefaultHasher::new();
        (namespace, name).hash(&mut hasher);
        Self(hasher.finish())
    }
}

impl Changes {
    fn find(&self, value: ValueHash) -> Option<Change> {
        let mut all = self.first.iter().chain(&self.others);
        all.find(|change| change.value == value).copied()
    }

    fn add(&mut self, change: Change) {
        match self.first {
            None => self.first = Some(change),
            Some(_) => self.others.push(change),
        }
    }

    fn remove(&mut self, value: ValueHash) {
        match self.first {
            Some(first) if first.value == value => self.first = None,
            _ => self.others.retain(|change| change.value != value),
        }
    }
}

impl Context {
    /// Takes a value in hand until the result is dropped. Waits for who has it, at most for as long as for a lock; who
    /// has it himself would wait for ever, and fails at once.
    pub(super) fn begin_change(&self, value: ValueHash) -> Result<Changing<'_>, SessionError> {
        let by = thread::current().id();
        let mut until = None;
        loop {
            let now = self.engine.storage.clock().now();
            let mut state = self.state();
            let Some(other) = state.changes.find(value) else {
                let at = state.writable_at(self, now)?;
                state.changes.add(Change { value, by });
                return Ok(Changing {
                    context: self,
                    value,
                    term: state.term,
                    at,
                });
            };
            // Nobody waits for longer than a day, and adding more to a moment could overflow.
            let until = *until.get_or_insert_with(|| Instant::now() + self.engine.lock_wait.min(DAY));
            let left = until.saturating_duration_since(Instant::now());
            if other.by == by || left == Duration::ZERO {
                drop(state);
                return Err(SessionError::LockTimeout);
            }
            state.changes.waiting += 1;
            let waited = self.value_free.wait_timeout(state, left);
            let (mut state, _) = waited.unwrap_or_else(PoisonError::into_inner);
            state.changes.waiting -= 1;
        }
    }
}

/// A value that is in hand.
pub(super) struct Changing<'a> {
    context: &'a Context,
    value: ValueHash,
    /// The moment by which the value is judged, before it is changed and after.
    pub(super) at: AsOf,
    term: u64,
}

impl Changing<'_> {
    /// The state, if the lock is still the one under which the change was begun. Otherwise what the change was made
    /// from is out of date, or belongs to a session that is no more.
    pub(super) fn finish(&self) -> Result<MutexGuard<'_, State>, SessionError> {
        let state = self.context.state();
        match state.term == self.term {
            true => Ok(state),
            false => Err(SessionError::NotWritable),
        }
    }
}

impl Drop for Changing<'_> {
    fn drop(&mut self) {
        let mut state = self.context.state();
        state.changes.remove(self.value);
        // Waking costs a system call even if nobody waits.
        if state.changes.waiting > 0 {
            self.context.value_free.notify_all();
        }
    }
}
