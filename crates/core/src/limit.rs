//! [`Limit`]: how many sessions one owner may have.

use crate::error::SessionError;

/// The maximum number of sessions that one owner can be logged in with, and what happens at the limit.
///
/// It is exact: at no instant are there more, however many processes log the owner in at the same time. Sessions without
/// an owner are not limited.
///
/// ```
/// use sessile_core::{Limit, Session};
/// use sessile_memory::MemoryStorage;
///
/// let session: Session = Session::builder(MemoryStorage::new())
///     .limit(Limit::per_owner(3).evict_oldest())
///     .build();
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub struct Limit {
    pub(crate) count: usize,
    pub(crate) excess: Excess,
}

/// The fate of the session that is one too many.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Excess {
    RefuseNewest,
    EvictOldest,
    EvictLeastActive,
}

impl Limit {
    /// Limits each owner to this many sessions, at least one. A login beyond the limit is refused, unless the limit says
    /// otherwise: closing the session fails with [`TooManySessions`](crate::SessionError::TooManySessions).
    pub const fn per_owner(count: usize) -> Self {
        Self {
            count: if count == 0 { 1 } else { count },
            excess: Excess::RefuseNewest,
        }
    }

    pub(crate) const fn exceeded(self) -> SessionError {
        SessionError::TooManySessions { limit: self.count }
    }

    /// Ends the session whose owner logged in first.
    pub const fn evict_oldest(self) -> Self {
        Self {
            excess: Excess::EvictOldest,
            ..self
        }
    }

    /// Ends the session that was not used for the longest time, to within the
    /// [touch resolution](crate::SessionBuilder::touch_resolution).
    pub const fn evict_least_active(self) -> Self {
        Self {
            excess: Excess::EvictLeastActive,
            ..self
        }
    }
}
