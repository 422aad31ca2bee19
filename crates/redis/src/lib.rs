#![doc = include_str!("../README.md")]

mod acquire;
mod again;
mod answer;
mod background;
mod builder;
mod check;
mod clock;
mod conditions;
mod credentials;
mod durable;
mod engine;
mod error;
mod follow;
#[cfg(any(test, fuzzing))]
#[doc(hidden)]
pub mod fuzzing;
mod give_back;
mod held;
mod keys;
mod layout;
mod limits;
mod locks;
mod missed;
mod net;
mod position;
mod probe;
mod replace;
mod rotate;
mod scan;
mod script;
mod servers;
mod storage;
mod wait;
mod write;

pub use self::builder::RedisStorageBuilder;
pub use self::check::Finding;
pub use self::credentials::{Credentials, CredentialsProvider};
pub use self::durable::{ReplicationShortfall, Shortfall};
pub use self::locks::{RedisLocks, RedisLocksBuilder};
pub use self::servers::RedisServers;
pub use self::storage::RedisStorage;
