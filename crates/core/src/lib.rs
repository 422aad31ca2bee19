#![doc = include_str!("../README.md")]

#[cfg(feature = "axum")]
mod axum;
mod clock;
mod entropy;
mod error;
mod events;
mod expiration;
#[cfg(any(test, feature = "__fuzzing"))]
#[doc(hidden)]
pub mod fuzzing;
mod id;
mod json;
mod keys;
mod limit;
mod payload;
mod population;
mod report;
mod session;
mod settings;
#[cfg(feature = "http")]
mod status;
mod storage;
mod store;
mod tasks;
mod telemetry;
mod varint;
mod visit;
mod wait_graph;
mod window;
mod wrappers;

#[cfg(feature = "axum")]
pub use self::axum::MissingSession;
pub use self::clock::{Clock, ManualClock, SteadyClock, SystemClock, Timestamp, TokioClock};
#[cfg(feature = "fast-entropy")]
pub use self::entropy::FastEntropy;
pub use self::entropy::{Entropy, OsEntropy};
pub use self::error::{ExpiredDefault, SessionError};
pub use self::events::{EndReason, EndedSession, Event, EventKind, EventStream, Events, Refusal};
pub use self::expiration::{DAY, Expiration, HOUR, MINUTE, SECOND, Sliding};
pub use self::id::{Fingerprint, KeyHasher, ParseSessionKeyError, SessionId, SessionKey};
pub use self::json::{CodecError, CodecReason};
pub use self::keys::{Accepts, Key, NamespaceKey, NamespaceName, Namespaces, OnMismatch, Untyped, ValueKey, Values};
pub use self::limit::Limit;
pub use self::payload::RecordError;
pub use self::population::{Audit, Policy, Registry, SessionChange, SessionInfo, SessionList, SessionWatch};
pub use self::report::Report;
pub use self::session::{Namespace, Session, SessionBuilder, ValueSession};
pub use self::settings::{AutoStart, UnreadablePolicy};
pub use self::storage::{
    Capabilities, ClientFacts, Cursor, DEFAULT_LEASE, DEFAULT_MAX_WAITERS, Facts, ImmediateStorage, IntoStorage,
    KeyWalk, Lock, LockId, LockToken, Locked, Lookup, MAX_ALIASES, Meta, Operation, Page, ParseFactsError, Record,
    ReportUsage, SessionHead, Storage, StorageError, StorageErrorKind, Stored, Unlock, Usage, Watch, WatchSessions,
    Watchers, replace_under_lock,
};
pub use self::store::{
    Applied, Entry, EntryHead, EntryList, EntryVersion, LocalLocks, LocalLocksBuilder, LockedStore, LockedStoreBuilder,
    Locks, RecordStore,
};
pub use self::tasks::{TaskProgress, TaskStream};
pub use self::visit::{
    ActiveVisit, Ended, Finished, Handle, IdChange, InSession, Outcome, Scoped, Visit, Visits, WindowChange, Work,
};
pub use self::window::{ShownWindow, WindowId};
#[cfg(feature = "metrics")]
pub use self::wrappers::Metered;
#[cfg(feature = "tracing")]
pub use self::wrappers::Traced;
pub use self::wrappers::{Backoff, Exponential, Intercept, NullStorage, OperationOutput, Retry, StorageCall, Timeout};
#[cfg(feature = "macros")]
pub use sessile_macros::{Namespaces, Values};
