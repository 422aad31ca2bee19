//! [`ByDigest`]: how the lines of a process are found by their sessions.

use std::hash::{BuildHasherDefault, Hasher};

/// Keys are digests, which are as good as any hash of them: their first bytes will do.
pub(super) type ByDigest = BuildHasherDefault<FirstBytes>;

#[derive(Default)]
pub(super) struct FirstBytes(u64);

impl Hasher for FirstBytes {
    fn write(&mut self, bytes: &[u8]) {
        // The digest comes first, and the shard after it adds nothing.
        if let (0, Some(first)) = (self.0, bytes.first_chunk()) {
            self.0 = u64::from_le_bytes(*first);
        }
    }

    fn write_usize(&mut self, _length: usize) {}

    fn finish(&self) -> u64 {
        self.0
    }
}
