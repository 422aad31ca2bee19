//! Listing what is stored.

use std::fmt;

use crate::id::SessionKey;
use crate::storage::Meta;

/// Where a scan goes on. Only the storage that made it can read it; as bytes it can be sent elsewhere and back.
#[derive(Clone, PartialEq, Eq)]
pub struct Cursor(Box<[u8]>);

impl Cursor {
    /// A cursor of these bytes.
    #[must_use]
    pub fn from_bytes(bytes: impl Into<Box<[u8]>>) -> Self {
        Self(bytes.into())
    }

    /// The bytes of the cursor.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Cursor({})", self.0.escape_ascii())
    }
}

/// A part of a scan.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Page {
    /// Sessions that were live when they were listed.
    pub sessions: Vec<(SessionKey, Meta)>,
    /// Where the next page begins; `None` after the last. A page may be empty and still have a successor.
    pub next: Option<Cursor>,
}

impl Page {
    /// A page of these sessions, and where the next one begins.
    #[must_use]
    pub fn new(sessions: Vec<(SessionKey, Meta)>, next: Option<Cursor>) -> Self {
        Self { sessions, next }
    }
}
