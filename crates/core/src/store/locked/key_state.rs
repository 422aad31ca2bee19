//! [`KeyState`]: the state of a key, and its encoding in the meta of an entry.
//!
//! The meta begins with the number of this format and the kind of the entry. Numbers are big-endian; a key is encoded
//! as its text of 68 bytes.

use bytes::{BufMut, BytesMut};

use crate::clock::Timestamp;
use crate::id::SessionKey;
use crate::storage::Meta;
use crate::store::{EntryHead, EntryVersion};

const FORMAT: u8 = 1;
const LIVE: u8 = 1;
const MOVED: u8 = 2;

/// The length of a key as text.
const KEY_LEN: usize = 68;

/// The state of a key under which there is an entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum KeyState {
    Live(Live),
    Moved(Moved),
}

/// A session, whose deadline may have come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Live {
    pub(super) meta: Meta,
    /// The version of the entry after the last create, commit or rotation. A touch changes the version of the entry but
    /// not this one, so a holder can tell a touch, which does not conflict with its commit, from a write.
    pub(super) written: EntryVersion,
}

/// A pointer to the new key of a session that has moved: an alias until the grace is over, then a tombstone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Moved {
    pub(super) to: SessionKey,
    /// The first moment at which this is a tombstone.
    pub(super) alias_until: Timestamp,
}

impl KeyState {
    /// Decodes the state of an entry, or returns `None` if it is malformed. Does not check the deadline.
    pub(super) fn read(head: &EntryHead) -> Option<Self> {
        let mut meta = MetaReader(&head.meta);
        if meta.byte()? != FORMAT {
            return None;
        }
        let state = match meta.byte()? {
            LIVE => {
                let mut stored = Meta::new(meta.timestamp()?).with_deadline(head.deadline);
                stored.last_active = meta.timestamp()?;
                stored.version = meta.number()?;
                Self::Live(Live {
                    meta: stored,
                    written: EntryVersion::from_u64(meta.number()?),
                })
            }
            MOVED => Self::Moved(Moved {
                alias_until: meta.timestamp()?,
                to: meta.key()?,
            }),
            _ => return None,
        };
        meta.0.is_empty().then_some(state)
    }

    /// Encodes the head of an entry in this state.
    pub(super) fn head(&self, version: EntryVersion, deadline: Option<Timestamp>) -> EntryHead {
        let mut meta = BytesMut::with_capacity(EntryHead::META_MAX_LEN);
        meta.put_u8(FORMAT);
        match self {
            Self::Live(live) => {
                meta.put_u8(LIVE);
                meta.put_u64(live.meta.created_at.as_millis());
                meta.put_u64(live.meta.last_active.as_millis());
                meta.put_u64(live.meta.version);
                meta.put_u64(live.written.as_u64());
            }
            Self::Moved(moved) => {
                meta.put_u8(MOVED);
                meta.put_u64(moved.alias_until.as_millis());
                meta.put_slice(moved.to.to_string().as_bytes());
            }
        }
        EntryHead::new(version, deadline, meta.freeze())
    }
}

/// Decodes from the front of a slice; `None` at its end.
struct MetaReader<'a>(&'a [u8]);

impl MetaReader<'_> {
    fn byte(&mut self) -> Option<u8> {
        let (byte, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*byte)
    }

    fn number(&mut self) -> Option<u64> {
        let (number, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(u64::from_be_bytes(*number))
    }

    fn timestamp(&mut self) -> Option<Timestamp> {
        self.number().map(Timestamp::from_millis)
    }

    fn key(&mut self) -> Option<SessionKey> {
        let (text, rest) = self.0.split_first_chunk::<KEY_LEN>()?;
        self.0 = rest;
        std::str::from_utf8(text).ok()?.parse().ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entropy::OsEntropy;
    use crate::id::SessionId;

    fn every_state() -> [KeyState; 2] {
        let mut meta = Meta::new(Timestamp::from_millis(5)).with_deadline(Some(Timestamp::MAX));
        meta.last_active = Timestamp::from_millis(6);
        meta.version = u64::MAX;
        let live = Live {
            meta,
            written: EntryVersion::from_u64(7),
        };
        let moved = Moved {
            to: SessionId::generate(&OsEntropy).key(),
            alias_until: Timestamp::from_millis(8),
        };
        [KeyState::Live(live), KeyState::Moved(moved)]
    }

    #[test]
    fn encoded_states_can_be_decoded() {
        for state in every_state() {
            let head = state.head(EntryVersion::from_u64(1), Some(Timestamp::MAX));
            assert!(head.meta.len() <= EntryHead::META_MAX_LEN);
            assert_eq!(KeyState::read(&head), Some(state));
        }
    }

    #[test]
    fn malformed_meta_is_none_and_does_not_panic() {
        for state in every_state() {
            let head = state.head(EntryVersion::from_u64(1), None);
            for length in 0..head.meta.len() {
                let meta = head.meta.slice(..length);
                assert_eq!(KeyState::read(&EntryHead { meta, ..head.clone() }), None);
            }
            let mut longer = head.meta.to_vec();
            longer.push(0);
            let head = EntryHead {
                meta: longer.into(),
                ..head
            };
            assert_eq!(KeyState::read(&head), None);
            for kind in [0, 3, 255] {
                let mut other = head.meta.to_vec();
                other.truncate(other.len() - 1);
                other[1] = kind;
                let meta = other.into();
                assert_eq!(KeyState::read(&EntryHead { meta, ..head.clone() }), None);
            }
        }
    }
}
