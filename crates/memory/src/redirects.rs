//! [`Redirects`]: the aliases and tombstones that rotations leave behind.

use std::collections::{BTreeSet, HashMap};
use std::hash::{BuildHasherDefault, Hasher};

use sessile_core::{SessionKey, Timestamp};

/// A mark at the old key of a session that was rotated: first an alias, then a tombstone, then it expires. Only
/// `destroy` follows the target of a tombstone.
pub(crate) struct Redirect {
    /// The next key of the session.
    pub(crate) target: SessionKey,
    /// The time at which the alias becomes a tombstone.
    pub(crate) alias_until: Timestamp,
    /// The time at which the tombstone expires.
    pub(crate) until: Timestamp,
}

/// The redirects of a shard, by key and by the time at which they expire.
#[derive(Default)]
pub(crate) struct Redirects {
    keys: HashMap<SessionKey, Redirect, BuildHasherDefault<DigestHasher>>,
    ends: BTreeSet<(Timestamp, SessionKey)>,
}

impl Redirects {
    pub(crate) fn len(&self) -> usize {
        self.keys.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// Returns the time at which the next redirect expires.
    pub(crate) fn earliest(&self) -> Option<Timestamp> {
        self.ends.first().map(|&(until, _)| until)
    }

    /// Returns a redirect that has expired.
    pub(crate) fn due(&self, now: Timestamp) -> Option<SessionKey> {
        self.ends
            .first()
            .filter(|(until, _)| *until <= now)
            .map(|&(_, key)| key)
    }

    pub(crate) fn get(&self, key: &SessionKey) -> Option<&Redirect> {
        self.keys.get(key)
    }

    pub(crate) fn insert(&mut self, key: SessionKey, redirect: Redirect) {
        self.ends.insert((redirect.until, key));
        let replaced = self.keys.insert(key, redirect);
        debug_assert!(replaced.is_none(), "a key has one redirect at a time");
    }

    /// Removes a redirect. Returns whether there was one.
    pub(crate) fn remove(&mut self, key: &SessionKey) -> bool {
        let Some(redirect) = self.keys.remove(key) else {
            return false;
        };
        self.ends.remove(&(redirect.until, *key));
        if self.keys.len() * 4 + 16 < self.keys.capacity() {
            self.keys.shrink_to(self.keys.len() * 2);
        }
        true
    }
}

/// Uses eight bytes of a key's digest as its hash: they are as evenly spread as any hash of them.
#[derive(Default)]
pub(crate) struct DigestHasher(u64);

impl Hasher for DigestHasher {
    fn write(&mut self, bytes: &[u8]) {
        // A key hashes its digest, and then its shard, which is too short to be taken here and says less.
        if let Some(first) = bytes.first_chunk() {
            self.0 = u64::from_le_bytes(*first);
        }
    }

    fn write_usize(&mut self, _length: usize) {}

    fn finish(&self) -> u64 {
        self.0
    }
}
