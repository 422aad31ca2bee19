//! Values that only a holder of the keys can have made: the id, a dot, and an HMAC-SHA256 (RFC 2104) of the cookie's
//! name and the id in base64url.

use std::fmt;

use base64ct::{Base64UrlUnpadded, Encoding};
use hmac::Mac;

use super::{HmacSha256, KeyAge, KeyRing, keyed};

const PURPOSE: &str = "sessile signed cookie 1";

/// The length of a code as text.
const CODE_LEN: usize = 43;

/// Signs the values of one cookie.
#[derive(Clone)]
pub(crate) struct Signature {
    /// With the cookie's name in them already.
    keys: Vec<(HmacSha256, KeyAge)>,
}

impl Signature {
    /// By how much a signature makes a value longer.
    pub(crate) const LEN: usize = 1 + CODE_LEN;

    pub(crate) fn new(ring: &KeyRing, name: &str) -> Self {
        let keys = ring.derive(PURPOSE);
        Self {
            // No name has an equals sign in it, so no name and value are another name and value.
            keys: keys
                .map(|(key, age)| (keyed(&key).chain_update(name).chain_update("="), age))
                .collect(),
        }
    }

    /// The value with its signature.
    pub(crate) fn sign(&self, value: &str) -> String {
        let code = self.keys[0].0.clone().chain_update(value).finalize().into_bytes();
        let mut signed = String::with_capacity(value.len() + Self::LEN);
        signed.push_str(value);
        signed.push('.');
        signed.push_str(&Base64UrlUnpadded::encode_string(&code));
        signed
    }

    /// The value without its signature, and of what age the key is; `None` if it is not genuine.
    pub(crate) fn verify<'a>(&self, signed: &'a str) -> Option<(&'a str, KeyAge)> {
        let at = signed.len().checked_sub(Self::LEN)?;
        let (value, code) = signed.split_at_checked(at)?;
        let mut bytes = [0; 32];
        let code = Base64UrlUnpadded::decode(code.strip_prefix('.')?, &mut bytes).ok()?;
        let mut keys = self.keys.iter();
        keys.find_map(|(key, age)| {
            let is_genuine = key.clone().chain_update(value).verify_slice(code).is_ok();
            is_genuine.then_some((value, *age))
        })
    }
}

/// Shows no key.
impl fmt::Debug for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Signature").finish_non_exhaustive()
    }
}
