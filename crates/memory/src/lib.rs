#![doc = include_str!("../README.md")]

mod acquire;
mod alarm;
mod builder;
mod capacity;
mod deadlines;
mod deferred;
mod drain;
mod entry;
mod immediate;
mod index;
#[cfg(test)]
mod interleavings;
mod locking;
mod moved;
mod operations;
mod options;
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

pub use self::builder::MemoryStorageBuilder;
pub use self::stats::MemoryStats;
pub use self::storage::MemoryStorage;
