//! [`DigestHasher`]: hashes session keys for the table of wait queues.

use std::hash::{BuildHasherDefault, Hasher};

/// Builds [`DigestHasher`]s.
pub(super) type BuildDigestHasher = BuildHasherDefault<DigestHasher>;

/// Uses the first bytes of a key's digest, which are already uniformly distributed.
#[derive(Default)]
pub(super) struct DigestHasher(u64);

impl Hasher for DigestHasher {
    fn write(&mut self, bytes: &[u8]) {
        // The digest comes first. The shard after it adds nothing.
        if let (0, Some(first)) = (self.0, bytes.first_chunk()) {
            self.0 = u64::from_le_bytes(*first);
        }
    }

    fn write_usize(&mut self, _length: usize) {}

    fn finish(&self) -> u64 {
        self.0
    }
}
