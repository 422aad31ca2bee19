//! The encoded and the indexed form of a value map behave alike.

use bytes::Bytes;
use proptest::prelude::*;

use super::super::decode::VERSION_2;
use super::super::fuzzing::to_indexed;
use super::super::{AsOf, Payload};
use super::model::model_of;
use crate::clock::Timestamp;
use crate::expiration::Lifetime;

const NOW: AsOf = AsOf {
    now: Timestamp::from_millis(1_000),
    last_active: Timestamp::from_millis(900),
};

#[derive(Debug, Clone)]
enum Change {
    Set(String, Vec<u8>, Option<Lifetime>, Lifetime),
    Unset(String),
    Rename(String, Vec<String>),
    SetLifetime(String, Lifetime),
    Clear,
    Purge(bool),
    /// Continues with the encoded payload, decoded again.
    Store,
    Revert,
}

fn names() -> impl Strategy<Value = String> {
    prop_oneof![8 => "[a-d]", 1 => "ä?", 1 => "n{130}"]
}

fn jsons() -> impl Strategy<Value = Vec<u8>> {
    let length = prop_oneof![8 => 1usize..8, 1 => 120usize..140];
    (length, b'0'..=b'9').prop_map(|(length, digit)| vec![digit; length])
}

/// Mostly endless ones: once an item has a lifetime, both forms are the same.
fn lifetimes() -> impl Strategy<Value = Lifetime> {
    let limit = |millis| Lifetime {
        limit: Some(Timestamp::from_millis(millis)),
        ..Lifetime::ENDLESS
    };
    let transient = Lifetime {
        transient: true,
        ..Lifetime::ENDLESS
    };
    prop_oneof![30 => Just(Lifetime::ENDLESS), 1 => Just(transient), 1 => (990u64..1_010).prop_map(limit)]
}

fn changes() -> impl Strategy<Value = Vec<(Option<&'static str>, Change)>> {
    let lifetime = prop::option::of(lifetimes());
    let change = prop_oneof![
        12 => (names(), jsons(), lifetime, lifetimes()).prop_map(|(name, json, replace, begin)| {
            Change::Set(name, json, replace, begin)
        }),
        6 => names().prop_map(Change::Unset),
        3 => (names(), prop::collection::vec(names(), 1..3)).prop_map(|(name, from)| Change::Rename(name, from)),
        2 => (names(), lifetimes()).prop_map(|(name, lifetime)| Change::SetLifetime(name, lifetime)),
        1 => Just(Change::Clear),
        1 => any::<bool>().prop_map(Change::Purge),
        2 => Just(Change::Store),
        1 => Just(Change::Revert),
    ];
    let place = prop_oneof![4 => Just(None), 1 => Just(Some("n"))];
    prop::collection::vec((place, change), 0..24)
}

/// The observable result of a change.
#[derive(Debug, PartialEq)]
enum Observed {
    Nothing,
    Is(bool),
    Wrote(Bytes),
}

fn apply(payload: &mut Payload, namespace: Option<&str>, change: &Change) -> Observed {
    if let Change::Store = change {
        let written = payload.encode(NOW);
        *payload = Payload::decode(written.clone()).expect("an encoded payload can be decoded");
        return Observed::Wrote(written);
    }
    if let Change::Revert = change {
        *payload = payload.reverted().expect("it was read before");
        return Observed::Nothing;
    }
    if let Change::Purge(restarted) = change {
        return Observed::Is(payload.purge(NOW, *restarted).expect("it is well formed"));
    }
    if let Change::Clear = change {
        payload.clear(namespace, NOW).expect("it is well formed");
        return Observed::Is(payload.changed);
    }
    let map = payload.value_map_mut(namespace, NOW, || Lifetime::ENDLESS);
    let map = map.expect("it is well formed");
    match change {
        Change::Set(name, json, replace, begin) => {
            let had = map.holds(name, json, NOW);
            let set = map.set(name, json.clone(), NOW, *replace, || *begin);
            assert_eq!(
                set,
                !had || replace.is_some(),
                "a value that is there already is not set"
            );
            Observed::Is(set)
        }
        Change::Unset(name) => Observed::Is(map.unset(name, NOW)),
        Change::SetLifetime(name, lifetime) => Observed::Is(map.set_lifetime(name, *lifetime, NOW)),
        Change::Rename(name, from) => {
            let from: Vec<&str> = from.iter().map(String::as_str).collect();
            map.rename(name, &from, NOW);
            Observed::Nothing
        }
        _ => unreachable!("the other changes are applied above"),
    }
}

/// Checks that both payloads have the same contents through every accessor.
fn assert_same(left: &mut Payload, right: &mut Payload) {
    assert_eq!(left.encode(NOW), right.encode(NOW));
    assert_eq!(left.encode_up_to(VERSION_2, NOW), right.encode_up_to(VERSION_2, NOW));
    assert_eq!(left.items(), right.items());
    assert_eq!(left.shortest_window(), right.shortest_window());
    assert_eq!(model_of(left), model_of(right));
    for name in ["a", "b", "c", "d", "ä", ""] {
        let (left, right) = (&left.values, &right.values);
        assert_eq!(left.read(name, NOW), right.read(name, NOW));
        assert_eq!(left.read(name, NOW), left.json(name, NOW).as_deref());
        assert_eq!(left.contains(name, NOW), right.contains(name, NOW));
        assert_eq!(left.ends_at(name, NOW), right.ends_at(name, NOW));
        assert_eq!(
            left.current_name(name, &["a", "b"], NOW),
            right.current_name(name, &["a", "b"], NOW)
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_500))]

    #[test]
    fn both_forms_behave_alike(changes in changes()) {
        let mut encoded = Payload::EMPTY;
        let mut indexed = Payload::EMPTY;
        for (namespace, next) in &changes {
            indexed = to_indexed(&indexed);
            let observed = apply(&mut encoded, *namespace, next);
            prop_assert_eq!(&observed, &apply(&mut indexed, *namespace, next), "{:?}", next);
            indexed = to_indexed(&indexed);
            assert_same(&mut encoded, &mut indexed);
        }
    }
}

#[test]
fn values_stay_encoded_as_long_as_none_has_a_lifetime() {
    let mut payload = Payload::EMPTY;
    let map = &mut payload.values;
    for name in ["a", "b", "c"] {
        assert!(map.set(name, b"1".to_vec(), NOW, None, || Lifetime::ENDLESS));
    }
    map.rename("d", &["b"], NOW);
    assert!(map.set_lifetime("a", Lifetime::ENDLESS, NOW));
    assert!(!map.set_lifetime("b", Lifetime::begin(crate::Expiration::Transient, NOW.now), NOW));
    assert!(map.is_encoded());
    assert_eq!(map.names(NOW), ["a", "d", "c"]);
    let mut payload = Payload::decode(payload.encode(NOW)).expect("it is well formed");
    assert!(payload.values.is_encoded());
    assert!(
        payload
            .values
            .set_lifetime("a", Lifetime::begin(crate::Expiration::Transient, NOW.now), NOW)
    );
    assert!(!payload.values.is_encoded());
    assert!(payload.items().transient);
    payload.values.clear(NOW);
    assert!(payload.values.is_encoded());
}

/// A number with a longer encoding than necessary is read, but not written back that way.
#[test]
fn long_encodings_are_written_anew() {
    for payload in [
        b"S\x01\x00\x01\x81\x00a\x00\x011\x00".as_slice(),
        b"S\x01\x00\x01\x01a\x00\x81\x001\x00",
        b"S\x01\x00\x81\x00\x01a\x00\x011\x00",
    ] {
        let read = Payload::decode(Bytes::from_static(payload)).expect("it is well formed");
        assert_eq!(read.encode(NOW), b"S\x01\x00\x01\x01a\x00\x011\x00".as_slice());
    }
}

#[test]
fn a_short_text_is_copied_and_a_long_one_shared() {
    for length in [1, 48, 49, 200] {
        let json = vec![b'1'; length];
        let mut payload = Payload::EMPTY;
        payload.values.set("a", json.clone(), NOW, None, || Lifetime::ENDLESS);
        let payload = Payload::decode(payload.encode(NOW)).expect("it is well formed");
        drop(payload.loaded().clone());
        let measured = allocation_counter::measure(|| {
            let taken = payload.values.json("a", NOW);
            assert_eq!(taken.as_deref(), Some(&*json));
        });
        assert_eq!(measured.count_total, 0, "{length}");
    }
}
