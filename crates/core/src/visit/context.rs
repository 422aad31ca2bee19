//! [`Context`]: the state of one visit.
//!
//! The state is shared by everything that works on the visit: the future that [`Session::init`](crate::Session::init)
//! runs and every holder of a [`Handle`](super::Handle). Its mutex is held briefly, never across an await and never
//! while code of the application runs.

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use crate::settings::Settings;
use crate::visit::Visit;
use crate::visit::state::State;

/// A running visit: its session's settings and its state.
pub(crate) struct Context {
    pub(crate) settings: Arc<Settings>,
    state: Mutex<State>,
    /// `true` if the visit may have been used already.
    pub(super) begun: AtomicBool,
    /// `true` if the work of the visit was the first use of it and has not returned `Pending` so far. For such a visit
    /// no time passes: it ends at the time at which it began.
    pub(super) never_pended: AtomicBool,
    /// `true` if the visit may be used outside of its task without entering a scope.
    pub(super) used_elsewhere: AtomicBool,
    /// The number of scopes of the visit, in addition to its own work.
    pub(super) scopes: AtomicUsize,
    /// Notified when a value is unlocked for which other threads wait.
    pub(super) value_free: Condvar,
}

impl Context {
    pub(super) fn new(settings: Arc<Settings>, visit: Visit) -> Arc<Self> {
        Arc::new(Self {
            settings,
            begun: AtomicBool::new(false),
            never_pended: AtomicBool::new(false),
            state: Mutex::new(State::new(visit)),
            used_elsewhere: AtomicBool::new(false),
            scopes: AtomicUsize::new(0),
            value_free: Condvar::new(),
        })
    }

    /// Marks the beginning of the visit's work.
    pub(super) fn begin_work(&self) {
        let is_first = !self.begun.load(Ordering::Relaxed);
        // Relaxed: these flags only decide whether the clock is read again; no other data is published through them.
        self.begun.store(true, Ordering::Relaxed);
        self.never_pended.store(is_first, Ordering::Relaxed);
    }

    /// Marks that the work returned `Pending`, or that the visit may have been used before it.
    pub(super) fn mark_pended(&self) {
        self.begun.store(true, Ordering::Relaxed);
        self.never_pended.store(false, Ordering::Relaxed);
    }

    /// Locks the state. It is consistent even if the mutex is poisoned, as no code that can panic midway runs under it.
    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let snapshot = self.state().debug_snapshot();
        f.debug_struct("Context")
            .field("state", &snapshot)
            .finish_non_exhaustive()
    }
}
