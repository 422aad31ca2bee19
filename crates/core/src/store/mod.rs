//! The easier door to the storage contract: a store of records with conditional writes, and locks beside it.
//!
//! [`Storage`](crate::Storage) asks for data and lock in one atomic step. [`Paired`] makes a storage of two parts that
//! each do less: a [`RecordStore`], which any database with conditional writes can be, and [`Locks`], such as the
//! [`LocalLocks`] of this process. What makes two parts as safe as one is that every write names the version it
//! replaces: the lock keeps visits from getting in each other's way, and the version keeps them from harming each
//! other should the lock fail.

mod entry;
mod local_locks;
mod locked;
mod locks;
mod record_store;

pub use self::entry::{Applied, Entry, EntryHead, EntryList, EntryVersion};
pub use self::local_locks::{LocalLocks, LocalLocksBuilder};
#[cfg(fuzzing)]
pub(crate) use self::locked::fuzzing as locked_fuzzing;
pub use self::locked::{Paired, PairedBuilder};
pub use self::locks::Locks;
pub use self::record_store::RecordStore;
