#![doc = include_str!("../README.md")]

#[cfg(feature = "axum")]
mod axum;
mod clock;
mod contents;
mod context;
#[cfg(test)]
#[path = "../../../fuzz/src/corpus.rs"]
#[allow(unreachable_pub)] // It is public where it stands.
mod corpus;
mod door;
mod entropy;
mod error;
mod events;
mod expiration;
#[cfg(fuzzing)]
#[doc(hidden)]
pub mod fuzzing;
mod id;
mod json;
mod keys;
mod report;
mod session;
mod session_key;
mod storage;
mod visit;
mod window;
mod wrappers;

#[cfg(feature = "axum")]
pub use self::axum::MissingSession;
pub use self::clock::{Clock, ManualClock, SteadyClock, SystemClock, Timestamp, TokioClock};
pub use self::contents::RecordError;
pub use self::context::{Ended, Handle, IdChange, InSession, OpenVisit, Outcome, Scoped, Visits, WindowChange, Work};
pub use self::door::{
    Applied, Entry, EntryHead, EntryList, EntryVersion, LocalLocks, LocalLocksBuilder, Locks, Paired, PairedBuilder,
    RecordStore,
};
#[cfg(feature = "fast-entropy")]
pub use self::entropy::FastEntropy;
pub use self::entropy::{Entropy, OsEntropy};
pub use self::error::{ExpiredDefault, SessionError};
pub use self::expiration::{DAY, Expiration, HOUR, MINUTE, SECOND, Sliding};
pub use self::id::SessionId;
pub use self::json::{CodecError, CodecReason};
pub use self::keys::{Key, NamespaceKey, NamespaceName, Namespaces, OnMismatch, Takes, Untyped, ValueKey, Values};
pub use self::report::Report;
pub use self::session::{AutoStart, Namespace, Session, SessionBuilder, Unreadable};
pub use self::session_key::{Fingerprint, ParseSessionKeyError, SessionKey};
pub use self::storage::{
    AtOnce, Capabilities, Cursor, DEFAULT_LEASE, DEFAULT_MAX_WAITERS, IntoStorage, Lock, LockTicket, LockToken, Locked,
    Lookup, MAX_ALIASES, Meta, Page, Record, ReportUsage, Storage, StorageError, StorageErrorKind, Stored, Unlock,
    Usage, replace_under_lock,
};
pub use self::visit::Visit;
pub use self::window::{ShownWindow, WindowId};
#[cfg(feature = "metrics")]
pub use self::wrappers::Metered;
#[cfg(feature = "tracing")]
pub use self::wrappers::Traced;
pub use self::wrappers::{Backoff, Exponential, NullStorage, Retry, Timeout};
#[cfg(feature = "macros")]
pub use sessile_macros::{Namespaces, Values};
