//! What is written can be read, and what cannot be read does no harm.

use proptest::prelude::*;

use super::wire::{Reader, Writer};
use super::*;
use crate::expiration::Lifetime;

/// A session's contents, as plain as can be.
#[derive(Debug, Clone, PartialEq)]
struct Plain {
    lifetime: Option<Lifetime>,
    values: Vec<PlainValue>,
    namespaces: Vec<(String, Lifetime, Vec<PlainValue>)>,
}

type PlainValue = (String, Lifetime, Vec<u8>);

/// Long before anything ends.
const BEGIN: AsOf = AsOf {
    now: Timestamp::from_millis(1),
    last_active: Timestamp::from_millis(1),
};

impl Plain {
    fn contents(&self) -> Contents {
        let mut contents = Contents {
            lifetime: self.lifetime,
            ..Contents::default()
        };
        fill(&mut contents, None, &self.values);
        for (name, lifetime, values) in &self.namespaces {
            contents.set_lifetime(Some(name), *lifetime, BEGIN).expect("it is open");
            fill(&mut contents, Some(name), values);
        }
        contents
    }
}

fn fill(contents: &mut Contents, namespace: Option<&str>, values: &[PlainValue]) {
    let block = contents.block_mut(namespace, BEGIN, || Lifetime::ENDLESS);
    let block = block.expect("it is open");
    for (name, lifetime, json) in values {
        block.set(name, json.clone().into(), BEGIN, Some(*lifetime), || *lifetime);
    }
}

/// Reads everything there is, through every door.
fn plain(contents: &mut Contents) -> Result<Plain, RecordError> {
    let names = |contents: &Contents| -> Vec<(String, Lifetime)> {
        let name = |namespace: &Namespace| namespace.name.read(&contents.payload).to_owned();
        contents
            .namespaces
            .iter()
            .map(|found| (name(found), found.lifetime))
            .collect()
    };
    let mut namespaces = Vec::new();
    for (name, lifetime) in names(contents) {
        let block = contents.block(Some(&name), BEGIN)?;
        namespaces.push((name, lifetime, block.map(plain_values).unwrap_or_default()));
    }
    Ok(Plain {
        lifetime: contents.lifetime,
        values: plain_values(&contents.values),
        namespaces,
    })
}

fn plain_values(block: &Block) -> Vec<PlainValue> {
    let names = block.names(BEGIN);
    let value = |name: String| {
        let entry = block.entries.iter().find(|entry| entry.name.is(&name, &block.source));
        let json = block.get(&name, BEGIN).map(|json| json.to_vec());
        (name, entry.expect("it is named").lifetime, json.unwrap_or_default())
    };
    names.into_iter().map(value).collect()
}

/// Does whatever can be done with what was decoded. Only that it comes back is of interest.
fn exercise(bytes: &[u8]) {
    let Ok(mut contents) = Contents::decode(Bytes::copy_from_slice(bytes)) else {
        return;
    };
    let late = AsOf {
        now: Timestamp::MAX,
        last_active: BEGIN.now,
    };
    let _ = (contents.is_over(BEGIN), contents.deadline(BEGIN.now), contents.items());
    let _ = (contents.shortest_window(), contents.holds_transient());
    let _ = contents.encode(BEGIN);
    let _ = plain(&mut contents);
    let _ = contents.encode(late);
    let _ = contents.block_mut(Some("new"), BEGIN, || Lifetime::ENDLESS).map(drop);
    let _ = contents.reverted().map(|mut reverted| plain(&mut reverted));
    let _ = contents.clone().purge(late, true);
    let _ = contents.purge(BEGIN, false);
    let _ = contents.remove_namespace("n", BEGIN);
    let _ = Contents::decode(contents.encode(BEGIN));
}

fn lifetimes() -> impl Strategy<Value = Lifetime> {
    let numbers = || prop_oneof![2u64..1_000, 2..u64::MAX, Just(u64::MAX)];
    let dates = (2..=Timestamp::MAX.as_millis()).prop_map(Timestamp::from_millis);
    let parts = (prop::option::of(numbers()), prop::option::of(dates), any::<bool>());
    parts.prop_map(|(window, limit, transient)| Lifetime {
        window,
        limit,
        transient,
    })
}

fn names() -> impl Strategy<Value = String> {
    prop_oneof!["[a-c]{0,2}", ".{0,8}", "n{200}"]
}

fn values(most: usize) -> impl Strategy<Value = Vec<PlainValue>> {
    let json = prop::collection::vec(any::<u8>(), 1..300);
    let values = prop::collection::vec((names(), lifetimes(), json), 0..most);
    values.prop_map(|values| first_of_each(values, |value| value.0.clone()))
}

fn plains() -> impl Strategy<Value = Plain> {
    let namespaces = prop::collection::vec((names(), lifetimes(), values(4)), 0..4);
    let parts = (prop::option::of(lifetimes()), values(6), namespaces);
    parts.prop_map(|(lifetime, values, namespaces)| Plain {
        lifetime,
        values,
        namespaces: first_of_each(namespaces, |namespace| namespace.0.clone()),
    })
}

fn first_of_each<T>(items: Vec<T>, name: impl Fn(&T) -> String) -> Vec<T> {
    let mut seen = std::collections::HashSet::new();
    items.into_iter().filter(|item| seen.insert(name(item))).collect()
}

/// What is left of it in a storage: a namespace with nothing to it is not kept.
fn as_stored(mut plain: Plain) -> Plain {
    plain
        .namespaces
        .retain(|(_, lifetime, values)| !values.is_empty() || !lifetime.is_endless());
    plain
}

proptest! {
    #[test]
    fn what_is_written_is_read(plain in plains()) {
        let mut contents = plain.contents();
        prop_assert_eq!(&self::plain(&mut contents).unwrap(), &plain);
        let payload = contents.encode(BEGIN);
        let mut read = Contents::decode(payload.clone()).unwrap();
        prop_assert!(!read.changed);
        // What must be known of a namespace is known before anybody enters it.
        let stored = as_stored(plain);
        let summary = stored.contents().items();
        prop_assert_eq!(read.items(), summary);
        prop_assert_eq!(&read.encode(BEGIN), &payload);
        prop_assert_eq!(&self::plain(&mut read).unwrap(), &stored);
        prop_assert_eq!(read.items(), summary);
        prop_assert_eq!(&read.encode(BEGIN), &payload);
        prop_assert_eq!(&self::plain(&mut read.reverted().unwrap()).unwrap(), &stored);
    }

    #[test]
    fn damage_in_any_place_is_survived(plain in plains(), place in any::<prop::sample::Index>(), mask in 1..=u8::MAX) {
        let mut payload = plain.contents().encode(BEGIN).to_vec();
        let place = place.index(payload.len());
        exercise(&payload[..place]);
        payload[place] ^= mask;
        exercise(&payload);
    }

    #[test]
    fn a_payload_that_was_cut_off_is_refused(plain in plains()) {
        let mut contents = plain.contents();
        let payload = contents.encode(BEGIN);
        for length in 0..payload.len() {
            prop_assert!(Contents::decode(payload.slice(..length)).is_err(), "{} of {}", length, payload.len());
        }
        let longer = [&payload[..], &[0]].concat();
        prop_assert!(Contents::decode(longer.into()).is_err());
        drop(self::plain(&mut contents));
    }

    #[test]
    fn anything_at_all_is_survived(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        exercise(&bytes);
        exercise(&[b"S\x01".as_slice(), &bytes].concat());
        exercise(&[b"S\x01\x00".as_slice(), &bytes].concat());
    }

    #[test]
    fn anything_made_of_likely_bytes_is_survived(bytes in prop::collection::vec(prop_oneof![0u8..8, Just(0x80), Just(0xff)], 0..60)) {
        exercise(&[b"S\x01".as_slice(), &bytes].concat());
    }

    #[test]
    fn numbers_are_read_as_they_were_written(number in any::<u64>(), shift in 0u32..64) {
        for number in [number, number >> shift, u64::MAX >> shift, 1 << shift] {
            let mut writer = Writer(Vec::new());
            writer.number(number);
            prop_assert!(writer.0.len() <= 10);
            let mut reader = Reader::new(&writer.0).unwrap();
            prop_assert_eq!(reader.number("it").unwrap(), number);
            prop_assert_eq!(reader.remaining(), 0);
        }
    }
}

/// A session with everything in it that a payload can hold.
fn rich() -> Plain {
    let lifetime = |window, limit: Option<u64>, transient| Lifetime {
        window,
        limit: limit.map(Timestamp::from_millis),
        transient,
    };
    let value = |name: &str, lifetime, json: &str| (name.to_owned(), lifetime, json.as_bytes().to_vec());
    Plain {
        lifetime: Some(lifetime(Some(300), Some(70_000), true)),
        values: vec![
            value("user", lifetime(None, None, false), "7"),
            value("näme", lifetime(Some(5), None, false), r#"{"a":[1,2]}"#),
        ],
        namespaces: vec![
            (
                "cart".to_owned(),
                lifetime(None, Some(9), false),
                vec![value("", lifetime(None, None, true), r#""""#)],
            ),
            ("empty".to_owned(), lifetime(Some(200), None, false), Vec::new()),
        ],
    }
}

#[test]
fn the_format_is_what_it_always_was() {
    let written = rich().contents().encode(BEGIN);
    let mut expected = Vec::new();
    expected.extend(b"S\x01"); // magic, version
    expected.extend(b"\x01\x07\xac\x02\xf0\xa2\x04"); // a lifetime: window, limit, transient
    expected.extend(b"\x02"); // two values
    expected.extend(b"\x04user\x00\x017");
    expected.extend(b"\x05n\xc3\xa4me\x01\x05\x0b{\"a\":[1,2]}");
    expected.extend(b"\x02"); // two namespaces: name, lifetime, summary, length, values
    expected.extend(b"\x04cart\x02\x09\x04\x06\x01\x00\x04\x02\"\"");
    expected.extend(b"\x05empty\x01\xc8\x01\x00\x01\x00");
    assert_eq!(written.escape_ascii().to_string(), expected.escape_ascii().to_string());
    let mut read = Contents::decode(expected.into()).expect("it is well formed");
    assert_eq!(plain(&mut read).expect("it is well formed"), rich());
}

#[test]
fn every_single_damage_to_a_payload_is_survived() {
    let payload = rich().contents().encode(BEGIN).to_vec();
    for place in 0..payload.len() {
        for byte in 0..=u8::MAX {
            let mut damaged = payload.clone();
            damaged[place] = byte;
            exercise(&damaged);
            damaged.truncate(place + 1);
            exercise(&damaged);
            let mut longer = payload.clone();
            longer.insert(place, byte);
            exercise(&longer);
        }
        let mut shorter = payload.clone();
        shorter.remove(place);
        exercise(&shorter);
    }
}

#[test]
fn payloads_of_other_kinds_are_refused() {
    let reason = |payload: &[u8]| {
        Contents::decode(payload.to_vec().into())
            .map(drop)
            .map_err(|error| error.to_string())
    };
    for (payload, what) in [
        (b"".as_slice(), "the first byte"),
        (b"{\"json\":1}", "the first byte"),
        (b"S", "the version"),
        (b"S\x02\x00\x00\x00", "the version"),
        (b"S\x01\x02\x00\x00", "a lifetime"),
        (b"S\x01\x01\x08\x00\x00", "a lifetime"),
        (b"S\x01\x00\x00\x00\x00", "the end"),
        (b"S\x01\x00\x01\x01\xff\x00\x011\x00", "a name"),
        (b"S\x01\x00\x01\x01a\x00\x7f1\x00", "a value"),
        (b"S\x01\x00\x00\x01\x01n\x00\x00\x05\x00", "a namespace"),
        // Were these read, they would be written too, and what was written could not be read.
        (b"S\x01\x00\x01\x01a\x00\x00\x00", "a value"),
        (b"S\x01\x00\x00\x01\x01n\x00\x00\x00", "a namespace"),
    ] {
        let error = reason(payload).expect_err("it is refused");
        assert!(error.contains(what), "{}: {error}", payload.escape_ascii());
    }
    assert_eq!(reason(b"S\x01\x00\x00\x00"), Ok(()));
}

#[test]
fn numbers_that_do_not_fit_are_refused() {
    let number = |bytes: &[u8]| Reader::new(bytes).and_then(|mut reader| reader.number("it"));
    assert_eq!(number(b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"), Ok(u64::MAX));
    for bytes in [
        b"".as_slice(),
        b"\x80",
        b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02",
        b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x81\x00",
        b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff",
    ] {
        assert!(number(bytes).is_err(), "{}", bytes.escape_ascii());
    }
}

#[test]
fn what_claims_to_be_much_takes_no_memory_beforehand() {
    let claim = |before: &[u8]| {
        let mut writer = Writer(before.to_vec());
        writer.number(u64::MAX >> 1);
        writer.0.extend([0; 100]);
        let measured = allocation_counter::measure(|| exercise(&writer.0));
        assert!(
            measured.bytes_max < 32 * 1024,
            "{} bytes for {}",
            measured.bytes_max,
            before.escape_ascii()
        );
    };
    claim(b"S\x01\x00"); // values
    claim(b"S\x01\x00\x00"); // namespaces
    claim(b"S\x01\x00\x01"); // a name
    claim(b"S\x01\x00\x01\x01a\x00"); // a value
    claim(b"S\x01\x00\x00\x01\x01n\x00\x00"); // a namespace
    claim(b"S\x01\x00\x00\x01\x01n\x00\x00\x60"); // values in a namespace
}

#[test]
fn memory_is_in_proportion_to_the_payload_whatever_it_says() {
    for length in [100, 1_000, 10_000, 100_000] {
        for fill in [0, 1, 3, 4, 0x61, 0x80, 0xff] {
            for count in 0..4 {
                let mut writer = Writer(b"S\x01\x00".to_vec());
                // As many values, or namespaces, as could possibly follow.
                match count {
                    0 => writer.number(length / 4),
                    1 => writer.number(length / 4 + 1),
                    2 => writer.0.extend([0, fill]),
                    _ => {
                        writer.byte(0);
                        writer.number(length / 5);
                    }
                }
                writer.0.extend(std::iter::repeat_n(fill, length as usize));
                let measured = allocation_counter::measure(|| {
                    drop(Contents::decode(Bytes::copy_from_slice(&writer.0)));
                });
                let limit = 64 * length + 1_024;
                assert!(measured.bytes_max <= limit, "{} bytes for {length}", measured.bytes_max);
            }
        }
    }
}

#[test]
fn a_namespace_is_not_read_before_it_is_entered() {
    let mut payload = b"S\x01\x00\x00\x02".to_vec();
    payload.extend(b"\x03bad\x00\x00\x03\x09\x09\x09");
    payload.extend(b"\x04good\x00\x00\x06\x01\x01a\x00\x017");
    let mut contents = Contents::decode(payload.clone().into()).expect("what is read of it is well formed");
    let good = contents.block(Some("good"), BEGIN).expect("it is well formed");
    assert_eq!(
        good.and_then(|block| block.get("a", BEGIN)),
        Some(Bytes::from_static(b"7"))
    );
    assert_eq!(contents.encode(BEGIN), payload);
    assert!(contents.block(Some("bad"), BEGIN).is_err());
    assert!(contents.block(Some("none"), BEGIN).expect("it is not there").is_none());
}

#[test]
fn what_is_over_is_not_written() {
    let plain = rich();
    let late = AsOf {
        now: Timestamp::from_millis(201),
        last_active: Timestamp::from_millis(1),
    };
    let mut read = Contents::decode(plain.contents().encode(late)).expect("it is well formed");
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
    let mut read = Contents::decode(plain.contents().encode(late)).expect("it is well formed");
    let left = self::plain(&mut read).expect("it is well formed");
    assert_eq!(left.namespaces, plain.namespaces[1..]);
}
