#![doc = include_str!("../README.md")]

mod aftermath;
mod at_once;
mod builder;
mod capacity;
mod deadlines;
mod drain;
mod entry;
mod index;
#[cfg(test)]
mod interleavings;
mod locking;
mod moved;
mod payload;
mod queue;
mod scan;
mod shard;
mod shared;
mod slab;
mod state;
mod stats;
mod storage;
mod sweeper;
mod sync;
mod timer;
mod verbs;
mod waiting;

pub use self::builder::MemoryStorageBuilder;
pub use self::stats::MemoryStats;
pub use self::storage::MemoryStorage;
