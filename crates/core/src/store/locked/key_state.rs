//! [`KeyState`]: the state of a key, and its encoding in the meta of an entry.
//!
//! The meta begins with the number of this format and the kind of the entry. Numbers are big-endian; a key is encoded
//! as its text of 68 bytes.
//!
//! A session without facts is encoded as before there were facts, so that earlier versions read it. A session with facts
//! is of another kind, which they refuse as corrupt: they would lose the facts with the next write.

use bytes::{BufMut, BytesMut};

use crate::clock::Timestamp;
use crate::id::SessionKey;
use crate::storage::{Facts, Meta};
use crate::store::{EntryHead, EntryVersion};

const FORMAT: u8 = 1;
const LIVE: u8 = 1;
const MOVED: u8 = 2;
const LIVE_WITH_FACTS: u8 = 3;

/// The length of a key as text.
const KEY_LEN: usize = 68;

/// Stands for an unknown length of a payload.
const UNKNOWN_LEN: u64 = u64::MAX;

/// The length of the longest meta without facts.
const LEN_WITHOUT_FACTS: usize = 2 + 8 + KEY_LEN;

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
    /// The length of the payload, for listings. It is stored beside facts only.
    pub(super) payload_len: Option<u64>,
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
            LIVE => Self::Live(meta.live(head.deadline)?),
            LIVE_WITH_FACTS => {
                let mut live = meta.live(head.deadline)?;
                live.payload_len = Some(meta.number()?).filter(|&length| length != UNKNOWN_LEN);
                live.meta.facts = meta.facts()?;
                Self::Live(live)
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
        let mut meta = BytesMut::with_capacity(self.capacity());
        meta.put_u8(FORMAT);
        match self {
            Self::Live(live) => {
                let facts = live.meta.facts.as_bytes();
                meta.put_u8(if facts.is_empty() { LIVE } else { LIVE_WITH_FACTS });
                meta.put_u64(live.meta.created_at.as_millis());
                meta.put_u64(live.meta.last_active.as_millis());
                meta.put_u64(live.meta.version);
                meta.put_u64(live.written.as_u64());
                if !facts.is_empty() {
                    meta.put_u64(live.payload_len.unwrap_or(UNKNOWN_LEN));
                    meta.put_u16(facts.len() as u16);
                    meta.put_slice(facts);
                }
            }
            Self::Moved(moved) => {
                meta.put_u8(MOVED);
                meta.put_u64(moved.alias_until.as_millis());
                meta.put_slice(moved.to.to_string().as_bytes());
            }
        }
        EntryHead::new(version, deadline, meta.freeze())
    }

    /// Returns the room that the encoding needs at most.
    fn capacity(&self) -> usize {
        match self {
            Self::Live(live) if !live.meta.facts.is_empty() => {
                LEN_WITHOUT_FACTS + 8 + 2 + live.meta.facts.as_bytes().len()
            }
            Self::Live(_) | Self::Moved(_) => LEN_WITHOUT_FACTS,
        }
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

    /// Decodes what the two kinds of live sessions have in common.
    fn live(&mut self, deadline: Option<Timestamp>) -> Option<Live> {
        let mut meta = Meta::new(self.timestamp()?).with_deadline(deadline);
        meta.last_active = self.timestamp()?;
        meta.version = self.number()?;
        Some(Live {
            meta,
            written: EntryVersion::from_u64(self.number()?),
            payload_len: None,
        })
    }

    /// Decodes facts, of which there are some: a session without facts is of another kind.
    fn facts(&mut self) -> Option<Facts> {
        let (length, rest) = self.0.split_first_chunk()?;
        let (facts, rest) = rest.split_at_checked(u16::from_be_bytes(*length).into())?;
        self.0 = rest;
        Facts::from_bytes(facts).ok().filter(|facts| !facts.is_empty())
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

    fn every_state() -> Vec<KeyState> {
        let mut meta = Meta::new(Timestamp::from_millis(5)).with_deadline(Some(Timestamp::MAX));
        meta.last_active = Timestamp::from_millis(6);
        meta.version = u64::MAX;
        let live = Live {
            meta,
            written: EntryVersion::from_u64(7),
            payload_len: None,
        };
        let with_facts = |facts: &[u8], payload_len| {
            let meta = live.meta.clone().with_facts(Facts::from_bytes(facts).unwrap());
            KeyState::Live(Live {
                meta,
                payload_len,
                ..live
            })
        };
        let longest = [&[0x63, 0xfd, 0x07][..], &[7; Facts::MAX_LEN - 3]].concat();
        let moved = Moved {
            to: SessionId::generate(&OsEntropy).key(),
            alias_until: Timestamp::from_millis(8),
        };
        vec![
            with_facts(b"\x01\x03ada\x63\x00", None),
            with_facts(&longest, Some(9)),
            KeyState::Live(live),
            KeyState::Moved(moved),
        ]
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
    fn a_session_without_facts_has_the_bytes_of_earlier_versions() {
        let live = Live {
            meta: Meta::new(Timestamp::from_millis(5)),
            written: EntryVersion::from_u64(7),
            payload_len: Some(9),
        };
        let head = KeyState::Live(live).head(EntryVersion::from_u64(1), None);
        let numbers = [5, 5, 1, 7].map(u64::to_be_bytes).concat();
        assert_eq!(head.meta, [&[1, 1][..], &numbers].concat());
    }

    #[test]
    fn malformed_facts_make_malformed_meta() {
        let [facts, ..] = &every_state()[..] else {
            panic!("there are some")
        };
        let head = facts.head(EntryVersion::from_u64(1), None);
        let at = head.meta.len() - b"\x01\x03ada\x63\x00".len();
        for (at, byte) in [(at, 0x63), (at + 1, 4), (at + 2, 0xff)] {
            let mut other = head.meta.to_vec();
            other[at] = byte;
            assert_eq!(KeyState::read(&EntryHead::new(head.version, None, other)), None);
        }
        let mut none = head.meta[..at].to_vec();
        none[at - 1] = 0;
        assert_eq!(KeyState::read(&EntryHead::new(head.version, None, none)), None);
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
            for kind in [0, 4, 255] {
                let mut other = head.meta.to_vec();
                other.truncate(other.len() - 1);
                other[1] = kind;
                let meta = other.into();
                assert_eq!(KeyState::read(&EntryHead { meta, ..head.clone() }), None);
            }
        }
    }
}
