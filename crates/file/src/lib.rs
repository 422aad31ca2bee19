// Definitions before the page take the place of its own, which lead to docs.rs from other places.
//! [`Durability`]: Durability
//! [`Durability::Sync`]: Durability::Sync
//! [`Durability::Relaxed`]: Durability::Relaxed
//! [`FileLocks`]: FileLocks
#![doc = include_str!("../README.md")]

#[cfg(not(unix))]
compile_error!("sessile-file relies on the file semantics of Unix: renaming over open files, modes, syncing folders");

mod builder;
mod clocks;
mod durability;
mod failure;
mod files;
mod folder;
#[cfg(any(test, feature = "__fuzzing"))]
#[doc(hidden)]
pub mod fuzzing;
#[cfg(target_os = "linux")]
mod hints;
mod lock;
mod locks;
mod shared;
mod storage;
mod sweeper;
mod threads;
mod wait_queues;

#[cfg(test)]
mod tests;

pub use self::builder::FileStorageBuilder;
pub use self::durability::Durability;
pub use self::files::quarantine::{QuarantineReason, QuarantinedFile};
pub use self::locks::FileLocks;
pub use self::locks::builder::FileLocksBuilder;
pub use self::storage::FileStorage;
