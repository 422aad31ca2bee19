//! [`KeyRing`]: the keys that sign and encrypt the values of cookies.

#[cfg(feature = "encrypted")]
mod encryption;
mod error;
#[cfg(feature = "signed")]
mod signature;

use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

#[cfg(feature = "encrypted")]
pub(crate) use self::encryption::Encryption;
pub use self::error::KeyError;
#[cfg(feature = "signed")]
pub(crate) use self::signature::Signature;

type HmacSha256 = Hmac<Sha256>;

/// Secret keys for cookies: the first signs or encrypts new ones, and all of them accept existing ones.
///
/// Rotate keys in three steps, each deployed on every server before the next begins, so that no visitor loses a
/// session. Without the first step, a server with the new key would make cookies that other servers reject:
///
/// ```
/// use sessile_tower::{KeyError, KeyRing};
/// # let (old, new) = ([1; 32], [2; 32]);
///
/// let ring = KeyRing::new(old)?.accept(new)?; // 1. every server accepts cookies of the new key
/// let ring = KeyRing::new(new)?.or(old)?; // 2. the new key makes cookies and replaces old ones
/// let ring = KeyRing::new(new)?; // 3. after the longest lifetime of a session, remove the old key
/// assert_eq!(format!("{ring:?}"), "KeyRing(1 key)");
/// assert_eq!(KeyRing::new("secret").unwrap_err(), KeyError::TooShort);
/// # Ok::<_, KeyError>(())
/// ```
///
/// The carrier ignores cookies that no key accepts. It counts them, and with the feature `tracing` reports the first,
/// the second, the fourth and so on.
///
/// A key has at least 32 random bytes; a password is not enough. Servers that share sessions must share the ring.
/// Signing and encryption use separate keys, derived per purpose, so one ring serves both, for any number of cookies. A
/// value is valid only in a cookie of the name it was made for.
#[derive(Clone)]
pub struct KeyRing {
    /// Never empty; the first makes cookies.
    keys: Vec<(Box<[u8]>, KeyAge)>,
}

/// The age of a key, which decides about its cookies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum KeyAge {
    /// Its cookies are kept.
    Current,
    /// Its cookies are replaced.
    Older,
}

impl KeyRing {
    /// The minimum length of a key, in bytes.
    pub const MIN_KEY_LEN: usize = 32;

    /// Creates a ring with one key, which makes and accepts cookies.
    ///
    /// # Errors
    ///
    /// If the key has fewer than 32 bytes.
    pub fn new(key: impl AsRef<[u8]>) -> Result<Self, KeyError> {
        Self { keys: Vec::new() }.accept(key)
    }

    /// Adds a key that accepts cookies and makes none, such as the next one. Its cookies are kept.
    ///
    /// # Errors
    ///
    /// If the key has fewer than 32 bytes.
    pub fn accept(self, key: impl AsRef<[u8]>) -> Result<Self, KeyError> {
        self.with(key.as_ref(), KeyAge::Current)
    }

    /// Adds a former key, which accepts cookies and makes none. When a session with such a cookie is visited, the first
    /// key makes a new cookie.
    ///
    /// # Errors
    ///
    /// If the key has fewer than 32 bytes.
    pub fn or(self, older: impl AsRef<[u8]>) -> Result<Self, KeyError> {
        self.with(older.as_ref(), KeyAge::Older)
    }

    fn with(mut self, key: &[u8], age: KeyAge) -> Result<Self, KeyError> {
        if key.len() < Self::MIN_KEY_LEN {
            return Err(KeyError::TooShort);
        }
        self.keys.push((key.into(), age));
        Ok(self)
    }

    /// Derives from each key, in their order, a key for one purpose.
    fn derive(&self, purpose: &str) -> impl Iterator<Item = ([u8; 32], KeyAge)> {
        self.keys.iter().map(move |(key, age)| {
            let derived = keyed(key).chain_update(purpose);
            (derived.finalize().into_bytes().into(), *age)
        })
    }
}

fn keyed(key: &[u8]) -> HmacSha256 {
    HmacSha256::new_from_slice(key).expect("HMAC takes keys of any length")
}

/// Omits the keys.
impl fmt::Debug for KeyRing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let keys = self.keys.len();
        write!(f, "KeyRing({keys} key{})", if keys == 1 { "" } else { "s" })
    }
}
