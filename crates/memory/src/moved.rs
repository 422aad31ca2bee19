//! [`MovedKeys`]: the aliases and tombstones that rotations leave behind.

use std::collections::{BTreeSet, HashMap};
use std::hash::BuildHasherDefault;

use sessile_core::{KeyHasher, SessionKey, Timestamp};

/// A mark at the old key of a session that was rotated: first an alias, then a tombstone, then it expires. Only
/// `destroy` follows the target of a tombstone.
pub(crate) struct Moved {
    /// The next key of the session.
    pub(crate) target: SessionKey,
    /// The time at which the alias becomes a tombstone.
    pub(crate) alias_until: Timestamp,
    /// The time at which the tombstone expires.
    pub(crate) until: Timestamp,
}

/// The moved keys of a shard, by key and by the time at which they expire.
#[derive(Default)]
pub(crate) struct MovedKeys {
    keys: HashMap<SessionKey, Moved, BuildHasherDefault<KeyHasher>>,
    ends: BTreeSet<(Timestamp, SessionKey)>,
}

impl MovedKeys {
    pub(crate) fn len(&self) -> usize {
        self.keys.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// Returns the time at which the next one expires.
    pub(crate) fn earliest(&self) -> Option<Timestamp> {
        self.ends.first().map(|&(until, _)| until)
    }

    /// Returns one that has expired.
    pub(crate) fn due(&self, now: Timestamp) -> Option<SessionKey> {
        self.ends
            .first()
            .filter(|(until, _)| *until <= now)
            .map(|&(_, key)| key)
    }

    pub(crate) fn get(&self, key: &SessionKey) -> Option<&Moved> {
        self.keys.get(key)
    }

    pub(crate) fn insert(&mut self, key: SessionKey, moved: Moved) {
        self.ends.insert((moved.until, key));
        let replaced = self.keys.insert(key, moved);
        debug_assert!(replaced.is_none(), "a key moves once");
    }

    /// Removes an alias or a tombstone. Returns whether there was one.
    pub(crate) fn remove(&mut self, key: &SessionKey) -> bool {
        let Some(moved) = self.keys.remove(key) else {
            return false;
        };
        self.ends.remove(&(moved.until, *key));
        if self.keys.len() * 4 + 16 < self.keys.capacity() {
            self.keys.shrink_to(self.keys.len() * 2);
        }
        true
    }
}
