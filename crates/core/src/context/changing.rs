//! Changing values in place, one thread at a time.
//!
//! Tasks that share a visit through its handle may change the same value at once. While one has a value in hand to
//! make another of it, the others wait, so that no change is lost. The thread that has it may go on to change other
//! values meanwhile.

use std::sync::{MutexGuard, PoisonError};
use std::thread::{self, ThreadId};

use super::Context;
use super::state::State;
use crate::contents::AsOf;
use crate::error::SessionError;

impl Context {
    /// The state, once no other thread is in the middle of a change.
    pub(super) fn wait_for_values(&self) -> MutexGuard<'_, State> {
        let mut state = self.state();
        if state.writer.is_some() {
            let me = thread::current().id();
            while state.writer.is_some_and(|(writer, _)| writer != me) {
                state.waiting_writers += 1;
                state = self.value_free.wait(state).unwrap_or_else(PoisonError::into_inner);
                state.waiting_writers -= 1;
            }
        }
        state
    }

    /// Keeps other threads from changing values until the result is dropped.
    pub(super) fn begin_change(&self) -> Result<Changing<'_>, SessionError> {
        let mut state = self.wait_for_values();
        let at = state.writable_at(self)?;
        let me = thread::current().id();
        let depth = state.writer.map_or(0, |(_, depth)| depth);
        state.writer = Some((me, depth + 1));
        Ok(Changing {
            context: self,
            me,
            term: state.term,
            at,
        })
    }
}

/// A thread in the middle of a change.
pub(super) struct Changing<'a> {
    context: &'a Context,
    me: ThreadId,
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
        let depth = state.writer.map_or(0, |(_, depth)| depth.saturating_sub(1));
        state.writer = (depth > 0).then_some((self.me, depth));
        // Waking costs a system call even if nobody waits.
        if depth == 0 && state.waiting_writers > 0 {
            self.context.value_free.notify_all();
        }
    }
}
