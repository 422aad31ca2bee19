//! The encoding of a session in Redis: one string for each session.
//!
//! | bytes | in a record |
//! |---|---|
//! | 1 | the kind of value: 1, a record (2 is a tombstone, 3 an alias) |
//! | 6 | last activity, in milliseconds, most significant byte first |
//! | 6 | deadline, likewise; all ones if there is none |
//! | 6 | creation, likewise |
//! | 16 | the token of the holder of the lock |
//! | 6 | the end of the holder's lease by the server's clock, as a time; 0 if the lock is free |
//! | 8 | last writer: the beginning of the token of the last commit, zeros before; its last bit is the waiters mark |
//! | 1 to 10 | version, seven bits a byte, the least significant first; the highest bit says that more follow |
//! | the rest | the payload |
//!
//! In a record with facts, the version has ten bytes, and the highest bit of each is set. The length of the facts
//! follows, encoded like the version of a record without facts, then the facts, then the payload. The bytes before the
//! version are the same, so the scripts treat both kinds of records alike. Processes of a version before facts find no
//! end of the version, and refuse the record.
//!
//! A tombstone is its kind and the digest of the key to which the session has moved (32 bytes). An alias is its kind,
//! the moment at which it becomes a tombstone (6 bytes), and such a digest.
//!
//! While a slot of a cluster migrates, a session can be stored on the importing node before it leaves its old key. Such
//! an arriving record is its kind, 10, the digest of the old key, and the record. It counts only once a tombstone or
//! alias under the old key says that the session has moved to it.
//!
//! Touching and locking change parts at fixed offsets, so scripts can change them in place: a session is one key,
//! locked or not, and a cluster that migrates it moves all of it. This module leaves the lock to the scripts, and
//! encodes it as free. The last writer lets a script recognise a repeated commit. The waiters mark says that the
//! server's queue may have entries: while it is not set, no script has to look there.
//!
//! A version has exactly one encoding in a record without facts, and one in a record with facts, so that a script can
//! compare it without decoding it. No encoding is the beginning of another. The deadline is part of the value although
//! the key has a time to live, so that a plain GET returns everything.

use std::ops::Range;

use bytes::Bytes;
use sessile_core::{Facts, LockToken, Meta, Record, Timestamp};

/// The kind of a value, which is its first byte.
pub(crate) const RECORD: u8 = 1;
pub(crate) const TOMBSTONE: u8 = 2;
pub(crate) const ALIAS: u8 = 3;
pub(crate) const ARRIVING: u8 = 10;

/// The offset of the lock, and the length of its token and lease together.
const LOCK: usize = 1 + 3 * 6;
const HOLDER: usize = 16 + 6;

/// The number of bytes of the last writer's token that are kept.
const WRITER: usize = 8;

/// The offset of the version.
const VERSION: usize = LOCK + HOLDER + WRITER;

/// The length of the longest version, and of each version in a record with facts.
const VERSION_MAX: usize = 10;

/// The offset of the length of the facts in a record that has some.
const FACTS: usize = VERSION + VERSION_MAX;

/// The number of bytes that are enough to tell how long a header is. No header without facts is longer.
pub(crate) const HEADER_MIN: usize = FACTS + 2;

/// The length of the longest header.
#[cfg(any(test, feature = "__fuzzing"))]
pub(crate) const HEADER_MAX: usize = HEADER_MIN + Facts::MAX_LEN;

const NO_DEADLINE: u64 = (1 << 48) - 1;

/// The bit of the last writer that says that the server's queue may have entries.
const WAITERS_MARK: u64 = 1;

/// Encodes a record as created, or as committed under this token.
pub(crate) fn encode(record: &Record, writer: Option<&LockToken>) -> Vec<u8> {
    encode_as(record, writer.map_or(0, stamp))
}

/// Returns the last-writer bytes of a record that is written under this token.
pub(crate) fn stamp(token: &LockToken) -> u64 {
    let (beginning, _) = token.as_bytes().split_first_chunk().expect("a token is longer");
    u64::from_be_bytes(*beginning) & !WAITERS_MARK
}

/// Returns `stamp` with the waiters mark of `other`.
pub(crate) fn with_waiters_mark_of(stamp: u64, other: u64) -> u64 {
    stamp | other & WAITERS_MARK
}

/// Encodes a record as it is stored on the server, with this stamp and the lock free.
pub(crate) fn encode_as(record: &Record, stamp: u64) -> Vec<u8> {
    let Record { meta, payload, .. } = record;
    let facts = meta.facts.as_bytes();
    let mut value = Vec::with_capacity(HEADER_MIN + facts.len() + payload.len());
    value.push(RECORD);
    let deadline = meta.deadline.map_or(NO_DEADLINE, Timestamp::as_millis);
    for millis in [meta.last_active.as_millis(), deadline, meta.created_at.as_millis()] {
        value.extend_from_slice(&millis.to_be_bytes()[2..]);
    }
    value.resize(LOCK + HOLDER, 0);
    value.extend_from_slice(&stamp.to_be_bytes());
    if facts.is_empty() {
        push_number(&mut value, meta.version);
    } else {
        value.extend((0..VERSION_MAX).map(|index| (meta.version >> (7 * index)) as u8 | 0x80));
        push_number(&mut value, facts.len() as u64);
        value.extend_from_slice(facts);
    }
    value.extend_from_slice(payload);
    value
}

/// Encodes a version as in a record without facts.
pub(crate) fn encode_version(version: u64) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(VERSION_MAX);
    push_number(&mut bytes, version);
    bytes
}

fn push_number(value: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        value.push(number as u8 | 0x80);
        number >>= 7;
    }
    value.push(number as u8);
}

/// Decodes a record; `None` if it was not written by this version of the crate.
pub(crate) fn decode(value: Vec<u8>) -> Option<Record> {
    Some(decode_stamped(value)?.0)
}

/// Decodes a record and its stamp.
pub(crate) fn decode_stamped(value: Vec<u8>) -> Option<(Record, u64)> {
    let Header::Complete(meta, length) = decode_header(&value)? else {
        return None;
    };
    let stamp = u64::from_be_bytes(*value.get(LOCK + HOLDER..)?.first_chunk()?);
    Some((Record::new(meta, Bytes::from(value).slice(length..)), stamp))
}

/// The header of a record, as far as the beginning of its value has it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Header {
    /// The metadata, and the length of the header.
    Complete(Meta, usize),
    /// The length of the header, which ends behind the bytes that are given.
    Cut(usize),
}

/// Decodes the header of a record from the value, or from at least [`HEADER_MIN`] bytes at its beginning; `None` if it
/// is not the header of a record.
pub(crate) fn decode_header(value: &[u8]) -> Option<Header> {
    let (&RECORD, rest) = value.split_first()? else {
        return None;
    };
    let mut times = [0_u64; 3];
    for (time, bytes) in times.iter_mut().zip(rest.get(..18)?.chunks_exact(6)) {
        *time = bytes.iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte));
    }
    let mut version = 0_u64;
    let mut length = VERSION;
    let has_facts = loop {
        let byte = *value.get(length)?;
        version |= u64::from(byte & 0x7f) << (7 * (length - VERSION));
        length += 1;
        if byte & 0x80 == 0 {
            break false;
        }
        if length == FACTS {
            break true;
        }
    };
    let [last_active, deadline, created_at] = times;
    let deadline = (deadline != NO_DEADLINE).then(|| Timestamp::from_millis(deadline));
    let mut meta = Meta::new(Timestamp::from_millis(created_at)).with_deadline(deadline);
    meta.last_active = Timestamp::from_millis(last_active);
    meta.version = version;
    if has_facts {
        // The last of the ten bytes has the 64th bit of the version, and no other.
        if value[FACTS - 1] & 0x7e != 0 {
            return None;
        }
        let facts = locate_facts(&value[FACTS..])?;
        length = facts.end;
        let Some(facts) = value.get(facts) else {
            return Some(Header::Cut(length));
        };
        meta.facts = Facts::from_bytes(facts).ok()?;
    }
    Some(Header::Complete(meta, length))
}

/// Returns the place of the facts in a value from their length; `None` if that is missing or invalid.
fn locate_facts(length: &[u8]) -> Option<Range<usize>> {
    let (start, length) = match *length {
        [length @ 1..0x80, ..] => (FACTS + 1, usize::from(length)),
        [low @ 0x80..=0xff, high @ 1..0x80, ..] => (FACTS + 2, usize::from(low & 0x7f) | usize::from(high) << 7),
        _ => return None,
    };
    (length <= Facts::MAX_LEN).then_some(start..start + length)
}

/// Returns the digest of the key that an alias points to.
pub(crate) fn decode_alias(value: &[u8]) -> Option<&[u8; 32]> {
    match value.split_first()? {
        (&ALIAS, rest) => rest.get(6..)?.try_into().ok(),
        _ => None,
    }
}

/// Returns the digest of the key to which a session has moved: that of a tombstone, or of an alias, valid or not.
pub(crate) fn decode_moved(value: &[u8]) -> Option<&[u8; 32]> {
    match value.split_first()? {
        (&TOMBSTONE, digest) => digest.try_into().ok(),
        _ => decode_alias(value),
    }
}

/// Encodes a value that arrives from the key with this digest.
pub(crate) fn encode_arriving(from: &[u8; 32], value: &[u8]) -> Vec<u8> {
    [&[ARRIVING], &from[..], value].concat()
}

/// Returns the last millisecond of a record's life as the scripts take it: empty if it has no deadline.
///
/// Redis keeps a key up to and including the millisecond of its expiry, while a deadline is the first millisecond at
/// which the record is gone. Redis refuses times that are not positive.
pub(crate) fn expiry_arg(record: &Record) -> String {
    let last = |deadline: Timestamp| deadline.as_millis().saturating_sub(1).max(1).to_string();
    record.meta.deadline.map(last).unwrap_or_default()
}

#[cfg(test)]
mod tests;
