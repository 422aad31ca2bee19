//! Round trips, the order of bytes, and damage.

use super::*;

const ADA: &[u8] = b"\x01\x03ada";

/// Returns facts of this length in bytes, which is at least 2, and not 130.
fn facts(length: usize) -> Facts {
    let content = length - if length < 130 { 2 } else { 3 };
    let mut bytes = vec![0x63];
    push_number(&mut bytes, content as u64);
    bytes.resize(bytes.len() + content, b'x');
    assert_eq!(bytes.len(), length);
    Facts::from_bytes(&bytes).unwrap()
}

fn with_facts(mut record: Record, facts: Facts) -> Record {
    record.meta.facts = facts;
    record
}

fn header(value: &[u8]) -> (Meta, usize) {
    match decode_header(value) {
        Some(Header::Complete(meta, length)) => (meta, length),
        other => panic!("{other:?}"),
    }
}

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
            assert_eq!(header(&value).0, record.meta);
            assert_eq!(decode(value), Some(record));
        }
    }
}

#[test]
fn the_header_of_a_young_session_is_fifty_bytes() {
    let value = encode(&record(1_700_000_000_000, Some(1_700_000_900_000), 9), None);
    assert_eq!(header(&value).1, 50);
    assert!(HEADER_MIN > header(&encode(&record(0, None, u64::MAX), None)).1);
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

#[test]
fn an_encoded_record_with_facts_is_decoded() {
    for version in [0, 1, 127, 128, 300, 1 << 63, u64::MAX] {
        for length in [2, 127, 128, 129, 131, 1_023, Facts::MAX_LEN] {
            let record = with_facts(record(7, Some(9), version), facts(length));
            let value = encode(&record, None);
            let (meta, header) = header(&value);
            assert_eq!((&meta, header + 7), (&record.meta, value.len()));
            assert!(header <= HEADER_MAX);
            assert_eq!(decode(value), Some(record));
        }
    }
}

#[test]
fn facts_are_between_version_and_payload_and_move_nothing_else() {
    let plain = record(5, Some(7), 300);
    let facts = with_facts(plain.clone(), Facts::from_bytes(ADA).unwrap());
    let token = LockToken::from_bytes(*b"0123456789abcdef");
    let (plain, facts) = (encode(&plain, Some(&token)), encode(&facts, Some(&token)));
    assert_eq!(facts[..VERSION], plain[..VERSION]);
    assert_eq!(plain[VERSION..], [&[0xac, 0x02][..], b"payload"].concat());
    let version = [0xac, 0x82, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80];
    assert_eq!(facts[VERSION..], [&version[..], &[5], ADA, b"payload"].concat());
}

/// A record without facts has the bytes that processes of a version before facts have written, and will read.
#[test]
fn a_record_without_facts_is_encoded_as_before_facts() {
    let value = encode(&record(0x0102, Some(0x0304), 300), None);
    let times = [0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 3, 4, 0x01, 0x8b, 0xcf, 0xe5, 0x68, 0x00];
    assert_eq!(value, [&[1][..], &times, &[0; 30], &[0xac, 0x02], b"payload"].concat());
}

/// Decodes a version as processes of a version before facts do.
fn older_version(value: &[u8]) -> Option<u64> {
    let (mut version, mut shift) = (0_u64, 0);
    for byte in value.get(VERSION..)? {
        version |= u64::from(byte & 0x7f).checked_shl(shift)?;
        if byte & 0x80 == 0 {
            return Some(version);
        }
        shift += 7;
    }
    None
}

#[test]
fn a_record_with_facts_is_refused_by_processes_before_facts() {
    for version in [0, 1, 300, u64::MAX] {
        let plain = record(5, None, version);
        assert_eq!(older_version(&encode(&plain, None)), Some(version));
        for length in [2, 127, 128, Facts::MAX_LEN] {
            let value = encode(&with_facts(plain.clone(), facts(length)), None);
            assert_eq!(older_version(&value), None);
        }
    }
}

#[test]
fn a_header_says_how_long_it_is() {
    for length in [2, 3, 127, 128, Facts::MAX_LEN] {
        let value = encode(&with_facts(record(5, None, 1), facts(length)), None);
        let (meta, header) = header(&value);
        for cut in HEADER_MIN..value.len() {
            let expected = match cut < header {
                true => Header::Cut(header),
                false => Header::Complete(meta.clone(), header),
            };
            assert_eq!(decode_header(&value[..cut]), Some(expected), "{cut} bytes");
        }
        for cut in 0..header {
            assert_eq!(decode(value[..cut].to_vec()), None, "{cut} bytes");
        }
    }
}

#[test]
fn damaged_facts_are_not_decoded() {
    let value = encode(&with_facts(record(5, None, 300), Facts::from_bytes(ADA).unwrap()), None);
    let with_bytes = |from: usize, to: usize, bytes: &[u8]| [&value[..from], bytes, &value[to..]].concat();
    assert_eq!(with_bytes(FACTS, FACTS + 1, &[5]), value);
    for (what, damaged) in [
        ("a version of 65 bits", with_bytes(FACTS - 1, FACTS, &[0x82])),
        ("a length of zero", with_bytes(FACTS, FACTS + 1, &[0])),
        ("a length that is too short", with_bytes(FACTS, FACTS + 1, &[4])),
        (
            "a length that reaches into the payload",
            with_bytes(FACTS, FACTS + 1, &[6]),
        ),
        ("a length behind the end", with_bytes(FACTS, FACTS + 1, &[13])),
        ("a length of another form", with_bytes(FACTS, FACTS + 1, &[0x85, 0])),
        (
            "a length without an end",
            with_bytes(FACTS, FACTS + 1, &[0x85, 0x80, 0]),
        ),
        ("an element that is too long", with_bytes(FACTS + 2, FACTS + 3, &[4])),
        ("a text that is none", with_bytes(FACTS + 3, FACTS + 4, &[0xff])),
    ] {
        assert_eq!(decode(damaged), None, "{what}");
    }
    // Facts that would be valid, but for their length.
    let mut long = value[..FACTS].to_vec();
    push_number(&mut long, Facts::MAX_LEN as u64 + 1);
    long.push(0x63);
    push_number(&mut long, Facts::MAX_LEN as u64 - 2);
    long.resize(FACTS + 2 + Facts::MAX_LEN + 1, b'x');
    assert_eq!(decode_header(&long[..HEADER_MIN]), None, "a scan would read more");
    assert_eq!(decode(long), None);
}

#[test]
fn a_decoded_record_with_facts_is_encoded_the_same() {
    for version in [0, 300, u64::MAX] {
        let value = encode_as(&with_facts(record(5, Some(7), version), facts(300)), 6);
        let (record, stamp) = decode_stamped(value.clone()).unwrap();
        assert_eq!(encode_as(&record, stamp), value);
    }
}

/// A script that compares the beginning of a record with an encoded version takes no record for another.
#[test]
fn no_version_is_the_beginning_of_one_with_facts() {
    for version in [0, 1, 127, 128, 300, u64::MAX] {
        let value = encode(&with_facts(record(5, None, version), facts(2)), None);
        assert!(!value[VERSION..].starts_with(&encode_version(version)), "{version}");
    }
}
