//! [`Signature`]: signs ids. A signed value is the id, a dot, and the base64url of an HMAC-SHA256 (RFC 2104) over the
//! cookie's name and the id.

use std::fmt;

use base64ct::{Base64UrlUnpadded, Encoding};
use hmac::Mac;

use super::{HmacSha256, KeyAge, KeyRing, keyed};

const PURPOSE: &str = "sessile signed cookie 1";

/// The length of an encoded HMAC.
const CODE_LEN: usize = 43;

/// Signs the values of one cookie.
#[derive(Clone)]
pub(crate) struct Signature {
    /// Initialised with the cookie's name.
    keys: Vec<(HmacSha256, KeyAge)>,
}

impl Signature {
    /// The number of bytes that a signature adds to a value.
    pub(crate) const LEN: usize = 1 + CODE_LEN;

    pub(crate) fn new(ring: &KeyRing, name: &str) -> Self {
        let keys = ring.derive(PURPOSE);
        Self {
            // Names contain no equals sign, so it separates name and value unambiguously.
            keys: keys
                .map(|(key, age)| (keyed(&key).chain_update(name).chain_update("="), age))
                .collect(),
        }
    }

    /// Appends the signature to a value.
    pub(crate) fn sign(&self, value: &str) -> String {
        let code = self.keys[0].0.clone().chain_update(value).finalize().into_bytes();
        let mut signed = String::with_capacity(value.len() + Self::LEN);
        signed.push_str(value);
        signed.push('.');
        signed.push_str(&Base64UrlUnpadded::encode_string(&code));
        signed
    }

    /// Returns the value without its signature, and the age of the key; `None` if no key has made the signature.
    pub(crate) fn verify<'a>(&self, signed: &'a str) -> Option<(&'a str, KeyAge)> {
        let at = signed.len().checked_sub(Self::LEN)?;
        let (value, code) = signed.split_at_checked(at)?;
        let mut bytes = [0; 32];
        let code = Base64UrlUnpadded::decode(code.strip_prefix('.')?, &mut bytes).ok()?;
        let mut keys = self.keys.iter();
        keys.find_map(|(key, age)| {
            let is_authentic = key.clone().chain_update(value).verify_slice(code).is_ok();
            is_authentic.then_some((value, *age))
        })
    }
}

/// Omits the keys.
impl fmt::Debug for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Signature").finish_non_exhaustive()
    }
}
