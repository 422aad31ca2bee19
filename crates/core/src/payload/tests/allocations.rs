//! Counts the allocations of loading and writing plain values.

use bytes::Bytes;

use super::super::{AsOf, Payload};
use super::model::BEGIN;
use crate::clock::Timestamp;
use crate::expiration::Lifetime;

const NOW: AsOf = AsOf {
    now: Timestamp::from_millis(1_000),
    ..BEGIN
};

/// A typical session: a lifetime, the moment of authentication, and some values.
fn stored() -> Bytes {
    let mut decoded = Payload {
        lifetime: Some(Lifetime {
            window: Some(86_400_000),
            ..Lifetime::ENDLESS
        }),
        ..Payload::EMPTY
    };
    decoded.set_authenticated_at(Some(BEGIN.now));
    for (name, json) in [("user", "\"ada\""), ("count", "41"), ("theme", "\"dark\"")] {
        let json = json.as_bytes().to_vec();
        decoded.values.set(name, json, NOW, None, || Lifetime::ENDLESS);
    }
    decoded.encode(NOW)
}

fn allocations(f: impl FnOnce()) -> u64 {
    allocation_counter::measure(f).count_total
}

#[test]
fn loading_plain_values_takes_no_allocation() {
    let payload = stored();
    let read = allocations(|| {
        let mut decoded = Payload::decode(payload).expect("it is well formed");
        assert!(decoded.values.is_encoded());
        assert_eq!(decoded.values.read("count", NOW), Some(b"41".as_slice()));
        assert_eq!(decoded.purge(NOW, true), Ok(false));
        assert_eq!((decoded.items().window, decoded.items().transient), (None, false));
    });
    assert_eq!(read, 0);
}

#[test]
fn writing_changed_plain_values_allocates_the_payload_alone() {
    let payload = stored();
    for (name, json, differs) in [
        ("count", "42", 0),
        ("count", "100", 1),
        ("theme", "7", -5),
        ("new", "[]", 8),
    ] {
        let (payload, json) = (payload.clone(), Vec::from(json));
        let before = payload.len();
        // Serialization leaves spare capacity, which the head of the entry then uses.
        let mut text = Vec::with_capacity(64);
        text.extend_from_slice(&json);
        let mut written = Bytes::new();
        let mut decoded = Payload::EMPTY;
        let changed = allocations(|| {
            decoded = Payload::decode(payload).expect("it is well formed");
            decoded.values.set(name, text, NOW, None, || Lifetime::ENDLESS);
            written = decoded.encode(NOW);
        });
        assert_eq!(changed, 1, "{name}");
        let difference: i64 = written.len() as i64 - before as i64;
        assert_eq!(difference, differs, "{name}");
        // Both the changed payload and the written one can be read.
        let again = Payload::decode(written).expect("it is well formed");
        for decoded in [&decoded, &again] {
            assert_eq!(decoded.values.read(name, NOW), Some(&*json));
            assert_eq!(decoded.values.read("user", NOW), Some(b"\"ada\"".as_slice()));
        }
    }
}

#[test]
fn the_payload_has_no_spare_capacity() {
    let payload = stored();
    // The first clone of a `Bytes` allocates the reference count, which is the storage's.
    let loaded = payload.clone();
    let bytes = allocation_counter::measure(|| {
        drop(Payload::decode(loaded).expect("it is well formed").encode(NOW));
    });
    assert_eq!((bytes.count_total, bytes.bytes_total), (1, payload.len() as u64));
    // The same holds for a session with everything in it.
    let mut rich = super::model::rich().payload();
    rich.values.index();
    let length = rich.encode(NOW).len() as u64;
    let bytes = allocation_counter::measure(|| drop(rich.encode(NOW)));
    assert_eq!((bytes.count_total, bytes.bytes_total), (1, length));
}

#[test]
fn reverting_takes_no_allocation() {
    let payload = stored();
    let mut decoded = Payload::decode(payload.clone()).expect("it is well formed");
    decoded.values.unset("user", NOW);
    let reverted = allocations(|| {
        let reverted = decoded.reverted().expect("it was read before");
        assert!(reverted.values.contains("user", NOW));
    });
    assert_eq!(reverted, 0);
}
