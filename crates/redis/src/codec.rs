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
//! A version has exactly one encoding, so that a script can compare it without decoding it. The deadline is part of the
//! value although the key has a time to live, so that a plain GET returns everything.

use bytes::Bytes;
use sessile_core::{LockToken, Meta, Record, Timestamp};

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

/// The length of the longest header. A scan reads this much of each value.
pub(crate) const HEADER_MAX: usize = VERSION + 10;

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
    let mut value = Vec::with_capacity(HEADER_MAX + payload.len());
    value.push(RECORD);
    let deadline = meta.deadline.map_or(NO_DEADLINE, Timestamp::as_millis);
    for millis in [meta.last_active.as_millis(), deadline, meta.created_at.as_millis()] {
        value.extend_from_slice(&millis.to_be_bytes()[2..]);
    }
    value.resize(LOCK + HOLDER, 0);
    value.extend_from_slice(&stamp.to_be_bytes());
    push_version(&mut value, meta.version);
    value.extend_from_slice(payload);
    value
}

/// Encodes a version as in a record. No encoding is the beginning of another.
pub(crate) fn encode_version(version: u64) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(10);
    push_version(&mut bytes, version);
    bytes
}

fn push_version(value: &mut Vec<u8>, mut version: u64) {
    while version >= 0x80 {
        value.push(version as u8 | 0x80);
        version >>= 7;
    }
    value.push(version as u8);
}

/// Decodes a record; `None` if it was not written by this version of the crate.
pub(crate) fn decode(value: Vec<u8>) -> Option<Record> {
    Some(decode_stamped(value)?.0)
}

/// Decodes a record and its stamp.
pub(crate) fn decode_stamped(value: Vec<u8>) -> Option<(Record, u64)> {
    let (meta, length) = decode_meta(&value)?;
    let stamp = u64::from_be_bytes(*value.get(LOCK + HOLDER..)?.first_chunk()?);
    Some((Record::new(meta, Bytes::from(value).slice(length..)), stamp))
}

/// Decodes the header of a record, and returns its length as well.
pub(crate) fn decode_meta(value: &[u8]) -> Option<(Meta, usize)> {
    let (&RECORD, rest) = value.split_first()? else {
        return None;
    };
    let mut times = [0_u64; 3];
    for (time, bytes) in times.iter_mut().zip(rest.get(..18)?.chunks_exact(6)) {
        *time = bytes.iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte));
    }
    let mut version = 0_u64;
    let mut shift = 0;
    let mut length = VERSION;
    loop {
        let byte = *value.get(length)?;
        length += 1;
        version |= u64::from(byte & 0x7f).checked_shl(shift)?;
        if byte & 0x80 == 0 {
            break;
        }
        shift += 7;
    }
    let [last_active, deadline, created_at] = times;
    let deadline = (deadline != NO_DEADLINE).then(|| Timestamp::from_millis(deadline));
    let mut meta = Meta::new(Timestamp::from_millis(created_at)).with_deadline(deadline);
    meta.last_active = Timestamp::from_millis(last_active);
    meta.version = version;
    Some((meta, length))
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
mod tests {
    use super::*;

    fn record(last_active: u64, deadline: Option<u64>, version: u64) -> Record {
        let mut meta = Meta::new(Timestamp::from_millis(1_700_000_000_000));
        meta.last_active = Timestamp::from_millis(last_active);
        meta.deadline = deadline.map(Timestamp::from_millis);
        meta.version = version;
        Record::new(meta, b"payload".as_slice())
    }

    #[test]
    fn an_encoded_record_is_decoded() {
        let end = Timestamp::MAX.as_millis();
        for version in [0, 1, 127, 128, 300, u64::MAX] {
            for deadline in [None, Some(0), Some(1), Some(end)] {
                let record = record(end, deadline, version);
                let value = encode(&record, None);
                assert_eq!(decode_meta(&value).unwrap().0, record.meta);
                assert_eq!(decode(value), Some(record));
            }
        }
    }

    #[test]
    fn the_header_of_a_young_session_is_fifty_bytes() {
        let value = encode(&record(1_700_000_000_000, Some(1_700_000_900_000), 9), None);
        assert_eq!(decode_meta(&value).unwrap().1, 50);
        assert!(HEADER_MAX >= encode(&record(0, None, u64::MAX), None).len() - b"payload".len());
    }

    #[test]
    fn an_encoded_record_has_a_free_lock_and_its_writer() {
        let record = record(5, Some(7), 9);
        let (created, token) = (encode(&record, None), LockToken::from_bytes(*b"0123456789abcdef"));
        let committed = encode(&record, Some(&token));
        assert_eq!(created[19..49], [0; 30]);
        assert_eq!(committed[19..41], [0; 22]);
        assert_eq!(&committed[41..49], b"01234566", "but for the mark");
        assert_eq!((&created[..19], &created[49..]), (&committed[..19], &committed[49..]));
        assert_eq!(decode(committed), Some(record));
    }

    #[test]
    fn a_decoded_record_is_encoded_the_same_except_for_the_lock() {
        let token = LockToken::from_bytes(*b"0123456789abcdef");
        for stamp in [0, 1, stamp(&token), stamp(&token) | 1] {
            let value = encode_as(&record(5, Some(7), 300), stamp);
            let mut locked = value.clone();
            locked[LOCK..LOCK + HOLDER].fill(7);
            let (record, read) = decode_stamped(locked).unwrap();
            assert_eq!((read, encode_as(&record, read)), (stamp, value));
        }
        assert_eq!(with_waiters_mark_of(stamp(&token), 7), stamp(&token) | 1);
        assert_eq!(with_waiters_mark_of(stamp(&token), 6), stamp(&token));
    }

    #[test]
    fn a_version_follows_the_lock_as_it_is_encoded_alone() {
        for version in [0, 1, 127, 128, 300, (1 << 53) + 1, u64::MAX] {
            let value = encode(&record(5, None, version), None);
            assert!(value[VERSION..].starts_with(&encode_version(version)), "{version}");
            assert!(!value[VERSION..].starts_with(&encode_version(version ^ 1)), "{version}");
        }
    }

    #[test]
    fn other_values_are_not_decoded_as_records() {
        let value = encode(&record(5, None, 300), None);
        for length in 0..VERSION + 2 {
            assert_eq!(decode(value[..length].to_vec()), None, "{length} bytes");
        }
        for kind in [0, TOMBSTONE, ALIAS, ARRIVING, 4, b'{'] {
            let mut value = value.clone();
            value[0] = kind;
            assert_eq!(decode(value), None, "kind {kind}");
        }
        let mut endless = value[..VERSION].to_vec();
        endless.extend([0xff; 12]);
        assert_eq!(decode(endless), None);
    }
}
