//! Keys that make the values of cookies genuine, or unreadable.

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

/// Secret keys, one of which makes new cookies while all accept those that come back.
///
/// Keys are changed without logging anybody out in three steps, each of which is deployed everywhere before the next
/// begins. Without the first, visitors of a server that has the new key would come to one that does not know it yet, and
/// stand there without a session:
///
/// ```
/// use sessile_tower::{KeyError, KeyRing};
/// # let (old, new) = ([1; 32], [2; 32]);
///
/// let ring = KeyRing::new(old)?.accept(new)?; // 1. every server learns to read what the new key makes
/// let ring = KeyRing::new(new)?.or(old)?; // 2. the new key makes cookies, and old ones are made anew when they are seen
/// let ring = KeyRing::new(new)?; // 3. after as long as a session lasts, the old key goes
/// assert_eq!(format!("{ring:?}"), "KeyRing(1 key)");
/// assert_eq!(KeyRing::new("secret").unwrap_err(), KeyError::TooShort);
/// # Ok::<_, KeyError>(())
/// ```
///
/// Cookies that no key accepts count as none. They are counted, and an event says so at the first, the second, the fourth
/// and so on, with the feature `tracing`.
///
/// Each key has at least 32 bytes, and they have to be random: a password will not do. Servers that share sessions
/// share the ring. What is used to sign and to encrypt is derived from a key separately, so a ring can do both, and for
/// any number of cookies; a value counts only in a cookie of the name it was made for.
#[derive(Clone)]
pub struct KeyRing {
    /// The one that makes cookies first; never empty.
    keys: Vec<(Box<[u8]>, KeyAge)>,
}

/// Whether what a key has made is to stay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum KeyAge {
    /// It is.
    Current,
    /// It is to be made anew.
    Older,
}

impl KeyRing {
    /// The shortest key, in bytes.
    pub const MIN_KEY_LEN: usize = 32;

    /// A ring with one key, which makes cookies and accepts them.
    ///
    /// # Errors
    ///
    /// If the key has less than 32 bytes.
    pub fn new(key: impl AsRef<[u8]>) -> Result<Self, KeyError> {
        Self { keys: Vec::new() }.accept(key)
    }

    /// The ring with one more key that accepts cookies and makes none, such as one that is going to make them soon. The
    /// cookies it accepts stay as they are.
    ///
    /// # Errors
    ///
    /// If the key has less than 32 bytes.
    pub fn accept(self, key: impl AsRef<[u8]>) -> Result<Self, KeyError> {
        self.with(key.as_ref(), KeyAge::Current)
    }

    /// The ring with one more key, which made cookies in the past. A cookie that it accepts is made anew, with the key
    /// that makes cookies now, when its session is visited.
    ///
    /// # Errors
    ///
    /// If the key has less than 32 bytes.
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

    /// For each key, that which makes cookies first, another that is good for one purpose only.
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

/// Shows no key.
impl fmt::Debug for KeyRing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let keys = self.keys.len();
        write!(f, "KeyRing({keys} key{})", if keys == 1 { "" } else { "s" })
    }
}
