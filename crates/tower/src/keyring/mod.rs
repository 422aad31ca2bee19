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

/// Secret keys, of which the newest makes new cookies and all accept those that come back.
///
/// To change keys without logging anybody out, put the new key first and keep the old one for as long as a session
/// lasts. A cookie made with an older key is made anew when its id or its end changes next.
///
/// Each key has at least 32 bytes, and they have to be random: a password will not do. Servers that share sessions
/// share the ring. What is used to sign and to encrypt is derived from a key separately, so a ring can do both, and for
/// any number of cookies; a value counts only in a cookie of the name it was made for.
///
/// ```
/// use sessile_tower::{KeyError, KeyRing};
/// # let (new_key, old_key) = ([1; 32], [2; 32]);
///
/// let ring = KeyRing::new(new_key)?.or(old_key)?;
/// assert_eq!(format!("{ring:?}"), "KeyRing(2 keys)");
/// assert_eq!(KeyRing::new("secret").unwrap_err(), KeyError::TooShort);
/// # Ok::<_, KeyError>(())
/// ```
#[derive(Clone)]
pub struct KeyRing {
    /// The newest first; never empty.
    keys: Vec<Box<[u8]>>,
}

impl KeyRing {
    /// The shortest key, in bytes.
    pub const MIN_KEY_LEN: usize = 32;

    /// A ring with one key.
    ///
    /// # Errors
    ///
    /// If the key has less than 32 bytes.
    pub fn new(key: impl AsRef<[u8]>) -> Result<Self, KeyError> {
        Self { keys: Vec::new() }.or(key)
    }

    /// The ring with one more key, which is older than those in it.
    ///
    /// # Errors
    ///
    /// If the key has less than 32 bytes.
    pub fn or(mut self, older: impl AsRef<[u8]>) -> Result<Self, KeyError> {
        let key = older.as_ref();
        if key.len() < Self::MIN_KEY_LEN {
            return Err(KeyError::TooShort);
        }
        self.keys.push(key.into());
        Ok(self)
    }

    /// For each key, the newest first, another that is good for one purpose only.
    fn derive(&self, purpose: &str) -> impl Iterator<Item = [u8; 32]> {
        self.keys.iter().map(move |key| {
            let derived = keyed(key).chain_update(purpose);
            derived.finalize().into_bytes().into()
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
