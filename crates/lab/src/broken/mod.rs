//! Storages with one bug each, which prove that the cases find it.

mod bug;
mod facts;
mod full;
mod immediate;
mod lifetime;
mod locking;
mod locks;
mod reading;
mod records;
mod replace;
mod rotate;
mod rules;
mod scanning;
mod storage;
mod touch;
mod usage;
mod watch;

use std::time::Duration;

use sessile_core::{LockId, StorageErrorKind};
use sessile_testkit::model::ModelState;

pub use self::bug::Bug;
pub use self::storage::Broken;
pub use self::watch::Watched;

/// The pause within a step, in which other tasks run.
const MOMENT: Duration = Duration::from_millis(1);

/// The result of a write as a rule of the model.
type WriteResult = Result<(), StorageErrorKind>;

/// Returns whether the lock has the current token, even if the lease has ended.
fn has_token(state: &ModelState, lock: &LockId) -> bool {
    state
        .locks
        .get(&lock.key)
        .is_some_and(|holder| holder.token == lock.token)
}
