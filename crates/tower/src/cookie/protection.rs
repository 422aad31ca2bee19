//! What a cookie's value is made of, beside the id.

use std::borrow::Cow;

use sessile_core::SessionId;

#[cfg(feature = "encrypted")]
use crate::keyring::Encryption;
#[cfg(feature = "signed")]
use crate::keyring::Signature;
#[cfg(any(feature = "signed", feature = "encrypted"))]
use crate::keyring::{KeyAge, KeyRing};

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

/// What a value turns out to hold.
#[derive(Debug)]
pub(crate) enum Opened {
    /// An id.
    Id(SessionId),
    /// An id that was sealed with a key which is on its way out.
    #[cfg_attr(not(any(feature = "signed", feature = "encrypted")), expect(dead_code))]
    Outdated(SessionId),
    /// Nothing that was sealed with any of the keys.
    #[cfg_attr(not(any(feature = "signed", feature = "encrypted")), expect(dead_code))]
    Forged,
    /// No id.
    Nothing,
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

    /// The id in a value.
    pub(crate) fn open(&self, value: &[u8]) -> Opened {
        match self {
            Self::None => match SessionId::parse_bytes(value) {
                Some(id) => Opened::Id(id),
                None => Opened::Nothing,
            },
            #[cfg(feature = "signed")]
            Self::Signed(signature) => self.unseal(value, |text| signature.verify(text)),
            #[cfg(feature = "encrypted")]
            Self::Encrypted(encryption) => self.unseal(value, |text| encryption.decrypt(text)),
        }
    }

    #[cfg(any(feature = "signed", feature = "encrypted"))]
    fn unseal<'a, T: AsRef<str>>(&self, value: &'a [u8], open: impl FnOnce(&'a str) -> Option<(T, KeyAge)>) -> Opened {
        if value.len() > self.max_len() {
            return Opened::Forged;
        }
        let Some((text, age)) = std::str::from_utf8(value).ok().and_then(open) else {
            return Opened::Forged;
        };
        match (SessionId::parse(text.as_ref()), age) {
            (Some(id), KeyAge::Current) => Opened::Id(id),
            (Some(id), KeyAge::Older) => Opened::Outdated(id),
            (None, _) => Opened::Nothing,
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
