//! [`SeenKeys`]: tells apart the sessions that a scan lists twice.

use std::collections::HashSet;

use super::SessionKey;

/// The sessions that were listed: 16 bytes of each. Half of a digest identifies a session, as no client can choose the
/// digest of an id.
#[derive(Debug, Default)]
pub(crate) struct SeenKeys(HashSet<[u8; 16]>);

impl SeenKeys {
    /// Adds a key. Returns whether it is new.
    pub(crate) fn insert(&mut self, key: &SessionKey) -> bool {
        let (half, _) = key.digest().split_first_chunk().expect("a digest is longer");
        self.0.insert(*half)
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }
}
