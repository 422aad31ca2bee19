//! [`Context`]: the state of one visit.
//!
//! It is shared by everything that works on one visit: the future that [`Session::init`](crate::Session::init)
//! runs, and whatever it hands its [`Handle`](super::Handle) to. Its state stands behind a mutex that is held for moments only, never
//! across an await and never while code of the application runs.

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use crate::settings::Settings;
use crate::visit::Visit;
use crate::visit::state::State;

/// One visit's acquaintance with its session.
pub(crate) struct Context {
    pub(crate) settings: Arc<Settings>,
    state: Mutex<State>,
    /// Whether anybody can have begun to use the visit.
    pub(super) begun: AtomicBool,
    /// Whether the visit began with its work, which has not had to wait for anything so far: it then ends at the moment it
    /// began.
    pub(super) at_once: AtomicBool,
    /// Whether others than the task of the visit may use it without entering a scope.
    pub(super) used_elsewhere: AtomicBool,
    /// How many scopes work on the visit, beside its own work.
    pub(super) scopes: AtomicUsize,
    /// Woken when somebody is done with a value that others wait to change.
    pub(super) value_free: Condvar,
}

impl Context {
    pub(super) fn new(settings: Arc<Settings>, visit: Visit) -> Arc<Self> {
        Arc::new(Self {
            settings,
            begun: AtomicBool::new(false),
            at_once: AtomicBool::new(false),
            state: Mutex::new(State::new(visit)),
            used_elsewhere: AtomicBool::new(false),
            scopes: AtomicUsize::new(0),
            value_free: Condvar::new(),
        })
    }

    /// The work of the visit begins. It ends at this moment if nobody has begun before.
    pub(super) fn begin_work(&self) {
        let is_first = !self.begun.load(Ordering::Relaxed);
        self.begun.store(true, Ordering::Relaxed);
        self.at_once.store(is_first, Ordering::Relaxed);
    }

    /// The work of the visit had to wait for something, or others may have begun before it.
    pub(super) fn mark_pended(&self) {
        self.begun.store(true, Ordering::Relaxed);
        self.at_once.store(false, Ordering::Relaxed);
    }

    /// The state stays consistent when a thread panics, as no code that can panic midway runs under the mutex.
    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = self.state().shown();
        f.debug_struct("Context").field("state", &shown).finish_non_exhaustive()
    }
}
