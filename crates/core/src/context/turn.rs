//! Taking turns: calls of one visit that start, close or update follow each other.

use std::time::Duration;

use tokio::sync::MutexGuard;
use tokio::time::{Instant, timeout};

use super::{Context, current};
use crate::error::SessionError;

/// A visit's turn to start, close or update.
pub(super) struct Turn<'a> {
    /// Nested inside an update there was none to wait for.
    _guard: Option<MutexGuard<'a, ()>>,
    /// For how long the lock may still be waited for.
    pub(super) patience: Duration,
}

impl Context {
    /// Takes the turn if it is free, or nobody has to wait for it.
    pub(super) fn turn_at_once(&self) -> Option<Turn<'_>> {
        let guard = match current::is_updating(self) {
            true => None,
            false => Some(self.gate.try_lock().ok()?),
        };
        Some(Turn {
            _guard: guard,
            patience: self.engine.lock_wait,
        })
    }

    /// Waits for the calls that came before, at most for as long as for a lock: a call that an update waits for, and
    /// that waits for that update, would wait for ever.
    pub(super) async fn turn(&self) -> Result<Turn<'_>, SessionError> {
        if let Some(turn) = self.turn_at_once() {
            return Ok(turn);
        }
        let wait = self.engine.lock_wait;
        let began = Instant::now();
        // Those who have to wait can as well allocate what it takes.
        let guard = match tokio::runtime::Handle::try_current() {
            Ok(_) => Box::pin(timeout(wait, self.gate.lock())).await,
            // Without a runtime there is no timer.
            Err(_) => Ok(Box::pin(self.gate.lock()).await),
        };
        let guard = guard.map_err(|_| SessionError::LockTimeout)?;
        Ok(Turn {
            _guard: Some(guard),
            patience: wait.saturating_sub(began.elapsed()),
        })
    }
}
