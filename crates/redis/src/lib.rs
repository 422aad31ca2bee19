#![doc = include_str!("../README.md")]

mod acquire;
mod answer;
mod builder;
mod clock;
mod engine;
mod error;
mod keys;
mod layout;
mod net;
mod scan;
mod script;
mod storage;
mod wait;

pub use self::builder::RedisStorageBuilder;
pub use self::storage::RedisStorage;
