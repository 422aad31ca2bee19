//! [`Namespace`]: a namespace whose values are decoded on first access.

use bytes::Bytes;

use super::as_of::Summary;
use super::error::RecordError;
use super::value_map::ValueMap;
use super::wire::{Name, Span};
use crate::clock::Timestamp;
use crate::expiration::Lifetime;

/// One namespace of a session.
#[derive(Debug, Clone)]
pub(super) struct Namespace {
    pub(super) name: Name,
    pub(super) lifetime: Lifetime,
    /// The moment at which the lifetime was set, if this visit set it.
    pub(super) since: Timestamp,
    /// The span in the payload of extensions that only a later version of this crate knows.
    pub(super) extensions: Span,
    pub(super) values: Values,
}

/// The values of a namespace, decoded on first access.
#[derive(Debug, Clone)]
pub(super) enum Values {
    /// Not decoded yet.
    Closed { span: Span, summary: Summary },
    /// Decoded.
    Open(ValueMap),
}

impl Namespace {
    /// Decodes the values if necessary.
    pub(super) fn open(&mut self, payload: &Bytes) -> Result<&mut ValueMap, RecordError> {
        if let Values::Closed { span, .. } = self.values {
            self.values = Values::Open(ValueMap::decode(&span.slice(payload))?);
        }
        match &mut self.values {
            Values::Open(map) => Ok(map),
            Values::Closed { .. } => unreachable!("the line above opens it"),
        }
    }
}

impl Values {
    pub(super) fn summary(&self) -> Summary {
        match self {
            Self::Closed { summary, .. } => *summary,
            Self::Open(map) => map.summary(),
        }
    }
}
