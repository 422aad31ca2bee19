//! [`Queue`]: messages that arrived before an earlier one.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::bounds::Bounds;
use crate::error::DocumentError;
use crate::message::Patch;

/// Messages by version, with their lengths in bytes.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Queue(BTreeMap<u64, (usize, Patch)>);

impl Queue {
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// Keeps a message. The first of a version stays.
    pub(super) fn keep(&mut self, patch: Patch, bytes: usize, bounds: &Bounds) -> Result<(), DocumentError> {
        if self.0.contains_key(&patch.version) {
            return Ok(());
        }
        let all: usize = self.0.values().map(|(bytes, _)| bytes).sum();
        if self.0.len() >= bounds.queued_messages || all + bytes > bounds.queued_bytes {
            return Err(DocumentError::QueueFull);
        }
        self.0.insert(patch.version, (bytes, patch));
        Ok(())
    }

    /// Takes the message of this version; those before it are forgotten.
    pub(super) fn take(&mut self, version: u64) -> Option<Patch> {
        self.0.retain(|other, _| *other >= version);
        self.0.remove(&version).map(|(_, patch)| patch)
    }
}
