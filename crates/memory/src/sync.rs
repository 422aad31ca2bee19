//! The synchronisation primitives of the shards, which the unit tests replace.
//!
//! The unit tests of this crate run the storage under [shuttle](https://docs.rs/shuttle), which schedules the
//! threads of a test itself. Programs, integration tests and examples use those of the standard library.

use std::sync::PoisonError;
#[cfg(not(test))]
pub(crate) use std::sync::{Mutex, MutexGuard, atomic::AtomicU64};

#[cfg(test)]
pub(crate) use shuttle::sync::{Mutex, MutexGuard, atomic::AtomicU64};

/// Locks a mutex, poisoned or not.
///
/// A step cannot panic half-way through a change: the only foreign code that runs under the mutex of a shard is the
/// clock, and it is asked before anything is changed.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
