//! The bytes of records with facts and without.

use sessile_core::{Facts, Meta, OsEntropy, SessionId, SessionKey, Timestamp};
use sha2::{Digest, Sha256};

use crate::folder::format::{Header, Kind, Origin, encode};

const OLD: Timestamp = Timestamp::from_millis(5);

fn sum(bytes: &[u8]) -> Vec<u8> {
    Sha256::digest(bytes)[..16].to_vec()
}

fn number(number: u64) -> Vec<u8> {
    number.to_le_bytes().to_vec()
}

/// Returns a file of this kind, with these fields and this body.
fn file(key: &SessionKey, kind: u8, fields: &[Vec<u8>], body: &[u8]) -> Vec<u8> {
    let mut file = b"SESSILE\x1a\x01\0".to_vec();
    file.extend([kind, 0]);
    file.extend(number(body.len() as u64));
    file.extend(sum(body));
    file.extend(key.to_string().as_bytes());
    file.extend([7; 16]);
    file.extend(fields.concat());
    file.resize(240, 0);
    file.extend(sum(&file));
    file.extend(body);
    file
}

/// Asserts that a record is encoded as of this kind, with `before` between its numbers and its origin.
fn assert_encoded(facts: &[u8], kind: u8, before: &[u8]) {
    let [key, from] = [(); 2].map(|()| SessionId::generate(&OsEntropy).key());
    let mut meta = Meta::new(OLD).with_facts(Facts::from_bytes(facts).expect("facts"));
    meta.version = 3;
    let numbers = [number(5), number(5), number(u64::MAX), number(3)].concat();
    let body = [facts, b"payload"].concat();
    let origin = [&from.digest()[..], from.shard().as_bytes(), &[9; 16]].concat();
    let owner = [9; 16];
    for (from, origin) in [(None, Vec::new()), (Some(Origin { key: from, owner }), origin)] {
        let meta = meta.clone();
        let kind_of = Kind::Record { meta, from };
        let header = Header {
            key,
            stamp: [7; 16],
            kind: kind_of,
        };
        let fields = [numbers.clone(), before.to_vec(), origin];
        assert_eq!(encode(&header, b"payload"), file(&key, kind, &fields, &body));
    }
}

/// Storages of earlier versions read and write the same files as long as no session has facts.
#[test]
fn a_record_without_facts_has_the_bytes_of_earlier_versions() {
    assert_encoded(&[], 1, &[]);
}

/// A storage of an earlier version knows the kinds up to 5, and leaves others alone.
#[test]
fn a_record_with_facts_is_of_a_kind_of_its_own() {
    let facts = b"\x01\x03ada";
    assert_encoded(facts, 6, &[&[5, 0][..], &sum(facts)].concat());
}
