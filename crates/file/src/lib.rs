#![doc = include_str!("../README.md")]

#[cfg(not(unix))]
compile_error!("sessile-file relies on the file semantics of Unix: renaming over open files, modes, syncing folders");

mod aside;
mod builder;
mod claim;
mod disk;
mod durability;
mod failure;
mod files;
mod folder;
mod format;
#[cfg(any(test, fuzzing))]
#[doc(hidden)]
pub mod fuzzing;
mod instance;
mod layout;
mod leases;
mod locks;
mod lookup;
mod pace;
mod replace;
mod rotate;
mod setting;
mod shared;
mod storage;
mod strays;
mod stripes;
mod sweep;
mod sweeper;
mod threads;
mod uptime;
mod waiters;
mod walk;
mod watch;

#[cfg(test)]
mod tests;

pub use self::aside::{SetAside, SetAsideReason};
pub use self::builder::FileStorageBuilder;
pub use self::durability::Durability;
pub use self::locks::{FileLocks, FileLocksBuilder};
pub use self::storage::FileStorage;
