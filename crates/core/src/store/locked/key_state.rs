//! [`KeyState`]: what stands under a key, and how it is written into the meta of an entry.
//!
//! The meta begins with the number of this format and the kind of entry. Numbers are big-endian; a key is its text,
//! 68 bytes.

use bytes::{BufMut, Bytes, BytesMut};

use crate::clock::Timestamp;
use crate::id::SessionKey;
use crate::storage::Meta;
use crate::store::{EntryHead, EntryVersion};

const FORMAT: u8 = 1;
const LIVE: u8 = 1;
const MOVED: u8 = 2;

/// How long the text of a key is.
const KEY_LEN: usize = 68;

/// What stands under a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum KeyState {
    Live(Live),
    Moved(Moved),
}

/// A session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Live {
    pub(super) meta: Meta,
    /// The version that the last create, commit or rotation gave the entry. Touching gives it another version and
    /// leaves this as it is: so a holder can tell a touch, which is no concern of his, from a write.
    pub(super) written: EntryVersion,
}

/// What a session that moved has left: an alias at first, if it had a grace, and then a tombstone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Moved {
    pub(super) to: SessionKey,
    /// From when on this is a tombstone.
    pub(super) alias_until: Timestamp,
}

impl KeyState {
    /// What the entry says, or `None` if it makes no sense. Whether it is over is not looked at.
    pub(super) fn read(head: &EntryHead) -> Option<Self> {
        let mut meta = Reader(&head.meta);
        if meta.byte()? != FORMAT {
            return None;
        }
        let standing = match meta.byte()? {
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
        meta.0.is_empty().then_some(standing)
    }

    /// The head of an entry that says this, until then.
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
        let meta: Bytes = meta.freeze();
        EntryHead {
            version,
            deadline,
            meta,
        }
    }
}

/// Reads from the front, as long as there is something.
struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
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

    fn every_standing() -> [KeyState; 2] {
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
    fn what_is_written_can_be_read() {
        for standing in every_standing() {
            let head = standing.head(EntryVersion::from_u64(1), Some(Timestamp::MAX));
            assert!(head.meta.len() <= EntryHead::META_MAX_LEN);
            assert_eq!(KeyState::read(&head), Some(standing));
        }
    }

    #[test]
    fn anything_else_makes_no_sense_and_no_panic() {
        for standing in every_standing() {
            let head = standing.head(EntryVersion::from_u64(1), None);
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
