//! [`Entry`]: one value with its name, lifetime and extensions.

use super::as_of::AsOf;
use super::wire::{Name, Span};
use crate::clock::Timestamp;
use crate::expiration::Lifetime;

/// One value of a map that is indexed.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub(super) name: Name,
    pub(super) lifetime: Lifetime,
    /// The moment at which the lifetime was set, if this visit set it.
    pub(super) since: Timestamp,
    /// The span in the source of extensions written by a later version of this crate. Setting the value drops them,
    /// because they may describe the old value.
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
    /// As loaded.
    Stored(Span),
    /// As set in this visit.
    Set(Vec<u8>),
}
