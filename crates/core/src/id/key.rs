//! [`SessionKey`]: the public name of a session, derived from its id.

use std::fmt;
use std::str::FromStr;

use sha2::{Digest, Sha256};

use super::ALPHABET;

/// The number of leading characters of an id that name its shard. See [`SessionKey::shard`].
pub(crate) const SHARD_LEN: usize = 3;

/// The name of a session at rest: the SHA-256 digest (FIPS 180-4) of its id, and the shard it lives in.
///
/// Storages, logs, events and operators see keys only. The id cannot be computed from a key, so a stolen dump of a
/// storage opens no session.
///
/// The text of a key is its shard, a colon and the digest in lower-case hexadecimal: 68 characters. All representations
/// derive from it: logs and errors show its first digits, the [fingerprint](Self::fingerprint); the file storage names
/// files by its digest; in Redis it is part of the key, with the shard in braces. The fingerprint in a log line
/// therefore finds the session in every storage.
///
/// ```
/// use sessile_core::{OsEntropy, SessionId, SessionKey};
///
/// let key = SessionId::generate(&OsEntropy).key();
/// let text = key.to_string();
/// assert_eq!(text.len(), 68);
/// assert_eq!(text.parse::<SessionKey>().unwrap(), key);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SessionKey {
    digest: [u8; 32],
    /// Padded with a zero, so that it is copied as one four-byte word.
    shard: [u8; SHARD_LEN + 1],
}

impl SessionKey {
    /// Returns the key of the id with this text.
    pub(super) fn of(text: &[u8]) -> Self {
        Self {
            digest: Sha256::digest(text).into(),
            shard: pad_shard(text),
        }
    }

    /// Returns the key of a record that is no session, such as a list of sessions that an extension of this crate keeps
    /// in the same storage. The same purpose and name have the same key everywhere.
    ///
    /// No id has such a key: the text that is hashed begins with characters that ids must not contain.
    ///
    /// ```
    /// use sessile_core::SessionKey;
    ///
    /// let key = SessionKey::derive("owner", "ada");
    /// assert_eq!(key, SessionKey::derive("owner", "ada"));
    /// assert_ne!(key, SessionKey::derive("owner", "bob"));
    /// ```
    #[must_use]
    pub fn derive(purpose: &str, name: &str) -> Self {
        let mut hasher = Sha256::new_with_prefix(b"sessile:");
        // The length comes first, so that no part of the purpose can be taken for a part of the name.
        hasher.update((purpose.len() as u64).to_be_bytes());
        hasher.update(purpose);
        hasher.update(name);
        let digest: [u8; 32] = hasher.finalize().into();
        let shard = [digest[0], digest[1], digest[2]].map(|byte| ALPHABET[usize::from(byte & 63)]);
        Self {
            digest,
            shard: pad_shard(&shard),
        }
    }

    /// Returns the key with these parts; `None` if the shard has characters that no key has.
    pub(crate) fn from_parts(digest: [u8; 32], shard: [u8; SHARD_LEN]) -> Option<Self> {
        super::are_allowed(&shard).then(|| Self {
            digest,
            shard: pad_shard(&shard),
        })
    }

    /// Returns the 32 bytes of the digest. They are unique to the session and evenly distributed.
    #[inline]
    #[must_use]
    pub fn digest(&self) -> &[u8; 32] {
        &self.digest
    }

    /// Returns the shard: the first three characters of the id, which are not secret and which rotation keeps.
    ///
    /// A storage that is distributed over several servers places a session by its shard alone (in Redis Cluster the
    /// shard is the hash tag). A record and the record that replaces it are therefore always on one server. Three
    /// characters are 18 of the 192 random bits; the other 174 stay secret, where 128 suffice (OWASP ASVS 5.0, 7.2.3).
    ///
    /// [`shard_bytes`](Self::shard_bytes) is faster for computations.
    #[must_use]
    pub fn shard(&self) -> &str {
        std::str::from_utf8(self.shard_bytes()).expect("a shard is made of ASCII characters")
    }

    /// Returns the characters of the [shard](Self::shard), all of them ASCII. Placing a session by them needs no UTF-8
    /// validation.
    ///
    /// They are not evenly distributed: the alphabet has some 65 characters, and ids that are made elsewhere may share
    /// a prefix.
    ///
    /// ```
    /// use sessile_core::{OsEntropy, SessionId};
    ///
    /// let key = SessionId::generate(&OsEntropy).key();
    /// assert_eq!(key.shard_bytes(), key.shard().as_bytes());
    /// ```
    #[inline]
    #[must_use]
    pub fn shard_bytes(&self) -> &[u8; SHARD_LEN] {
        let [first @ .., _zero] = &self.shard;
        first
    }

    /// Returns the first eight hexadecimal digits of the digest, which suffice to tell sessions apart in a log.
    #[must_use]
    pub fn fingerprint(&self) -> Fingerprint {
        Fingerprint([self.digest[0], self.digest[1], self.digest[2], self.digest[3]])
    }
}

/// Returns the shard of an id, padded with a zero.
fn pad_shard(text: &[u8]) -> [u8; SHARD_LEN + 1] {
    let mut shard = [0; SHARD_LEN + 1];
    shard[..SHARD_LEN].copy_from_slice(&text[..SHARD_LEN]);
    shard
}

impl fmt::Display for SessionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.shard())?;
        f.write_str(":")?;
        self.digest.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for SessionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SessionKey(#{})", self.fingerprint())
    }
}

impl FromStr for SessionKey {
    type Err = ParseSessionKeyError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (shard, digest) = text.split_once(':').ok_or(ParseSessionKeyError)?;
        let shard: &[u8; SHARD_LEN] = shard.as_bytes().try_into().map_err(|_| ParseSessionKeyError)?;
        let allowed = |c: &u8| c.is_ascii_alphanumeric() || matches!(c, b'.' | b'_' | b'-');
        let digits: &[u8; 64] = digest.as_bytes().try_into().map_err(|_| ParseSessionKeyError)?;
        if !shard.iter().all(allowed) {
            return Err(ParseSessionKeyError);
        }
        let nibble = |c: u8| match c {
            b'0'..=b'9' => Ok(c - b'0'),
            b'a'..=b'f' => Ok(c - b'a' + 10),
            _ => Err(ParseSessionKeyError),
        };
        let mut digest = [0; 32];
        for (byte, pair) in digest.iter_mut().zip(digits.chunks_exact(2)) {
            *byte = nibble(pair[0])? << 4 | nibble(pair[1])?;
        }
        Ok(Self {
            digest,
            shard: pad_shard(shard),
        })
    }
}

/// A short name of a session for logs; see [`SessionKey::fingerprint`].
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Fingerprint([u8; 4]);

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08x}", u32::from_be_bytes(self.0))
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The error of parsing a text that is not a [`SessionKey`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct ParseSessionKeyError;

impl fmt::Display for ParseSessionKeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a session key is three id characters, a colon and 64 lower-case hexadecimal digits")
    }
}

impl std::error::Error for ParseSessionKeyError {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::SessionId;

    #[test]
    fn the_digest_is_sha_256_of_the_text() {
        let id = SessionId::parse("0123456789abcdef").unwrap();
        assert_eq!(
            id.key().to_string(),
            "012:9f9f5111f7b27a781f1f1ddde5ebc2dd2b796bfc7365c9c28b548e564176929f"
        );
        assert_eq!(id.key().fingerprint().to_string(), "9f9f5111");
    }

    #[test]
    fn every_representation_shows_digits_of_the_text() {
        let id = SessionId::parse("0123456789abcdef").unwrap();
        let key = id.key();
        let (_, digest) = key
            .to_string()
            .split_once(':')
            .map(|(s, d)| (s.to_owned(), d.to_owned()))
            .unwrap();
        let fingerprint = key.fingerprint().to_string();
        assert!(digest.starts_with(&fingerprint));
        for shown in [
            format!("{key:?}"),
            format!("{id:?}"),
            format!("{:?}", key.fingerprint()),
        ] {
            assert!(shown.contains(&fingerprint), "{shown}");
        }
    }

    #[test]
    fn malformed_texts_are_not_keys() {
        let good = SessionId::parse("0123456789abcdef").unwrap().key().to_string();
        for bad in [
            String::new(),
            good.replace(':', ""),
            good.replace("012:", "01/:"),
            good.to_uppercase(),
            good[..67].to_owned(),
            format!("{good}0"),
        ] {
            assert_eq!(bad.parse::<SessionKey>(), Err(ParseSessionKeyError), "{bad}");
        }
    }
}
