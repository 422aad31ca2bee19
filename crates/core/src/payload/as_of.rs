//! [`AsOf`] and [`Summary`]: judging lifetimes.

use crate::clock::Timestamp;
use crate::expiration::{Lifetime, earliest};

/// By what moments things in a session are judged.
#[derive(Debug, Clone, Copy)]
pub(crate) struct AsOf {
    pub(crate) now: Timestamp,
    pub(crate) last_active: Timestamp,
}

impl AsOf {
    /// When something whose lifetime was set at `since` ends, if no visit comes.
    pub(super) fn ends_at(self, lifetime: Lifetime, since: Timestamp) -> Option<Timestamp> {
        lifetime.deadline(self.last_active.max(since))
    }

    /// Whether something whose lifetime was set at `since` is over.
    pub(super) fn is_over(self, lifetime: Lifetime, since: Timestamp) -> bool {
        lifetime.is_over(self.last_active.max(since), self.now)
    }
}

/// What must be known of values without looking at each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Summary {
    /// The shortest sliding window, in milliseconds.
    pub(crate) window: Option<u64>,
    /// Whether any of them ends with the browser window.
    pub(crate) transient: bool,
}

impl Summary {
    pub(super) fn of(lifetime: Lifetime) -> Self {
        Self {
            window: lifetime.window,
            transient: lifetime.transient,
        }
    }

    pub(super) fn and(self, other: Self) -> Self {
        Self {
            window: earliest(self.window, other.window),
            transient: self.transient || other.transient,
        }
    }
}
