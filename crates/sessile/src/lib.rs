#![doc = include_str!("../README.md")]
//!
//! # Overview
//!
//! The [`guide`] explains sessions in chapters. The root of the crate holds the names of everyday use, the modules the
//! rest.
//!
//! | for | see |
//! |---|---|
//! | the session and its states | [`Session`], [`ValueSession`], [`Namespace`], [`Visit`], [`SessionError`] |
//! | declarations | [`Values`](trait@Values), [`Namespaces`](trait@Namespaces), [`Key`], [`Untyped`]; [`keys`] |
//! | expiration | [`Expiration`]; [`time`] |
//! | settings | [`SessionBuilder`] |
//! | tower, axum, tonic, hyper | [`SessionLayer`]; for axum also [`Readable`], [`Writable`] |
//! | transport of ids | [`CookieCarrier`], [`HeaderCarrier`](tower::HeaderCarrier), [`BearerCarrier`](tower::BearerCarrier), [`PathCarrier`](tower::PathCarrier), [`Carrier`](tower::Carrier) |
//! | spawned tasks, threads, streams | [`InSession`], [`Handle`](visit::Handle), [`Session::bind`], [`Visits`](visit::Visits) |
//! | storages | [`MemoryStorage`], [`FileStorage`], [`RedbStorage`], [`RedisStorage`], [`MemoizedStorage`] |
//! | the sessions of a user; all sessions | [`Session::registry`], [`population`] |
//! | storages of your own | [`storage`], [`store`] |
//! | wrappers of storages | [`wrappers`] |
//! | integration with other frameworks | [`ActiveVisit`](visit::ActiveVisit) |
#![cfg_attr(docsrs, feature(doc_cfg))]

// Builds for documentation alone contain the guide; its examples need these features.
#[cfg(any(
    all(doc, not(doctest)),
    all(doctest, feature = "axum", feature = "macros", feature = "memory")
))]
pub mod guide;

#[doc(inline)]
pub use sessile_core::{
    AutoStart, DAY, Expiration, Fingerprint, HOUR, InSession, Key, MINUTE, Namespace, NamespaceKey, Namespaces,
    OnMismatch, SECOND, Session, SessionBuilder, SessionError, SessionId, SessionKey, UnreadablePolicy, Untyped,
    ValueSession, Values, Visit,
};
#[cfg(feature = "file")]
#[doc(inline)]
pub use sessile_file::FileStorage;
#[cfg(feature = "memoized")]
#[doc(inline)]
pub use sessile_memoized::MemoizedStorage;
#[cfg(feature = "memory")]
#[doc(inline)]
pub use sessile_memory::MemoryStorage;
#[cfg(feature = "redb")]
#[doc(inline)]
pub use sessile_redb::RedbStorage;
#[cfg(feature = "redis")]
#[doc(inline)]
pub use sessile_redis::RedisStorage;
#[cfg(feature = "tower")]
#[doc(inline)]
pub use sessile_tower::{CookieCarrier, SessionLayer};
#[cfg(feature = "axum")]
#[doc(inline)]
pub use sessile_tower::{Readable, Writable};

/// Visits as frameworks and spawned tasks use them: open a visit, run its work, and tell the client the outcome.
pub mod visit {
    #[doc(inline)]
    pub use sessile_core::{
        ActiveVisit, Ended, Finished, Handle, IdChange, Outcome, Scoped, ShownWindow, Visits, WindowChange, WindowId,
        Work,
    };
}

/// The traits of typed names: which names a session takes, and which values a name accepts.
pub mod keys {
    #[doc(inline)]
    pub use sessile_core::{Accepts, NamespaceName, ValueKey};
}

/// The causes inside a [`SessionError`], and its report for operators.
pub mod error {
    #[cfg(feature = "axum")]
    #[doc(inline)]
    pub use sessile_core::MissingSession;
    #[doc(inline)]
    pub use sessile_core::{
        CodecError, CodecReason, ExpiredDefault, ParseFactsError, ParseSessionKeyError, RecordError, Report,
    };
    #[cfg(feature = "axum")]
    #[doc(inline)]
    pub use sessile_tower::SessionRejection;
}

/// Time: clocks and their timestamps, and expirations that slide.
pub mod time {
    #[doc(inline)]
    pub use sessile_core::{Clock, ManualClock, Sliding, SteadyClock, SystemClock, Timestamp, TokioClock};
}

/// Sources of random bits for ids and lock tokens.
pub mod entropy {
    #[cfg(feature = "fast-entropy")]
    #[doc(inline)]
    pub use sessile_core::FastEntropy;
    #[doc(inline)]
    pub use sessile_core::{Entropy, OsEntropy};
}

/// Sessions as a population: who is logged in, how to end that, and how many sessions a user may have; tasks on many
/// sessions, and what happens to them.
pub mod population {
    #[doc(inline)]
    pub use sessile_core::{
        Audit, ClientFacts, EndReason, EndedSession, Event, EventKind, EventStream, Events, Limit, Policy, Refusal,
        Registry, SessionChange, SessionInfo, SessionList, SessionWatch, TaskProgress, TaskStream,
    };
}

/// The contract between sessions and storages: for storages of your own.
pub mod storage {
    #[doc(inline)]
    pub use sessile_core::{
        Capabilities, Cursor, DEFAULT_LEASE, DEFAULT_MAX_WAITERS, Facts, ImmediateStorage, IntoStorage, KeyHasher,
        KeyWalk, Lock, LockId, LockToken, Locked, Lookup, MAX_ALIASES, Meta, Operation, Page, Record, ReportUsage,
        SessionHead, Storage, StorageError, StorageErrorKind, Stored, Unlock, Usage, Watch, WatchSessions, Watchers,
        replace_under_lock,
    };
}

/// Storages made of two parts, a store of records and locks: for databases that have no more than conditional writes.
pub mod store {
    #[doc(inline)]
    pub use sessile_core::{
        Applied, Entry, EntryHead, EntryList, EntryVersion, LocalLocks, LocalLocksBuilder, LockedStore,
        LockedStoreBuilder, Locks, RecordStore,
    };
}

/// Storages around other storages: time limits, retries, traces, metrics, and wrappers of your own.
pub mod wrappers {
    #[cfg(feature = "metrics")]
    #[doc(inline)]
    pub use sessile_core::Metered;
    #[cfg(feature = "tracing")]
    #[doc(inline)]
    pub use sessile_core::Traced;
    #[doc(inline)]
    pub use sessile_core::{
        Backoff, Exponential, Intercept, NullStorage, OperationOutput, Retry, StorageCall, Timeout,
    };
}

/// The settings and statistics of [`MemoryStorage`].
#[cfg(feature = "memory")]
pub mod memory {
    #[doc(inline)]
    pub use sessile_memory::{MemoryStats, MemoryStorageBuilder};
}

/// The settings of [`FileStorage`], its quarantine for corrupt files, and locks in files.
#[cfg(feature = "file")]
pub mod file {
    #[doc(inline)]
    pub use sessile_file::{
        Durability, FileLocks, FileLocksBuilder, FileStorageBuilder, QuarantineReason, QuarantinedFile,
    };
}

/// The JSON document of a session: settings, policies and errors of [`LiveDocument`](document::LiveDocument), and the
/// engine for values of your own.
#[cfg(feature = "document")]
pub mod document {
    #[doc(inline)]
    pub use sessile_document::{
        Bounds, CLIENT_VERSION, Change, Document, DocumentError, DollarPolicy, LiveDocument, LiveDocumentBuilder,
        LivePage, OpenPolicy, Options, Reply, ReplyKind, SERVER_VERSION, Told, Verdict, Write, WriteKind, WritePolicy,
    };
}

/// The store of records of [`RedbStorage`].
#[cfg(feature = "redb")]
pub mod redb {
    #[doc(inline)]
    pub use sessile_redb::RedbStore;
}

/// The servers and settings of [`RedisStorage`], and locks in Redis.
#[cfg(feature = "redis")]
pub mod redis {
    #[doc(inline)]
    pub use sessile_redis::{
        Credentials, CredentialsProvider, Finding, ParseServersError, RedisLocks, RedisLocksBuilder, RedisServers,
        RedisStorageBuilder, ReplicationShortfall, Shortfall,
    };
}

/// The settings and statistics of [`MemoizedStorage`].
#[cfg(feature = "memoized")]
pub mod memoized {
    #[doc(inline)]
    pub use sessile_memoized::{MemoizedStats, MemoizedStorageBuilder, Probe, Probed};
}

/// The parts of the tower layer: carriers, cookies, keys, and the types of its service.
#[cfg(feature = "tower")]
pub mod tower {
    #[doc(inline)]
    pub use sessile_tower::{
        BearerCarrier, Candidates, Carrier, ClientReader, CookieCarrierBuilder, CookieError, DocumentCarriers,
        Extracted, HeaderCarrier, IdPath, IdPathError, PathCarrier, RefererCarrier, RequestHead, ResponseBody,
        ResponseFuture, SameSite, SessionService, XRefererCarrier,
    };
    #[cfg(any(feature = "signed", feature = "encrypted"))]
    #[doc(inline)]
    pub use sessile_tower::{KeyError, KeyRing};
}
