#![doc = include_str!("../README.md")]

mod codec;
mod failure;
mod file;
mod record_store;
mod store;
mod tables;
mod transactions;
mod usage;
mod write_queue;

pub use self::store::{RedbStorage, RedbStore};
