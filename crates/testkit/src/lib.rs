#![doc = include_str!("../README.md")]

mod broken;
mod cases;
mod counting;
mod faulty;
mod history;
mod kit;
mod model;
pub mod process;
#[cfg(feature = "redis-fixtures")]
pub mod redis;
mod rng;
mod slow;
mod stores;
pub mod torture;

pub use self::broken::{Broken, Bug};
pub use self::counting::{Calls, Counting, Counts};
pub use self::faulty::{Fault, Faults, Faulty};
pub use self::history::{
    Call, CallResult, Completion, History, Lost, Mark, Promise, RecordedCall, Recorder, Recording, Seen, Setback,
    Summary, Tolerance, Violation, Violations, Write,
};
pub use self::kit::{Case, Profile, Subject, Sweep, Time};
pub use self::model::{Attempt, Correct, ModelState, ModelStorage, Rotation, Rules};
pub use self::rng::seed;
pub use self::slow::{Delays, Slow};
pub use self::stores::{BrokenStore, ModelStore, StoreBug, StoreCase, StoreSubject};
pub use sessile_core::Operation;

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Locks a mutex whose data is always valid, so that poisoning does not matter.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Items that the macros use.
#[doc(hidden)]
pub mod __private {
    pub use tokio;

    pub use crate::kit::run;
    pub use crate::stores::run_store;
}
