//! [`Cursor`] and [`Page`]: listing sessions.

use std::fmt;

use crate::id::SessionKey;
use crate::storage::Meta;

/// The position at which a scan continues. Only the storage that made it understands it; as bytes it can be sent
/// elsewhere and back.
#[derive(Clone, PartialEq, Eq)]
pub struct Cursor(Box<[u8]>);

impl Cursor {
    /// Creates a cursor from its bytes.
    #[must_use]
    pub fn from_bytes(bytes: impl Into<Box<[u8]>>) -> Self {
        Self(bytes.into())
    }

    /// Returns the bytes of the cursor.
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

/// One page of a scan.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Page {
    /// The sessions, each of which was live when it was listed.
    pub sessions: Vec<(SessionKey, Meta)>,
    /// The position of the next page; `None` after the last. An empty page may have a successor.
    pub next: Option<Cursor>,
}

impl Page {
    /// Creates a page.
    #[must_use]
    pub fn new(sessions: Vec<(SessionKey, Meta)>, next: Option<Cursor>) -> Self {
        Self { sessions, next }
    }
}
