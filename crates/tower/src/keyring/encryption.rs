//! Values that only a holder of the keys can make or read: a random nonce and the id under XChaCha20-Poly1305
//! (draft-irtf-cfrg-xchacha), with the cookie's name as associated data, in base64url. Nonces of 192 bits can be drawn
//! at random without ever meeting again.

use std::fmt;

use base64ct::{Base64UrlUnpadded, Encoding};
use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use sessile_core::{Entropy, OsEntropy};

use super::{KeyAge, KeyRing};

const PURPOSE: &str = "sessile encrypted cookie 1";

const NONCE_LEN: usize = 24;
const TAG_LEN: usize = 16;

/// Encrypts the values of one cookie.
#[derive(Clone)]
pub(crate) struct Encryption {
    keys: Vec<(XChaCha20Poly1305, KeyAge)>,
    name: Box<str>,
}

impl Encryption {
    /// The length of an encrypted value, given that of the value.
    pub(crate) const fn len(plain: usize) -> usize {
        (NONCE_LEN + plain + TAG_LEN).div_ceil(3) * 4
    }

    pub(crate) fn new(ring: &KeyRing, name: &str) -> Self {
        let keys = ring.derive(PURPOSE);
        Self {
            keys: keys
                .map(|(key, age)| (XChaCha20Poly1305::new(&key.into()), age))
                .collect(),
            name: name.into(),
        }
    }

    /// The value, unreadable.
    pub(crate) fn encrypt(&self, value: &str) -> String {
        let mut nonce = [0; NONCE_LEN];
        OsEntropy.fill(&mut nonce);
        let sealed = self.keys[0]
            .0
            .encrypt(&XNonce::from(nonce), self.payload(value.as_bytes()));
        let sealed = sealed.expect("an id is far shorter than what the cipher takes");
        Base64UrlUnpadded::encode_string(&[&nonce[..], &sealed].concat())
    }

    /// The value that was encrypted, and of what age the key is; `None` if it is not genuine.
    pub(crate) fn decrypt(&self, encrypted: &str) -> Option<(String, KeyAge)> {
        let bytes = Base64UrlUnpadded::decode_vec(encrypted).ok()?;
        let (nonce, sealed) = bytes.split_first_chunk::<NONCE_LEN>()?;
        let nonce = XNonce::from(*nonce);
        let mut keys = self.keys.iter();
        let (value, age) = keys.find_map(|(key, age)| Some((key.decrypt(&nonce, self.payload(sealed)).ok()?, *age)))?;
        Some((String::from_utf8(value).ok()?, age))
    }

    fn payload<'a>(&'a self, msg: &'a [u8]) -> Payload<'a, 'a> {
        Payload {
            msg,
            aad: self.name.as_bytes(),
        }
    }
}

/// Shows no key.
impl fmt::Debug for Encryption {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Encryption").finish_non_exhaustive()
    }
}
