#![doc = include_str!("../README.md")]

mod broken;
mod broken_stores;
pub mod population;
pub mod process;
pub mod redis;
pub mod state_text;

pub use self::broken::{Broken, Bug, Watched};
pub use self::broken_stores::{BrokenStore, StoreBug};

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Locks a mutex whose data is always valid, so that poisoning does not matter.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
