#![doc = include_str!("../README.md")]

mod cases;
mod counting;
mod faulty;
pub mod history;
mod kit;
pub mod model;
mod rng;
mod slow;
mod stores;
#[cfg(feature = "torture")]
pub mod torture;

pub use self::counting::{Calls, Counting, Counts};
pub use self::faulty::{Fault, Faults, Faulty};
pub use self::kit::{Case, Profile, Subject, Sweep, Time};
pub use self::model::{ModelStorage, ModelStore};
pub use self::rng::seed;
pub use self::slow::{Delays, Slow};
pub use self::stores::{StoreCase, StoreSubject};
pub use sessile_core::Operation;

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Locks a mutex whose data is always valid, so that poisoning does not matter.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Items that the macros and the tests of this workspace use.
#[doc(hidden)]
pub mod __private {
    pub use tokio;

    pub use crate::kit::run;
    pub use crate::model::store::{due, is, key_in, list};
    pub use crate::stores::run_store;
}
