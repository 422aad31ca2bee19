//! [`Cursor`], [`Page`] and [`SessionHead`]: listing sessions.

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
    pub sessions: Vec<SessionHead>,
    /// The position of the next page; `None` after the last. An empty page may have a successor.
    pub next: Option<Cursor>,
}

impl Page {
    /// Creates a page.
    #[must_use]
    pub fn new(sessions: Vec<SessionHead>, next: Option<Cursor>) -> Self {
        Self { sessions, next }
    }
}

/// A session as a listing shows it: without its payload.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SessionHead {
    /// The key under which the record is stored.
    pub key: SessionKey,
    /// The metadata.
    pub meta: Meta,
    /// The length of the payload in bytes; `None` if the storage would have to read the payload to know it.
    pub payload_len: Option<usize>,
}

impl SessionHead {
    /// Creates a head of a session whose payload has an unknown length.
    #[must_use]
    pub fn new(key: SessionKey, meta: Meta) -> Self {
        Self {
            key,
            meta,
            payload_len: None,
        }
    }

    /// Sets the length of the payload, in bytes.
    #[must_use]
    pub fn with_payload_len(mut self, length: usize) -> Self {
        self.payload_len = Some(length);
        self
    }
}
