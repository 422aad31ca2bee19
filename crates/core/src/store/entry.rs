//! What a [`RecordStore`](crate::RecordStore) keeps.

use std::fmt;

use bytes::Bytes;

use crate::clock::Timestamp;
use crate::entropy::Entropy;
use crate::id::SessionKey;
use crate::storage::Cursor;

/// What a [`RecordStore`](crate::RecordStore) keeps under a key: a session, or what one that moved has left behind.
///
/// Which of the two it is, is written in the [`meta`](EntryHead::meta), and is no concern of the store.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Entry {
    /// The small part.
    pub head: EntryHead,
    /// The part that can be large. Of any length, zero included.
    pub payload: Bytes,
}

impl Entry {
    /// An entry of these parts.
    #[must_use]
    pub fn new(head: EntryHead, payload: impl Into<Bytes>) -> Self {
        Self {
            head,
            payload: payload.into(),
        }
    }
}

/// The small part of an [`Entry`].
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct EntryHead {
    /// Another one with every write.
    pub version: EntryVersion,
    /// From when on the entry may be [taken out](crate::RecordStore::take_expired); `None` if it stays until it is
    /// removed.
    pub deadline: Option<Timestamp>,
    /// What [`Paired`](crate::Paired) has to know of the entry: up to [`META_MAX_LEN`](EntryHead::META_MAX_LEN) bytes,
    /// to be kept as they are.
    pub meta: Bytes,
}

impl EntryHead {
    /// How long a [`meta`](EntryHead::meta) can be, in bytes.
    pub const META_MAX_LEN: usize = 256;

    /// The head of an entry that has this version, may be taken out from this moment on, and brings this meta.
    #[must_use]
    pub fn new(version: EntryVersion, deadline: Option<Timestamp>, meta: impl Into<Bytes>) -> Self {
        Self {
            version,
            deadline,
            meta: meta.into(),
        }
    }
}

/// Shows how long the payload is, and none of it: it is the client's data.
impl fmt::Debug for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Entry")
            .field("head", &self.head)
            .field("payload", &format_args!("{} bytes", self.payload.len()))
            .finish()
    }
}

impl fmt::Debug for EntryHead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EntryHead")
            .field("version", &self.version)
            .field("deadline", &self.deadline)
            .field("meta", &format_args!("{} bytes", self.meta.len()))
            .finish()
    }
}

/// Tells two states of an entry apart. Versions are equal or not; they have no order.
///
/// Each write gets a new one of 63 random bits. So even an entry that was removed and is there again has another
/// version, and whoever has written can tell his own write from those of others.
///
/// ```
/// use sessile_core::EntryVersion;
///
/// let version = EntryVersion::from_u64(42);
/// assert_eq!(version.as_u64(), 42);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct EntryVersion(u64);

impl EntryVersion {
    /// The version with this number, as it was stored.
    #[must_use]
    pub const fn from_u64(number: u64) -> Self {
        Self(number)
    }

    /// The number to store. It is less than 2<sup>63</sup>, so it fits into a signed 64-bit column.
    #[must_use]
    pub const fn as_u64(self) -> u64 {
        self.0
    }

    pub(super) fn generate(entropy: &dyn Entropy) -> Self {
        let mut random = [0; 8];
        entropy.fill(&mut random);
        Self(u64::from_be_bytes(random) >> 1)
    }
}

/// Whether a conditional write was applied.
///
/// It was or it was not: this never grows. What else can come of a write is an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use = "a write that was not applied changed nothing"]
pub enum Applied {
    /// The condition held, and everything was written.
    Yes,
    /// The condition did not hold, and nothing was written.
    No,
}

/// A part of a [scan](crate::RecordStore::scan).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct EntryList {
    /// Entries that were there when they were listed.
    pub entries: Vec<(SessionKey, EntryHead)>,
    /// Where the next part begins; `None` after the last. A part may be empty and still have a successor.
    pub next: Option<Cursor>,
}

impl EntryList {
    /// A part of these entries, and where the next one begins.
    #[must_use]
    pub fn new(entries: Vec<(SessionKey, EntryHead)>, next: Option<Cursor>) -> Self {
        Self { entries, next }
    }
}
