//! Encodes ids as values of cookies: plain, signed or encrypted.

use std::borrow::Cow;

use sessile_core::SessionId;

#[cfg(feature = "encrypted")]
use crate::keyring::Encryption;
#[cfg(feature = "signed")]
use crate::keyring::Signature;
#[cfg(any(feature = "signed", feature = "encrypted"))]
use crate::keyring::{KeyAge, KeyRing};

/// The protection of a cookie whose name is not known yet.
#[derive(Debug, Clone)]
pub(super) enum ProtectionKeys {
    None,
    #[cfg(feature = "signed")]
    Signing(KeyRing),
    #[cfg(feature = "encrypted")]
    Encryption(KeyRing),
}

impl ProtectionKeys {
    /// Derives the keys for a cookie of this name.
    pub(super) fn for_cookie(&self, _name: &str) -> Protection {
        match self {
            Self::None => Protection::None,
            #[cfg(feature = "signed")]
            Self::Signing(ring) => Protection::Signed(Signature::new(ring, _name)),
            #[cfg(feature = "encrypted")]
            Self::Encryption(ring) => Protection::Encrypted(Encryption::new(ring, _name)),
        }
    }
}

/// A decoded value.
#[derive(Debug)]
pub(super) enum Decoded {
    /// An id.
    Id(SessionId),
    /// An id that was signed or encrypted with an older key.
    #[cfg_attr(not(any(feature = "signed", feature = "encrypted")), expect(dead_code))]
    Outdated(SessionId),
    /// A value that was made with none of the keys.
    #[cfg_attr(not(any(feature = "signed", feature = "encrypted")), expect(dead_code))]
    Forged,
    /// No id.
    Invalid,
}

/// The protection of one cookie.
#[derive(Debug, Clone)]
pub(crate) enum Protection {
    /// None: the id is random and reveals nothing.
    None,
    #[cfg(feature = "signed")]
    Signed(Signature),
    #[cfg(feature = "encrypted")]
    Encrypted(Encryption),
}

impl Protection {
    /// Encodes an id as the value of the cookie.
    pub(super) fn encode<'a>(&self, id: &'a SessionId) -> Cow<'a, str> {
        match self {
            Self::None => Cow::Borrowed(id.expose()),
            #[cfg(feature = "signed")]
            Self::Signed(signature) => signature.sign(id.expose()).into(),
            #[cfg(feature = "encrypted")]
            Self::Encrypted(encryption) => encryption.encrypt(id.expose()).into(),
        }
    }

    /// Decodes the value of a cookie.
    pub(super) fn decode(&self, value: &[u8]) -> Decoded {
        match self {
            Self::None => match SessionId::parse_bytes(value) {
                Some(id) => Decoded::Id(id),
                None => Decoded::Invalid,
            },
            #[cfg(feature = "signed")]
            Self::Signed(signature) => self.decode_with(value, |text| signature.verify(text)),
            #[cfg(feature = "encrypted")]
            Self::Encrypted(encryption) => self.decode_with(value, |text| encryption.decrypt(text)),
        }
    }

    #[cfg(any(feature = "signed", feature = "encrypted"))]
    fn decode_with<'a, T: AsRef<str>>(
        &self,
        value: &'a [u8],
        open: impl FnOnce(&'a str) -> Option<(T, KeyAge)>,
    ) -> Decoded {
        // Bounds the cost of long values.
        if value.len() > self.max_len() {
            return Decoded::Forged;
        }
        let Some((text, age)) = std::str::from_utf8(value).ok().and_then(open) else {
            return Decoded::Forged;
        };
        match (SessionId::parse(text.as_ref()), age) {
            (Some(id), KeyAge::Current) => Decoded::Id(id),
            (Some(id), KeyAge::Older) => Decoded::Outdated(id),
            (None, _) => Decoded::Invalid,
        }
    }

    /// Returns the length of the longest encoded id, in bytes.
    pub(super) fn max_len(&self) -> usize {
        match self {
            Self::None => SessionId::MAX_LEN,
            #[cfg(feature = "signed")]
            Self::Signed(_) => SessionId::MAX_LEN + Signature::LEN,
            #[cfg(feature = "encrypted")]
            Self::Encrypted(_) => Encryption::len(SessionId::MAX_LEN),
        }
    }
}
