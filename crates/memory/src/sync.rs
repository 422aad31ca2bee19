//! What the shards synchronise by, which the interleaving checker takes the place of.
//!
//! The unit tests of this crate run the storage under [shuttle](https://docs.rs/shuttle), which schedules the
//! threads of a test itself. Programs, integration tests and examples get the standard library's.

use std::sync::PoisonError;
#[cfg(not(test))]
pub(crate) use std::sync::{Mutex, MutexGuard, atomic::AtomicU64};

#[cfg(test)]
pub(crate) use shuttle::sync::{Mutex, MutexGuard, atomic::AtomicU64};

/// Locks a mutex whether or not a thread has panicked while it held it.
///
/// What runs under the lock of a shard changes it in steps that cannot fail half-way; the only code of others that
/// runs there is the clock, which is asked before anything is changed.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
