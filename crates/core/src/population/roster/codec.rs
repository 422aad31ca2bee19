//! The encoding of a [`Roster`] as the payload of a record.
//!
//! The version, 1, and the places, each of them
//!
//! | bytes | |
//! |---|---|
//! | 1 | flags: 1 if there are next keys, 2 if the session was seen, 4, 8, 16 and 32 for the last four |
//! | 32, 3 | the digest and the shard of the key |
//! | 1 | the number of next keys, if there are any |
//! | 32, 3 | each of them, likewise |
//! | 1 to 10 | when the place was taken: milliseconds as an unsigned LEB128 varint |
//! | 1 to 10 | the deadline of the session, likewise, if it is known |
//! | 2 or more | the owner: the length as a varint, and the text |
//! | 2 to 11 | the end of the session: the reason, and when it is due, likewise |
//! | 36 or more | the former keys, like the next keys |

use super::{Ending, Place, Roster};
use crate::clock::Timestamp;
use crate::events::EndReason;
use crate::id::SessionKey;
use crate::varint;

const VERSION: u8 = 1;

const HAS_NEXT: u8 = 1;
const SETTLED: u8 = 2;
const HAS_DEADLINE: u8 = 4;
const HAS_OWNER: u8 = 8;
const IS_ENDING: u8 = 16;
const HAS_FORMER: u8 = 32;

impl Roster {
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut bytes = vec![VERSION];
        for place in &self.places {
            let flag = |set, flag| if set { flag } else { 0 };
            bytes.push(
                flag(!place.next.is_empty(), HAS_NEXT)
                    | flag(place.settled, SETTLED)
                    | flag(place.deadline.is_some(), HAS_DEADLINE)
                    | flag(place.owner.is_some(), HAS_OWNER)
                    | flag(place.ending.is_some(), IS_ENDING)
                    | flag(!place.former.is_empty(), HAS_FORMER),
            );
            push_key(&mut bytes, &place.key);
            push_keys(&mut bytes, &place.next);
            varint::push(&mut bytes, place.since.as_millis());
            if let Some(deadline) = place.deadline {
                varint::push(&mut bytes, deadline.as_millis());
            }
            if let Some(owner) = &place.owner {
                varint::push(&mut bytes, owner.len() as u64);
                bytes.extend_from_slice(owner.as_bytes());
            }
            if let Some(Ending { reason, due }) = place.ending {
                bytes.push(reason as u8);
                varint::push(&mut bytes, due.as_millis());
            }
            push_keys(&mut bytes, &place.former);
        }
        bytes
    }

    /// Returns `None` if the bytes are no roster of this version.
    pub(super) fn decode(bytes: &[u8]) -> Option<Self> {
        let mut rest = bytes.strip_prefix(&[VERSION])?;
        let mut places = Vec::new();
        while let Some((&flags, after)) = rest.split_first() {
            if flags & !(HAS_NEXT | SETTLED | HAS_DEADLINE | HAS_OWNER | IS_ENDING | HAS_FORMER) != 0 {
                return None;
            }
            rest = after;
            let has = |flag| flags & flag != 0;
            let mut place = Place::new(take_key(&mut rest)?, Timestamp::MIN);
            place.settled = has(SETTLED);
            if has(HAS_NEXT) {
                place.next = take_keys(&mut rest)?;
            }
            place.since = take_moment(&mut rest)?;
            if has(HAS_DEADLINE) {
                place.deadline = Some(take_moment(&mut rest)?);
            }
            if has(HAS_OWNER) {
                place.owner = Some(take_text(&mut rest)?.into());
            }
            if has(IS_ENDING) {
                let (&reason, after) = rest.split_first()?;
                rest = after;
                place.ending = Some(Ending {
                    reason: EndReason::ALL.into_iter().find(|known| *known as u8 == reason)?,
                    due: take_moment(&mut rest)?,
                });
            }
            if has(HAS_FORMER) {
                place.former = take_keys(&mut rest)?;
            }
            places.push(place);
        }
        Some(Self { places })
    }
}

fn push_key(bytes: &mut Vec<u8>, key: &SessionKey) {
    bytes.extend_from_slice(key.digest());
    bytes.extend_from_slice(key.shard_bytes());
}

/// Appends the number of keys, and the keys, if there are any.
fn push_keys(bytes: &mut Vec<u8>, keys: &[SessionKey]) {
    if !keys.is_empty() {
        bytes.push(u8::try_from(keys.len()).expect("a place has few keys"));
        keys.iter().for_each(|key| push_key(bytes, key));
    }
}

fn take_moment(bytes: &mut &[u8]) -> Option<Timestamp> {
    varint::take(bytes).map(Timestamp::from_millis)
}

fn take_text<'a>(bytes: &mut &'a [u8]) -> Option<&'a str> {
    let length = usize::try_from(varint::take(bytes)?).ok()?;
    let (text, rest) = bytes.split_at_checked(length)?;
    *bytes = rest;
    std::str::from_utf8(text).ok()
}

fn take_key(bytes: &mut &[u8]) -> Option<SessionKey> {
    let (digest, rest) = bytes.split_first_chunk()?;
    let (shard, rest) = rest.split_first_chunk()?;
    *bytes = rest;
    SessionKey::from_parts(*digest, *shard)
}

fn take_keys(bytes: &mut &[u8]) -> Option<Vec<SessionKey>> {
    let (&count, rest) = bytes.split_first()?;
    *bytes = rest;
    (0..count).map(|_| take_key(bytes)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_encoded_roster_is_decoded() {
        let place = |name| Place::new(SessionKey::derive("test", name), Timestamp::from_millis(7));
        let mut moving = place("b");
        moving.move_on(moving.key, SessionKey::derive("test", "c"));
        moving.settled = true;
        let mut ending = place("d");
        ending.deadline = Some(Timestamp::from_millis(300));
        ending.owner = Some("ada".into());
        ending.ending = Some(Ending {
            reason: EndReason::OverLimit,
            due: Timestamp::MAX,
        });
        ending.found_at(SessionKey::derive("test", "e"));
        for places in [vec![], vec![place("a")], vec![place("a"), moving, ending]] {
            let roster = Roster { places };
            let bytes = roster.encode();
            assert_eq!(Roster::decode(&bytes).as_ref(), Some(&roster));
            for length in 0..bytes.len() {
                assert_ne!(Roster::decode(&bytes[..length]).as_ref(), Some(&roster));
            }
        }
    }

    #[test]
    fn bytes_that_are_no_roster_are_refused() {
        let key = SessionKey::derive("test", "a");
        let entry = |flags: u8, shard: &[u8]| [&[VERSION, flags][..], key.digest(), shard, &[7]].concat();
        assert!(Roster::decode(&entry(0, b"abc")).is_some());
        for bytes in [
            vec![],
            vec![2],
            entry(64, b"abc"),
            entry(16, b"abc"),
            entry(1, b"abc"),
            entry(0, b"a/c"),
        ] {
            assert_eq!(Roster::decode(&bytes), None);
        }
    }
}
