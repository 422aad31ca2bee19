//! [`Encryption`]: encrypts ids. An encrypted value is the base64url of a random nonce and the id under
//! XChaCha20-Poly1305 (draft-irtf-cfrg-xchacha), with the cookie's name as associated data. Random nonces of 192 bits
//! do not repeat in practice.

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
    /// Returns the length of the encrypted form of a value of length `plain`.
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

    /// Encrypts a value.
    pub(crate) fn encrypt(&self, value: &str) -> String {
        let mut nonce = [0; NONCE_LEN];
        OsEntropy.fill(&mut nonce);
        let encrypted = self.keys[0]
            .0
            .encrypt(&XNonce::from(nonce), self.payload(value.as_bytes()));
        let encrypted = encrypted.expect("an id is far shorter than the limit of the cipher");
        Base64UrlUnpadded::encode_string(&[&nonce[..], &encrypted].concat())
    }

    /// Decrypts a value, and returns the age of the key; `None` if no key has encrypted it.
    pub(crate) fn decrypt(&self, encrypted: &str) -> Option<(String, KeyAge)> {
        let bytes = Base64UrlUnpadded::decode_vec(encrypted).ok()?;
        let (nonce, ciphertext) = bytes.split_first_chunk::<NONCE_LEN>()?;
        let nonce = XNonce::from(*nonce);
        let mut keys = self.keys.iter();
        let (value, age) =
            keys.find_map(|(key, age)| Some((key.decrypt(&nonce, self.payload(ciphertext)).ok()?, *age)))?;
        Some((String::from_utf8(value).ok()?, age))
    }

    fn payload<'a>(&'a self, msg: &'a [u8]) -> Payload<'a, 'a> {
        Payload {
            msg,
            aad: self.name.as_bytes(),
        }
    }
}

/// Omits the keys.
impl fmt::Debug for Encryption {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Encryption").finish_non_exhaustive()
    }
}
