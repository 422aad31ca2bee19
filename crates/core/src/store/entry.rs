//! [`Entry`]: the unit of storage of a [`RecordStore`](crate::RecordStore).

use std::fmt;

use bytes::Bytes;

use crate::clock::Timestamp;
use crate::entropy::Entropy;
use crate::id::SessionKey;
use crate::storage::Cursor;

/// A value that a [`RecordStore`](crate::RecordStore) keeps under a key: a session, or a pointer to the new key of a
/// session that has moved.
///
/// The [`meta`](EntryHead::meta) says which of the two it is; the store need not know.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Entry {
    /// The version, the deadline and the meta, which are small.
    pub head: EntryHead,
    /// The payload, which can be large or empty.
    pub payload: Bytes,
}

impl Entry {
    /// Creates an entry.
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
    /// The version, which changes with every write.
    pub version: EntryVersion,
    /// The first moment at which the entry may be [taken out](crate::RecordStore::take_expired); `None` if it stays
    /// until it is removed.
    pub deadline: Option<Timestamp>,
    /// Metadata of [`LockedStore`](crate::LockedStore): up to [`META_MAX_LEN`](EntryHead::META_MAX_LEN) bytes, which
    /// the store keeps unchanged.
    pub meta: Bytes,
}

impl EntryHead {
    /// The maximum length of a [`meta`](EntryHead::meta), in bytes. Most are shorter than 100 bytes: only those of
    /// sessions with [facts](crate::Facts) are longer.
    pub const META_MAX_LEN: usize = 1_280;

    /// Creates a head.
    #[must_use]
    pub fn new(version: EntryVersion, deadline: Option<Timestamp>, meta: impl Into<Bytes>) -> Self {
        Self {
            version,
            deadline,
            meta: meta.into(),
        }
    }
}

/// Shows the length of the payload and hides its contents, as it is the client's data.
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

/// Identifies one state of an entry. Versions can be compared for equality and have no order.
///
/// Each write gets a new version of 63 random bits. An entry that was removed and inserted again has a new version,
/// too, and a writer can tell its own write from those of others.
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
    /// Creates a version from its stored number.
    #[must_use]
    pub const fn from_u64(number: u64) -> Self {
        Self(number)
    }

    /// Returns the number to store. It is less than 2<sup>63</sup>, so it fits into a signed 64-bit column.
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

/// The result of a conditional write.
///
/// Any other result is an error, so this enum never grows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use = "a write that was not applied changed nothing"]
pub enum Applied {
    /// The condition held, and everything was written.
    Yes,
    /// The condition did not hold, and nothing was written.
    No,
}

/// One part of a [scan](crate::RecordStore::scan).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct EntryList {
    /// The entries, each of which existed when it was listed.
    pub entries: Vec<(SessionKey, EntryHead)>,
    /// The position of the next part; `None` after the last. An empty part may have a successor.
    pub next: Option<Cursor>,
}

impl EntryList {
    /// Creates a part of a scan.
    #[must_use]
    pub fn new(entries: Vec<(SessionKey, EntryHead)>, next: Option<Cursor>) -> Self {
        Self { entries, next }
    }
}
