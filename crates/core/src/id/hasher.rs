//! [`KeyHasher`]: hashes session keys.

use std::hash::Hasher;

/// Hashes a [`SessionKey`](crate::SessionKey) by the first bytes of its digest, which are evenly distributed already.
///
/// It is faster than the default hasher of a map, and as safe for the keys of sessions that were created: their ids are
/// random. It is not for keys of ids that clients merely show, as ids whose digests begin alike can be searched for.
///
/// ```
/// use std::collections::HashMap;
/// use std::hash::BuildHasherDefault;
/// use sessile_core::{KeyHasher, OsEntropy, SessionId, SessionKey};
///
/// let mut ends: HashMap<SessionKey, u64, BuildHasherDefault<KeyHasher>> = HashMap::default();
/// ends.insert(SessionId::generate(&OsEntropy).key(), 7);
/// assert_eq!(ends.len(), 1);
/// ```
#[derive(Debug, Clone, Default)]
pub struct KeyHasher(u64);

impl Hasher for KeyHasher {
    #[inline]
    fn write(&mut self, bytes: &[u8]) {
        // A key hashes its digest, and then its shard, which is too short to be taken here and adds nothing.
        if let Some(first) = bytes.first_chunk() {
            self.0 = u64::from_le_bytes(*first);
        }
    }

    #[inline]
    fn write_usize(&mut self, _length: usize) {}

    #[inline]
    fn finish(&self) -> u64 {
        self.0
    }
}
