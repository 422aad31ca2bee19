#![doc = include_str!("../README.md")]

mod builder;
mod codec;
mod failure;
mod file;
mod record_store;
mod storage;
mod store;
mod tables;
mod transactions;
mod usage;
mod write_queue;

pub use self::builder::RedbStorageBuilder;
pub use self::storage::RedbStorage;
pub use self::store::RedbStore;
