//! What one visit knows of its session.
//!
//! A context is shared by everything that works on one visit: the future that [`Session::init`](crate::Session::init)
//! runs, and whatever it hands its [`Handle`] to. Its state stands behind a mutex that is held for moments only, never
//! across an await and never while code of the application runs.

mod asking;
mod candidates;
mod changing;
mod close_at_once;
mod closed;
mod codec;
mod commit;
mod current;
mod destroy;
mod end;
mod entry;
mod handle;
mod in_place;
mod limits;
mod loading;
mod naming;
mod open;
mod orphan;
mod outcome;
mod plan;
mod rare;
mod renewal;
mod scope;
mod slide;
mod start_at_once;
mod started;
mod state;
mod transitions;
mod turn;
mod update;
mod values;
mod visits;
mod work;

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

pub(crate) use self::current::{current, find_engine, innermost};
pub use self::handle::{Handle, InSession};
pub use self::open::{Ended, OpenVisit};
pub use self::outcome::{IdChange, Outcome, WindowChange};
pub use self::scope::Scoped;
pub(crate) use self::state::Phase;
use self::state::State;
pub(crate) use self::values::Place;
pub use self::visits::Visits;
pub use self::work::Work;
use crate::session::Engine;
use crate::visit::Visit;

/// One visit's acquaintance with its session.
pub(crate) struct Context {
    pub(crate) engine: Arc<Engine>,
    state: Mutex<State>,
    /// Whether anybody can have begun to use the visit.
    begun: AtomicBool,
    /// Whether the visit began with its work, which has not had to wait for anything so far: it then ends at the moment it
    /// began.
    at_once: AtomicBool,
    /// Whether others than the task of the visit may use it without entering a scope.
    used_elsewhere: AtomicBool,
    /// How many scopes work on the visit, beside its own work.
    scopes: AtomicUsize,
    /// Woken when somebody is done with a value that others wait to change.
    value_free: Condvar,
}

impl Context {
    fn new(engine: Arc<Engine>, visit: Visit) -> Arc<Self> {
        Arc::new(Self {
            engine,
            begun: AtomicBool::new(false),
            at_once: AtomicBool::new(false),
            state: Mutex::new(State::new(visit)),
            used_elsewhere: AtomicBool::new(false),
            scopes: AtomicUsize::new(0),
            value_free: Condvar::new(),
        })
    }

    /// The work of the visit begins. It ends at this moment if nobody has begun before.
    fn begin_work(&self) {
        let is_first = !self.begun.load(Ordering::Relaxed);
        self.begun.store(true, Ordering::Relaxed);
        self.at_once.store(is_first, Ordering::Relaxed);
    }

    /// The work of the visit had to wait for something, or others may have begun before it.
    fn goes_on_for_a_while(&self) {
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
