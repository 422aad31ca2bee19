//! What must have reached replicas before it counts.

use std::fmt;
use std::time::Duration;

/// How far a write must have got before it counts.
#[derive(Debug, Clone)]
pub(crate) struct Durability {
    pub(crate) replicas: u32,
    pub(crate) timeout: Duration,
    /// Whether creating and committing count too, or only what ends a key.
    pub(crate) commits: bool,
    pub(crate) shortfall: Shortfall,
}

/// What happens when a write has not reached as many replicas in time as it should.
///
/// It has been done on the primary all the same, and replicas that come back will have it, unless the primary is lost
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

/// A write has been done on the primary and on fewer replicas than asked for.
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
    /// How many replicas should have it.
    pub wanted: u32,
    /// How many had it when the time was over.
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
