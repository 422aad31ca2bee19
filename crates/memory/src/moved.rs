//! [`MovedKeys`]: what rotation leaves behind.

use std::collections::{BTreeSet, HashMap};
use std::hash::{BuildHasherDefault, Hasher};

use sessile_core::{SessionKey, Timestamp};

/// What stands at a key whose session has moved: first an alias, then a tombstone, then nothing. Of a tombstone, only
/// `destroy` looks at where it leads.
pub(crate) struct Moved {
    /// The key to go on to.
    pub(crate) target: SessionKey,
    /// From when on this is no alias any more.
    pub(crate) alias_until: Timestamp,
    /// From when on there is nothing here.
    pub(crate) until: Timestamp,
}

/// The keys of a shard whose sessions have moved, and when each of them leaves.
#[derive(Default)]
pub(crate) struct MovedKeys {
    keys: HashMap<SessionKey, Moved, BuildHasherDefault<DigestHasher>>,
    ends: BTreeSet<(Timestamp, SessionKey)>,
}

impl MovedKeys {
    pub(crate) fn len(&self) -> usize {
        self.keys.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// When the next of them leaves.
    pub(crate) fn next(&self) -> Option<Timestamp> {
        self.ends.first().map(|&(until, _)| until)
    }

    /// One that has to leave.
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
        debug_assert!(replaced.is_none(), "a key is taken by one thing at a time");
    }

    /// Returns whether there was something to remove.
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

/// Takes eight bytes of the digest, which are as evenly spread as any hash of them.
#[derive(Default)]
pub(crate) struct DigestHasher(u64);

impl Hasher for DigestHasher {
    fn write(&mut self, bytes: &[u8]) {
        // The digest is what a key consists of, but for its shard, which comes after it and says less.
        if let Some(first) = bytes.first_chunk() {
            self.0 = u64::from_le_bytes(*first);
        }
    }

    fn write_usize(&mut self, _length: usize) {}

    fn finish(&self) -> u64 {
        self.0
    }
}
