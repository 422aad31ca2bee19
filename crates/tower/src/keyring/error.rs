//! [`KeyError`].

use std::error::Error;
use std::fmt;

/// An invalid key for a [`KeyRing`](crate::KeyRing).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum KeyError {
    /// The key has fewer than [32 bytes](crate::KeyRing::MIN_KEY_LEN).
    TooShort,
}

impl fmt::Display for KeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key has at least 32 bytes")
    }
}

impl Error for KeyError {}
