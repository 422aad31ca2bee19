#![doc = include_str!("../README.md")]

mod aliases;
mod background;
mod builder;
mod call;
mod check;
mod client;
mod clock;
mod codec;
mod conditional_set;
mod connect;
mod credentials;
mod delivery;
mod durability;
mod error;
#[cfg(any(test, feature = "__fuzzing"))]
#[doc(hidden)]
pub mod fuzzing;
mod held;
#[cfg(feature = "__internals")]
#[doc(hidden)]
pub mod internals;
mod keys;
mod lock;
mod locks;
mod net;
mod options;
mod permissions;
mod release;
mod replace;
mod reply;
mod rotate;
mod scan;
mod script;
mod servers;
mod storage;
mod sync;
mod wait;
mod write;

pub use self::builder::RedisStorageBuilder;
pub use self::check::Finding;
pub use self::credentials::{Credentials, CredentialsProvider};
pub use self::durability::{ReplicationShortfall, Shortfall};
pub use self::locks::{RedisLocks, RedisLocksBuilder};
pub use self::servers::{ParseServersError, RedisServers};
pub use self::storage::RedisStorage;
