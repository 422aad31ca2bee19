//! What a cookie's value is made of, beside the id.

use std::borrow::Cow;

use sessile_core::SessionId;

#[cfg(feature = "encrypted")]
use crate::keyring::Encryption;
#[cfg(any(feature = "signed", feature = "encrypted"))]
use crate::keyring::KeyRing;
#[cfg(feature = "signed")]
use crate::keyring::Signature;

/// What is to be done to the values of a cookie whose name is not known yet.
#[derive(Debug, Clone)]
pub(super) enum Wanted {
    Nothing,
    #[cfg(feature = "signed")]
    Signature(KeyRing),
    #[cfg(feature = "encrypted")]
    Encryption(KeyRing),
}

impl Wanted {
    pub(super) fn of(&self, _name: &str) -> Protection {
        match self {
            Self::Nothing => Protection::None,
            #[cfg(feature = "signed")]
            Self::Signature(ring) => Protection::Signed(Signature::new(ring, _name)),
            #[cfg(feature = "encrypted")]
            Self::Encryption(ring) => Protection::Encrypted(Encryption::new(ring, _name)),
        }
    }
}

/// How an id is written into the value of a cookie.
#[derive(Debug, Clone)]
pub(crate) enum Protection {
    /// As it is: it is random, and means nothing to anybody else.
    None,
    #[cfg(feature = "signed")]
    Signed(Signature),
    #[cfg(feature = "encrypted")]
    Encrypted(Encryption),
}

impl Protection {
    /// The value that stands for this id.
    pub(crate) fn seal<'a>(&self, id: &'a SessionId) -> Cow<'a, str> {
        match self {
            Self::None => Cow::Borrowed(id.expose()),
            #[cfg(feature = "signed")]
            Self::Signed(signature) => signature.sign(id.expose()).into(),
            #[cfg(feature = "encrypted")]
            Self::Encrypted(encryption) => encryption.encrypt(id.expose()).into(),
        }
    }

    /// The id in a value; `None` if there is none, or it is not genuine.
    pub(crate) fn open(&self, value: &[u8]) -> Option<SessionId> {
        if value.len() > self.max_len() {
            return None;
        }
        #[cfg(any(feature = "signed", feature = "encrypted"))]
        let text = || std::str::from_utf8(value).ok();
        match self {
            Self::None => SessionId::parse_bytes(value),
            #[cfg(feature = "signed")]
            Self::Signed(signature) => SessionId::parse(signature.verify(text()?)?),
            #[cfg(feature = "encrypted")]
            Self::Encrypted(encryption) => SessionId::parse(&encryption.decrypt(text()?)?),
        }
    }

    /// The longest value that an id can become, in bytes.
    pub(crate) fn max_len(&self) -> usize {
        match self {
            Self::None => SessionId::MAX_LEN,
            #[cfg(feature = "signed")]
            Self::Signed(_) => SessionId::MAX_LEN + Signature::LEN,
            #[cfg(feature = "encrypted")]
            Self::Encrypted(_) => Encryption::len(SessionId::MAX_LEN),
        }
    }
}
