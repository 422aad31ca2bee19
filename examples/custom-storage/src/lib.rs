//! A storage of one's own: sessions in [redb], an embedded database with transactions.
//!
//! [`RedbStore`] is a [`RecordStore`](sessile_core::RecordStore), the easier of the two doors to the storage contract.
//! Paired with locks it is a storage:
//!
//! ```
//! use custom_storage::RedbStore;
//! use sessile_core::{LocalLocks, Paired, Session};
//!
//! # let folder = std::env::temp_dir().join(format!("custom-storage-doc-{}", std::process::id()));
//! # std::fs::create_dir_all(&folder)?;
//! # let path = folder.join("sessions.redb");
//! let storage = Paired::new(RedbStore::open(path)?, LocalLocks::new());
//! let session: Session = Session::builder(storage).build();
//! # drop(session);
//! # std::fs::remove_dir_all(&folder)?;
//! # Ok::<_, Box<dyn std::error::Error>>(())
//! ```
//!
//! Read it in this order: `verbs` is the contract, each verb a few lines; `tables` is what these lines are made of;
//! `head` says how an entry is written down; `background` keeps what blocks off the async threads and
//! `turns` brings it into an order; `failure` says which
//! error is which; `file` is about opening the database; `usage` is a capability, which not every
//! store has.
//!
//! [redb]: https://docs.rs/redb

mod background;
mod failure;
mod file;
mod head;
mod store;
mod tables;
mod turns;
mod usage;
mod verbs;

pub use self::store::RedbStore;
