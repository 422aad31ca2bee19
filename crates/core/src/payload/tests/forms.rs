//! Values that are kept as they are written, and the same values one by one: nobody can tell which it is.

use bytes::Bytes;
use proptest::prelude::*;

use super::super::decode::MARKED;
use super::super::fuzzing::indexed;
use super::super::{AsOf, Payload};
use super::seen::plain;
use crate::clock::Timestamp;
use crate::expiration::Lifetime;

const NOW: AsOf = AsOf {
    now: Timestamp::from_millis(1_000),
    last_active: Timestamp::from_millis(900),
};

#[derive(Debug, Clone)]
enum Act {
    Set(String, Vec<u8>, Option<Lifetime>, Lifetime),
    Unset(String),
    Rename(String, Vec<String>),
    SetLifetime(String, Lifetime),
    Clear,
    Purge(bool),
    /// Goes on with what was written.
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

/// Mostly none: as soon as something has a lifetime, both forms are one.
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

fn acts() -> impl Strategy<Value = Vec<(Option<&'static str>, Act)>> {
    let lifetime = prop::option::of(lifetimes());
    let act = prop_oneof![
        12 => (names(), jsons(), lifetime, lifetimes()).prop_map(|(name, json, replace, begin)| {
            Act::Set(name, json, replace, begin)
        }),
        6 => names().prop_map(Act::Unset),
        3 => (names(), prop::collection::vec(names(), 1..3)).prop_map(|(name, from)| Act::Rename(name, from)),
        2 => (names(), lifetimes()).prop_map(|(name, lifetime)| Act::SetLifetime(name, lifetime)),
        1 => Just(Act::Clear),
        1 => any::<bool>().prop_map(Act::Purge),
        2 => Just(Act::Store),
        1 => Just(Act::Revert),
    ];
    let place = prop_oneof![4 => Just(None), 1 => Just(Some("n"))];
    prop::collection::vec((place, act), 0..24)
}

/// The description of a change.
#[derive(Debug, PartialEq)]
enum Said {
    Nothing,
    Is(bool),
    Wrote(Bytes),
}

fn act(payload: &mut Payload, namespace: Option<&str>, act: &Act) -> Said {
    if let Act::Store = act {
        let written = payload.encode(NOW);
        *payload = Payload::decode(written.clone()).expect("what is written can be read");
        return Said::Wrote(written);
    }
    if let Act::Revert = act {
        *payload = payload.reverted().expect("it was read before");
        return Said::Nothing;
    }
    if let Act::Purge(restarted) = act {
        return Said::Is(payload.purge(NOW, *restarted).expect("it is well formed"));
    }
    if let Act::Clear = act {
        payload.clear(namespace, NOW).expect("it is well formed");
        return Said::Is(payload.changed);
    }
    let map = payload.value_map_mut(namespace, NOW, || Lifetime::ENDLESS);
    let map = map.expect("it is well formed");
    match act {
        Act::Set(name, json, replace, begin) => {
            let had = map.holds(name, json, NOW);
            let set = map.set(name, json.clone(), NOW, *replace, || *begin);
            assert_eq!(set, !had || replace.is_some(), "what is there already is not set");
            Said::Is(set)
        }
        Act::Unset(name) => Said::Is(map.unset(name, NOW)),
        Act::SetLifetime(name, lifetime) => Said::Is(map.set_lifetime(name, *lifetime, NOW)),
        Act::Rename(name, from) => {
            let from: Vec<&str> = from.iter().map(String::as_str).collect();
            map.rename(name, &from, NOW);
            Said::Nothing
        }
        _ => unreachable!("the others were done above"),
    }
}

/// Both say the same, whatever they are asked.
fn assert_same(one: &mut Payload, other: &mut Payload) {
    assert_eq!(one.encode(NOW), other.encode(NOW));
    assert_eq!(one.encode_up_to(MARKED, NOW), other.encode_up_to(MARKED, NOW));
    assert_eq!(one.items(), other.items());
    assert_eq!(one.shortest_window(), other.shortest_window());
    assert_eq!(plain(one), plain(other));
    for name in ["a", "b", "c", "d", "ä", ""] {
        let (one, other) = (&one.values, &other.values);
        assert_eq!(one.read(name, NOW), other.read(name, NOW));
        assert_eq!(one.read(name, NOW), one.json(name, NOW).as_deref());
        assert_eq!(one.contains(name, NOW), other.contains(name, NOW));
        assert_eq!(one.ends_at(name, NOW), other.ends_at(name, NOW));
        assert_eq!(
            one.current_name(name, &["a", "b"], NOW),
            other.current_name(name, &["a", "b"], NOW)
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_500))]

    #[test]
    fn one_form_is_as_the_other(acts in acts()) {
        let mut as_written = Payload::default();
        let mut one_by_one = Payload::default();
        for (namespace, next) in &acts {
            one_by_one = indexed(&one_by_one);
            let said = act(&mut as_written, *namespace, next);
            prop_assert_eq!(&said, &act(&mut one_by_one, *namespace, next), "{:?}", next);
            one_by_one = indexed(&one_by_one);
            assert_same(&mut as_written, &mut one_by_one);
        }
    }
}

#[test]
fn values_stay_as_they_are_written_as_long_as_none_ends() {
    let mut payload = Payload::default();
    let map = &mut payload.values;
    for name in ["a", "b", "c"] {
        assert!(map.set(name, b"1".to_vec(), NOW, None, || Lifetime::ENDLESS));
    }
    map.rename("d", &["b"], NOW);
    assert!(map.set_lifetime("a", Lifetime::ENDLESS, NOW));
    assert!(!map.set_lifetime("b", Lifetime::begin(crate::Expiration::Transient, NOW.now), NOW));
    assert!(map.is_as_written());
    assert_eq!(map.names(NOW), ["a", "d", "c"]);
    let mut payload = Payload::decode(payload.encode(NOW)).expect("it is well formed");
    assert!(payload.values.is_as_written());
    assert!(
        payload
            .values
            .set_lifetime("a", Lifetime::begin(crate::Expiration::Transient, NOW.now), NOW)
    );
    assert!(!payload.values.is_as_written());
    assert!(payload.items().transient);
    payload.values.clear(NOW);
    assert!(payload.values.is_as_written());
}

/// A number that is longer than it needs to be is read, and never written again.
#[test]
fn what_is_not_written_as_briefly_as_can_be_is_written_anew() {
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
        let mut payload = Payload::default();
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
