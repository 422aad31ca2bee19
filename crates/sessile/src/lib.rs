#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

#[cfg(all(doctest, feature = "axum", feature = "macros", feature = "memory"))]
mod guide;

#[doc(inline)]
pub use sessile_core::*;
#[cfg(feature = "file")]
#[doc(inline)]
pub use sessile_file::{
    Durability, FileLocks, FileLocksBuilder, FileStorage, FileStorageBuilder, QuarantineReason, QuarantinedFile,
};
#[cfg(feature = "memoized")]
#[doc(inline)]
pub use sessile_memoized::{MemoizedStats, MemoizedStorage, MemoizedStorageBuilder, Probe, Probed};
#[cfg(feature = "memory")]
#[doc(inline)]
pub use sessile_memory::{MemoryStats, MemoryStorage, MemoryStorageBuilder};
#[cfg(feature = "redb")]
#[doc(inline)]
pub use sessile_redb::{RedbStorage, RedbStorageBuilder, RedbStore};
#[cfg(feature = "redis")]
#[doc(inline)]
pub use sessile_redis::{
    Credentials, CredentialsProvider, Finding, ParseServersError, RedisLocks, RedisLocksBuilder, RedisServers,
    RedisStorage, RedisStorageBuilder, ReplicationShortfall, Shortfall,
};
#[cfg(feature = "tower")]
#[doc(inline)]
pub use sessile_tower::{
    BearerCarrier, Candidates, Carrier, CookieCarrier, CookieCarrierBuilder, CookieError, Extracted, HeaderCarrier,
    RequestHead, ResponseBody, ResponseFuture, SameSite, SessionLayer, SessionService,
};
#[cfg(any(feature = "signed", feature = "encrypted"))]
#[doc(inline)]
pub use sessile_tower::{KeyError, KeyRing};
#[cfg(feature = "axum")]
#[doc(inline)]
pub use sessile_tower::{Readable, SessionRejection, Writable};
