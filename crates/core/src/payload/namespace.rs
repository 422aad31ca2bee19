//! A namespace, whose values nobody has looked at before somebody enters it.

use bytes::Bytes;

use super::as_of::Summary;
use super::error::RecordError;
use super::value_map::ValueMap;
use super::wire::{Name, Span};
use crate::clock::Timestamp;
use crate::expiration::Lifetime;

#[derive(Debug, Clone)]
pub(super) struct Namespace {
    pub(super) name: Name,
    pub(super) lifetime: Lifetime,
    /// When the lifetime was set, if that was in this visit.
    pub(super) since: Timestamp,
    /// The extensions of the namespace that only a later version of this crate knows, in the payload.
    pub(super) extensions: Span,
    pub(super) values: Values,
}

/// The values of a namespace, read once somebody enters it.
#[derive(Debug, Clone)]
pub(super) enum Values {
    /// Where in the payload they are, and what is known of them.
    Closed {
        span: Span,
        summary: Summary,
    },
    Open(ValueMap),
}

impl Namespace {
    pub(super) fn open(&mut self, payload: &Bytes) -> Result<&mut ValueMap, RecordError> {
        if let Values::Closed { span, .. } = self.values {
            self.values = Values::Open(ValueMap::decode(&span.slice(payload))?);
        }
        match &mut self.values {
            Values::Open(map) => Ok(map),
            Values::Closed { .. } => unreachable!("it was opened just above"),
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
