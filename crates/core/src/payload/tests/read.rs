//! What is written is what is read, without what is over.

use proptest::prelude::*;

use super::super::{AsOf, Payload};
use super::any::plains;
use super::seen::{BEGIN, Plain, plain, rich};
use crate::clock::Timestamp;
use crate::expiration::Lifetime;

proptest! {
    #[test]
    fn what_is_written_is_read(plain in plains()) {
        let mut decoded = plain.payload();
        prop_assert_eq!(&self::plain(&mut decoded).unwrap(), &plain);
        let payload = decoded.encode(BEGIN);
        let mut read = Payload::decode(payload.clone()).unwrap();
        prop_assert!(!read.changed);
        // What must be known of a namespace is known before anybody enters it.
        let stored = as_stored(plain);
        let summary = stored.payload().items();
        prop_assert_eq!(read.items(), summary);
        prop_assert_eq!(&read.encode(BEGIN), &payload);
        prop_assert_eq!(&self::plain(&mut read).unwrap(), &stored);
        prop_assert_eq!(read.items(), summary);
        prop_assert_eq!(&read.encode(BEGIN), &payload);
        prop_assert_eq!(&self::plain(&mut read.reverted().unwrap()).unwrap(), &stored);
    }
}

/// What is left of it in a storage: a namespace with nothing to it is not kept.
fn as_stored(mut plain: Plain) -> Plain {
    plain
        .namespaces
        .retain(|(_, lifetime, values)| !values.is_empty() || !lifetime.is_endless());
    plain
}

#[test]
fn a_namespace_is_not_read_before_it_is_entered() {
    let mut payload = b"S\x01\x00\x00\x02".to_vec();
    payload.extend(b"\x03bad\x00\x00\x03\x09\x09\x09");
    payload.extend(b"\x04good\x00\x00\x06\x01\x01a\x00\x017");
    let mut decoded = Payload::decode(payload.clone().into()).expect("what is read of it is well formed");
    let good = decoded.value_map(Some("good"), BEGIN).expect("it is well formed");
    assert_eq!(good.and_then(|map| map.read("a", BEGIN)), Some(b"7".as_slice()));
    assert_eq!(decoded.encode(BEGIN), payload);
    assert!(decoded.value_map(Some("bad"), BEGIN).is_err());
    assert!(
        decoded
            .value_map(Some("none"), BEGIN)
            .expect("it is not there")
            .is_none()
    );
}

#[test]
fn of_two_with_one_name_the_first_counts() {
    let mut payload = b"S\x01\x00\x02\x01a\x00\x011\x01a\x00\x012".to_vec();
    payload.extend(b"\x02\x01n\x00\x00\x06\x01\x01a\x00\x013\x01n\x00\x00\x06\x01\x01a\x00\x014");
    let mut decoded = Payload::decode(payload.into()).expect("names are not compared");
    for (namespace, first) in [(None, "1"), (Some("n"), "3")] {
        let map = decoded.value_map(namespace, BEGIN).expect("it is well formed");
        let value = map.and_then(|map| map.read("a", BEGIN));
        assert_eq!(value, Some(first.as_bytes()));
    }
}

#[test]
fn what_is_over_is_not_written() {
    let plain = rich();
    let late = AsOf {
        now: Timestamp::from_millis(201),
        last_active: Timestamp::from_millis(1),
    };
    let mut read = Payload::decode(plain.payload().encode(late)).expect("it is well formed");
    let left = self::plain(&mut read).expect("it is well formed");
    assert_eq!(left.values, plain.values[..1]);
    assert!(left.namespaces.is_empty());
    assert_eq!(left.lifetime, plain.lifetime);
}

#[test]
fn a_namespace_in_which_everything_is_over_is_not_written() {
    let mut plain = rich();
    plain.namespaces[0].1 = Lifetime::ENDLESS;
    plain.namespaces[0].2[0].1.limit = Some(Timestamp::from_millis(9));
    let late = AsOf {
        now: Timestamp::from_millis(9),
        last_active: Timestamp::from_millis(9),
    };
    let mut read = Payload::decode(plain.payload().encode(late)).expect("it is well formed");
    let left = self::plain(&mut read).expect("it is well formed");
    assert_eq!(left.namespaces, plain.namespaces[1..]);
}
