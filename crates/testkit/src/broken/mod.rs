//! Storages with one bug each, which prove that the cases find it.

mod at_once;
mod bug;
mod full;
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

use std::time::Duration;

pub use self::bug::Bug;
pub use self::storage::Broken;

/// The pause within a step, in which other tasks run.
const MOMENT: Duration = Duration::from_millis(1);
