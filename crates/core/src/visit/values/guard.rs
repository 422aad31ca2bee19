//! Changing a value in place, which takes a moment in which code of the application runs.
//!
//! Tasks that share a visit through its handle may change the same value at once. While one has a value in hand to
//! make another of it, others who want to do the same to it wait, so that no change is lost; those who are at other
//! values, or just set this one, do not. Nothing is locked meanwhile: the code of the application may use the session, and
//! may wait for others who do.
//!
//! What is set while a value is in hand counts as set after it was changed: it stays, and what the change has made of the
//! value from before is not stored. Everybody else sees just that order, as nobody has seen the changed value.

use std::sync::{MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crate::error::SessionError;
use crate::expiration::DAY;
use crate::payload::AsOf;
use crate::visit::Context;
use crate::visit::state::State;
use crate::visit::value_locks::{ValueHash, ValueLock};

impl Context {
    /// Takes a value in hand until the result is dropped. Waits for who has it, at most for as long as for a lock; who
    /// has it himself would wait for ever, and fails at once.
    pub(in crate::visit) fn lock_value(&self, value: ValueHash) -> Result<ValueGuard<'_>, SessionError> {
        let by = thread::current().id();
        let mut until = None;
        loop {
            let now = self.settings.storage.clock().now();
            let mut state = self.state();
            let Some(other) = state.value_locks.find(value) else {
                let at = state.writable_at(self, now)?;
                state.value_locks.add(ValueLock { value, by });
                return Ok(ValueGuard {
                    context: self,
                    value,
                    term: state.term,
                    at,
                });
            };
            // Nobody waits for longer than a day, and adding more to a moment could overflow.
            let until = *until.get_or_insert_with(|| Instant::now() + self.settings.lock_wait.min(DAY));
            let left = until.saturating_duration_since(Instant::now());
            if other.by == by || left == Duration::ZERO {
                drop(state);
                return Err(SessionError::LockTimeout);
            }
            state.value_locks.waiting += 1;
            let waited = self.value_free.wait_timeout(state, left);
            let (mut state, _) = waited.unwrap_or_else(PoisonError::into_inner);
            state.value_locks.waiting -= 1;
        }
    }
}

/// A value that is in hand.
pub(in crate::visit) struct ValueGuard<'a> {
    context: &'a Context,
    value: ValueHash,
    /// The moment by which the value is judged, before it is changed and after.
    pub(in crate::visit) at: AsOf,
    term: u64,
}

impl ValueGuard<'_> {
    /// The state, if the lock is still the one under which the change was begun. Otherwise what the change was made
    /// from is out of date, or belongs to a session that is no more.
    pub(in crate::visit) fn finish(&self) -> Result<MutexGuard<'_, State>, SessionError> {
        let state = self.context.state();
        match state.term == self.term {
            true => Ok(state),
            false => Err(SessionError::NotWritable),
        }
    }
}

impl Drop for ValueGuard<'_> {
    fn drop(&mut self) {
        let mut state = self.context.state();
        state.value_locks.remove(self.value);
        // Waking costs a system call even if nobody waits.
        if state.value_locks.waiting > 0 {
            self.context.value_free.notify_all();
        }
    }
}
