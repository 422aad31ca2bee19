//! Storages that are wrong on purpose, each in one way: to prove that tests notice.

mod at_once;
mod bug;
mod full;
mod locking;
mod locks;
mod records;
mod replace;
mod rotate;
mod rules;
mod scanning;
mod storage;
mod touch;
mod usage;

pub use self::bug::Bug;
pub use self::storage::Broken;
