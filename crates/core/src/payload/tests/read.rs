//! Decoding returns what was encoded, except expired items.

use proptest::prelude::*;

use super::super::{AsOf, Payload};
use super::any::models;
use super::model::{BEGIN, Model, model_of, rich};
use crate::clock::Timestamp;
use crate::expiration::Lifetime;

proptest! {
    #[test]
    fn decoding_returns_what_was_encoded(model in models()) {
        let mut decoded = model.payload();
        prop_assert_eq!(&model_of(&mut decoded).unwrap(), &model);
        let payload = decoded.encode(BEGIN);
        let mut read = Payload::decode(payload.clone()).unwrap();
        prop_assert!(!read.changed);
        // The summary of a namespace is known before it is decoded.
        let stored = as_stored(model);
        let summary = stored.payload().items();
        prop_assert_eq!(read.items(), summary);
        prop_assert_eq!(&read.encode(BEGIN), &payload);
        prop_assert_eq!(&model_of(&mut read).unwrap(), &stored);
        prop_assert_eq!(read.items(), summary);
        prop_assert_eq!(&read.encode(BEGIN), &payload);
        prop_assert_eq!(&model_of(&mut read.reverted().unwrap()).unwrap(), &stored);
    }
}

/// Returns the contents that are left once stored: an empty namespace without a lifetime is not kept.
fn as_stored(mut model: Model) -> Model {
    model
        .namespaces
        .retain(|(_, lifetime, values)| !values.is_empty() || !lifetime.is_endless());
    model
}

#[test]
fn a_namespace_is_decoded_on_first_access() {
    let mut payload = b"S\x01\x00\x00\x02".to_vec();
    payload.extend(b"\x03bad\x00\x00\x03\x09\x09\x09");
    payload.extend(b"\x04good\x00\x00\x06\x01\x01a\x00\x017");
    let mut decoded = Payload::decode(payload.clone().into()).expect("all that is decoded is well formed");
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
fn the_first_of_two_items_with_one_name_counts() {
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
fn expired_items_are_not_encoded() {
    let model = rich();
    let late = AsOf {
        now: Timestamp::from_millis(201),
        last_active: Timestamp::from_millis(1),
    };
    let mut read = Payload::decode(model.payload().encode(late)).expect("it is well formed");
    let left = model_of(&mut read).expect("it is well formed");
    assert_eq!(left.values, model.values[..1]);
    assert!(left.namespaces.is_empty());
    assert_eq!(left.lifetime, model.lifetime);
}

#[test]
fn a_namespace_with_only_expired_values_is_not_encoded() {
    let mut model = rich();
    model.namespaces[0].1 = Lifetime::ENDLESS;
    model.namespaces[0].2[0].1.limit = Some(Timestamp::from_millis(9));
    let late = AsOf {
        now: Timestamp::from_millis(9),
        last_active: Timestamp::from_millis(9),
    };
    let mut read = Payload::decode(model.payload().encode(late)).expect("it is well formed");
    let left = model_of(&mut read).expect("it is well formed");
    assert_eq!(left.namespaces, model.namespaces[1..]);
}
