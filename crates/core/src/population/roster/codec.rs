//! The encoding of a [`Roster`] as the payload of a record.
//!
//! The version, 1, and the places, each of them
//!
//! | bytes | |
//! |---|---|
//! | 1 | flags: 1 if there is a next key, 2 if the session was seen |
//! | 32, 3 | the digest and the shard of the key |
//! | 32, 3 | the next key, likewise, if there is one |
//! | 1 to 10 | when the place was taken: milliseconds as an unsigned LEB128 varint |

use super::{Place, Roster};
use crate::clock::Timestamp;
use crate::id::SessionKey;
use crate::storage::{push_number, take_number};

const VERSION: u8 = 1;

const HAS_NEXT: u8 = 1;
const SETTLED: u8 = 2;

impl Roster {
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut bytes = vec![VERSION];
        for place in &self.places {
            let flag = |set, flag| if set { flag } else { 0 };
            bytes.push(flag(place.next.is_some(), HAS_NEXT) | flag(place.settled, SETTLED));
            for key in place.keys() {
                bytes.extend_from_slice(key.digest());
                bytes.extend_from_slice(key.shard_bytes());
            }
            push_number(&mut bytes, place.since.as_millis());
        }
        bytes
    }

    /// Returns `None` if the bytes are no roster of this version.
    pub(super) fn decode(bytes: &[u8]) -> Option<Self> {
        let mut rest = bytes.strip_prefix(&[VERSION])?;
        let mut places = Vec::new();
        while let Some((&flags, after)) = rest.split_first() {
            if flags & !(HAS_NEXT | SETTLED) != 0 {
                return None;
            }
            rest = after;
            places.push(Place {
                key: take_key(&mut rest)?,
                next: match flags & HAS_NEXT {
                    0 => None,
                    _ => Some(take_key(&mut rest)?),
                },
                since: Timestamp::from_millis(take_number(&mut rest)?),
                settled: flags & SETTLED != 0,
            });
        }
        Some(Self { places })
    }
}

fn take_key(bytes: &mut &[u8]) -> Option<SessionKey> {
    let (digest, rest) = bytes.split_first_chunk()?;
    let (shard, rest) = rest.split_first_chunk()?;
    *bytes = rest;
    SessionKey::from_parts(*digest, *shard)
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
        for places in [vec![], vec![place("a")], vec![place("a"), moving]] {
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
        for bytes in [vec![], vec![2], entry(4, b"abc"), entry(1, b"abc"), entry(0, b"a/c")] {
            assert_eq!(Roster::decode(&bytes), None);
        }
    }
}
