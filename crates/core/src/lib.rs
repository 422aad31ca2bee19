#![doc = include_str!("../README.md")]

mod clock;
mod entropy;
mod expiration;
mod id;
mod keys;
mod session_key;
mod storage;

pub use self::clock::{Clock, ManualClock, SystemClock, Timestamp, TokioClock};
pub use self::entropy::{Entropy, OsEntropy};
pub use self::expiration::{DAY, Expiration, HOUR, MINUTE, SECOND, Sliding};
pub use self::id::SessionId;
pub use self::keys::{Key, NamespaceKey, NamespaceName, Namespaces, Untyped, ValueKey, Values};
pub use self::session_key::{Fingerprint, ParseSessionKeyError, SessionKey};
pub use self::storage::{
    Cursor, DEFAULT_LEASE, DEFAULT_MAX_WAITERS, IntoStorage, Lock, LockTicket, LockToken, Locked, Lookup, Meta, Page,
    Record, Storage, StorageError, StorageErrorKind, Stored, Unlock,
};
#[cfg(feature = "macros")]
pub use sessile_macros::{Namespaces, Values};
