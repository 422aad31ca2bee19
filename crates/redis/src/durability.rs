//! Replication requirements for acknowledged writes.

use std::fmt;
use std::time::Duration;

/// Replication requirements for acknowledged writes.
#[derive(Debug, Clone)]
pub(crate) struct Durability {
    pub(crate) replicas: u32,
    pub(crate) timeout: Duration,
    /// True if creations and commits have to reach replicas too, not only writes that end a key.
    pub(crate) commits: bool,
    pub(crate) shortfall: Shortfall,
}

/// The behaviour when a write has reached too few replicas in time.
///
/// The primary has executed the write all the same. Replicas that come back receive it, unless the primary is lost
/// before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Shortfall {
    /// The call fails with [`Unavailable`](sessile_core::StorageErrorKind::Unavailable); the source of the error is a
    /// [`ReplicationShortfall`].
    #[default]
    Fail,
    /// The call succeeds, and the shortfall is [counted](crate::RedisStorage::shortfalls).
    Count,
}

/// A write was executed on the primary and on fewer replicas than required.
///
/// ```
/// use sessile_core::StorageError;
/// use sessile_redis::ReplicationShortfall;
///
/// fn may_be_lost(error: &StorageError) -> bool {
///     std::error::Error::source(error).is_some_and(|source| source.is::<ReplicationShortfall>())
/// }
/// # let _ = may_be_lost;
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct ReplicationShortfall {
    /// The number of replicas that had to acknowledge the write.
    pub wanted: u32,
    /// The number of replicas that acknowledged it in time.
    pub reached: u32,
}

impl fmt::Display for ReplicationShortfall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "the write has reached {} of {} replicas in time",
            self.reached, self.wanted
        )
    }
}

impl std::error::Error for ReplicationShortfall {}
