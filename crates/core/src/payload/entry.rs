//! [`Entry`]: one value, with what is known of it.

use super::as_of::AsOf;
use super::wire::{Name, Span};
use crate::clock::Timestamp;
use crate::expiration::Lifetime;

/// One value and what is known of it.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub(super) name: Name,
    pub(super) lifetime: Lifetime,
    /// When the lifetime was set, if that was in this visit.
    pub(super) since: Timestamp,
    /// What a later version of this crate has written beside the value, in the source. It goes when the value is set
    /// anew, as it may tell of the value that was.
    pub(super) extensions: Span,
    pub(super) value: Value,
}

impl Entry {
    pub(super) fn is_over(&self, at: AsOf) -> bool {
        at.is_over(self.lifetime, self.since)
    }
}

/// A value as JSON text.
#[derive(Debug, Clone)]
pub(super) enum Value {
    /// As it was loaded.
    Stored(Span),
    /// As it was set in this visit.
    Set(Vec<u8>),
}
