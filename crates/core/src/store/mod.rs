//! Storages made of a store of records with conditional writes and of separate locks.
//!
//! [`Storage`](crate::Storage) requires atomic steps over record and lock. [`LockedStore`] makes a storage of two parts
//! that each do less: a [`RecordStore`], for which any database with conditional writes will do, and [`Locks`], such as
//! the [`LocalLocks`] of this process. Every write names the version that it replaces, which makes the two parts as
//! safe as one: the locks serialise visits, and the versions prevent lost updates if a lock fails.

mod entry;
mod local_locks;
mod locked;
mod locks;
mod record_store;

pub use self::entry::{Applied, Entry, EntryHead, EntryList, EntryVersion};
pub use self::local_locks::{LocalLocks, LocalLocksBuilder};
#[cfg(any(test, feature = "__fuzzing"))]
pub(crate) use self::locked::fuzzing as locked_fuzzing;
pub use self::locked::{LockedStore, LockedStoreBuilder};
pub use self::locks::Locks;
pub use self::record_store::RecordStore;
