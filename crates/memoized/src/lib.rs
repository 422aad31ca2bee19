#![doc = include_str!("../README.md")]

mod builder;
mod cache;
mod load;
mod probe;
mod segment;
mod stats;
mod storage;
mod write;

pub use self::builder::MemoizedStorageBuilder;
pub use self::probe::{Probe, Probed};
pub use self::stats::MemoizedStats;
pub use self::storage::MemoizedStorage;
