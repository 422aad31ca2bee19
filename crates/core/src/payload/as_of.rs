//! [`AsOf`] and [`Summary`]: evaluate and combine lifetimes.

use crate::clock::Timestamp;
use crate::expiration::{Lifetime, earliest};

/// The moments against which lifetimes in a session are evaluated.
#[derive(Debug, Clone, Copy)]
pub(crate) struct AsOf {
    pub(crate) now: Timestamp,
    pub(crate) last_active: Timestamp,
}

impl AsOf {
    pub(crate) const fn new(now: Timestamp, last_active: Timestamp) -> Self {
        Self { now, last_active }
    }

    /// Returns the deadline of an item whose lifetime was set at `since`, if no further visit comes.
    pub(super) fn ends_at(self, lifetime: Lifetime, since: Timestamp) -> Option<Timestamp> {
        lifetime.deadline(self.last_active.max(since))
    }

    /// Returns whether an item whose lifetime was set at `since` has expired.
    pub(super) fn is_over(self, lifetime: Lifetime, since: Timestamp) -> bool {
        lifetime.is_over(self.last_active.max(since), self.now)
    }
}

/// Facts about a set of values that are known without reading each value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Summary {
    /// The shortest sliding window, in milliseconds.
    pub(crate) window: Option<u64>,
    /// True if any value ends with the browser window.
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
