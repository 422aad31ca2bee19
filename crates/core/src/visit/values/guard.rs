//! Locks on values that are being changed in place, while code of the application runs.
//!
//! Tasks that share a visit may change the same value concurrently. While one changes a value, other tasks that want to
//! change it in place wait, so that no change is lost. Changes of other values, and plain sets of the same value, do
//! not wait. The state is not locked meanwhile: the code of the application may use the session, and may wait for other
//! tasks that use it.
//!
//! A set during a change counts as later: it stays, and the result of the change is not stored. That order is
//! consistent for all observers, as no task has seen the changed value.

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
    /// Locks a value until the guard is dropped. Waits for the holder, at most as long as for a session's lock; fails
    /// immediately if the current thread is the holder, which would deadlock.
    pub(in crate::visit) fn lock_value(&self, value: ValueHash) -> Result<ValueGuard<'_>, SessionError> {
        let holder = thread::current().id();
        let mut until = None;
        loop {
            let now = self.settings.storage.clock().now();
            let mut state = self.state();
            let Some(other) = state.value_locks.find(value) else {
                let at = state.writable_at(self, now)?;
                state.value_locks.add(ValueLock { value, holder });
                return Ok(ValueGuard {
                    context: self,
                    value,
                    term: state.term,
                    at,
                });
            };
            // A wait of a day is as good as unlimited, and adding more to an `Instant` could overflow.
            let until = *until.get_or_insert_with(|| Instant::now() + self.settings.lock_wait.min(DAY));
            let left = until.saturating_duration_since(Instant::now());
            if other.holder == holder || left == Duration::ZERO {
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

/// A lock on a value.
pub(in crate::visit) struct ValueGuard<'a> {
    context: &'a Context,
    value: ValueHash,
    /// The times by which the value is judged, before and after the change.
    pub(in crate::visit) at: AsOf,
    term: u64,
}

impl ValueGuard<'_> {
    /// Returns the state, if the visit is still in the writable phase in which the change began. Otherwise the old
    /// value is outdated, or belongs to another session.
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
        // Notifying costs a system call even if no thread waits.
        if state.value_locks.waiting > 0 {
            self.context.value_free.notify_all();
        }
    }
}
