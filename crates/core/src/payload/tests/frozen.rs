//! Compatibility between versions of this crate, as during a rolling upgrade.
//!
//! [`Frozen`] reads the format as its first version did, and shares no code with the current decoder. It must not be
//! changed, because it stands for the releases that read version 1. The same holds for [`FrozenPlain`] and version 2.
//! The payloads below are such as a later version may write.

use bytes::Bytes;
use proptest::prelude::*;

use super::super::Payload;
use super::super::decode::VERSION_2;
use super::any::models;
use super::model::{BEGIN, Model, model_of};
use crate::clock::Timestamp;
use crate::expiration::Lifetime;
use crate::window::WindowId;

/// A payload as a reader of version 1 sees it.
#[derive(Debug, Default, PartialEq)]
struct Frozen {
    lifetime: Option<Attributes>,
    extensions: Vec<(u64, Vec<u8>)>,
    values: Vec<FrozenValue>,
    namespaces: Vec<(String, Attributes, Vec<FrozenValue>)>,
}

type FrozenValue = (String, Attributes, Vec<u8>);

/// Window, limit, transient flag, and extensions.
type Attributes = (Option<u64>, Option<u64>, bool, Vec<u8>);

/// Consumes bytes from the front.
struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }

    fn number(&mut self) -> Option<u64> {
        let (mut number, mut shift) = (0, 0);
        loop {
            let byte = self.byte()?;
            number |= u64::from(byte & 127) << shift;
            shift += 7;
            if byte < 128 {
                return Some(number);
            }
        }
    }

    fn part(&mut self) -> Option<&'a [u8]> {
        let length = self.number()? as usize;
        let (part, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(part)
    }

    fn text(&mut self) -> Option<String> {
        String::from_utf8(self.part()?.to_vec()).ok()
    }

    fn attributes(&mut self) -> Option<Attributes> {
        let flags = self.byte()?;
        let mut number = |flag| {
            if flags & flag != 0 {
                self.number().map(Some)
            } else {
                Some(None)
            }
        };
        let (window, limit) = (number(1)?, number(2)?);
        let extensions = if flags & 8 != 0 {
            self.part()?.to_vec()
        } else {
            Vec::new()
        };
        (flags < 16).then_some((window, limit, flags & 4 != 0, extensions))
    }

    fn values(&mut self) -> Option<Vec<FrozenValue>> {
        (0..self.number()?)
            .map(|_| Some((self.text()?, self.attributes()?, self.part()?.to_vec())))
            .collect()
    }
}

impl Frozen {
    fn read(payload: &[u8]) -> Option<Self> {
        let mut rest = Input(payload.strip_prefix(b"S\x01")?);
        let head = rest.byte()?;
        let lifetime = if head & 1 != 0 { Some(rest.attributes()?) } else { None };
        let mut extensions = Vec::new();
        if head & 2 != 0 {
            let mut all = Input(rest.part()?);
            while !all.0.is_empty() {
                extensions.push((all.number()?, all.part()?.to_vec()));
            }
        }
        let values = rest.values()?;
        let mut namespaces = Vec::new();
        for _ in 0..rest.number()? {
            let (name, attributes, _summary) = (rest.text()?, rest.attributes()?, rest.attributes()?);
            let mut inner = Input(rest.part()?);
            namespaces.push((name, attributes, inner.values()?));
            inner.0.is_empty().then_some(())?;
        }
        rest.0.is_empty().then_some(Self {
            lifetime,
            extensions,
            values,
            namespaces,
        })
    }
}

/// A plain payload as a reader of version 2 sees it. Such a reader need not look at the bytes between names and values.
#[derive(Debug, PartialEq)]
struct FrozenPlain {
    lifetime: Option<Attributes>,
    extensions: Vec<(u64, Vec<u8>)>,
    values: Vec<(String, Vec<u8>)>,
}

impl FrozenPlain {
    fn read(payload: &[u8]) -> Option<Self> {
        let mut rest = Input(payload.strip_prefix(b"S\x02")?);
        let head = rest.byte()?;
        (head & 4 != 0 && head < 8).then_some(())?;
        let lifetime = if head & 1 != 0 { Some(rest.attributes()?) } else { None };
        let mut extensions = Vec::new();
        if head & 2 != 0 {
            let mut all = Input(rest.part()?);
            while !all.0.is_empty() {
                extensions.push((all.number()?, all.part()?.to_vec()));
            }
        }
        let mut values = Vec::new();
        for _ in 0..rest.number()? {
            let name = rest.text()?;
            rest.byte()?;
            values.push((name, rest.part()?.to_vec()));
        }
        (rest.0 == [0]).then_some(Self {
            lifetime,
            extensions,
            values,
        })
    }
}

fn attributes(lifetime: Lifetime) -> Attributes {
    let limit = lifetime.limit.map(Timestamp::as_millis);
    (lifetime.window, limit, lifetime.transient, Vec::new())
}

fn number(mut number: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while number > 127 {
        bytes.push(number as u8 | 128);
        number >>= 7;
    }
    bytes.push(number as u8);
    bytes
}

fn expected(model: Model) -> Frozen {
    let values = |values: Vec<(String, Lifetime, Vec<u8>)>| {
        let value = |(name, lifetime, json)| (name, attributes(lifetime), json);
        values.into_iter().map(value).collect::<Vec<_>>()
    };
    let window = model.window.map(|window| (1, window.as_bytes().to_vec()));
    let moment = model.authenticated_at.map(|moment| (2, number(moment.as_millis())));
    let is_kept = |(_, lifetime, values): &(String, Lifetime, Vec<_>)| !values.is_empty() || !lifetime.is_endless();
    let kept = model.namespaces.into_iter().filter(is_kept);
    Frozen {
        lifetime: model.lifetime.map(attributes),
        extensions: window.into_iter().chain(moment).collect(),
        values: values(model.values),
        namespaces: kept
            .map(|(name, lifetime, inner)| (name, attributes(lifetime), values(inner)))
            .collect(),
    }
}

proptest! {
    #[test]
    fn the_first_reader_reads_current_payloads(model in models()) {
        let payload = model.payload().encode(BEGIN);
        prop_assert_eq!(Frozen::read(&payload), Some(expected(model)));
    }

    #[test]
    fn the_reader_of_plain_payloads_reads_them(mut model in models(), keeps in any::<bool>()) {
        if !keeps {
            model.namespaces.clear();
            model.values.iter_mut().for_each(|value| value.1 = Lifetime::ENDLESS);
        }
        let decoded = model.payload();
        let payload = decoded.encode_up_to(VERSION_2, BEGIN);
        let Frozen { lifetime, extensions, values, namespaces } = expected(model);
        let endless = attributes(Lifetime::ENDLESS);
        let is_plain = namespaces.is_empty() && values.iter().all(|(_, attributes, _)| *attributes == endless);
        if !is_plain {
            // The payload does not require a greater version than it needs.
            prop_assert_eq!(&payload, &decoded.encode(BEGIN));
            return Ok(());
        }
        let values = values.into_iter().map(|(name, _, json)| (name, json)).collect();
        prop_assert_eq!(FrozenPlain::read(&payload), Some(FrozenPlain { lifetime, extensions, values }));
        prop_assert_eq!(Frozen::read(&payload), None, "a reader of version 1 refuses it");
    }
}

/// Records of the release that writes version 2 are read, and written back so that earlier releases can read them.
#[test]
fn plain_payloads_are_read_and_not_written() {
    let marked: &[u8] =
        b"S\x02\x07\x01\xac\x02\x0e\x01\x08window_1\x02\x02\xac\x02\x02\x04user\x00\x017\x03cap\x00\x02[]\x00";
    assert!(FrozenPlain::read(marked).is_some());
    let mut decoded = Payload::decode(Bytes::from_static(marked)).expect("it is well formed");
    assert_eq!(decoded.lifetime.and_then(|lifetime| lifetime.window), Some(300));
    assert_eq!(decoded.window(), WindowId::parse_bytes(b"window_1"));
    assert_eq!(text(decoded.values.read("cap", BEGIN)).as_deref(), Some("[]"));
    let seen = model_of(&mut decoded).expect("it is well formed");
    assert_eq!(decoded.encode_up_to(VERSION_2, BEGIN), marked);
    let written = decoded.encode(BEGIN);
    assert_eq!(Frozen::read(&written), Some(expected(seen)));
    assert!(!decoded.changed, "the flag alone is no reason to write it");
}

#[test]
fn the_flag_is_dropped_once_it_no_longer_holds() {
    let marked = b"S\x02\x04\x01\x04user\x00\x017\x00";
    let lifetime = Lifetime {
        window: Some(5),
        ..Lifetime::ENDLESS
    };
    let mut decoded = Payload::decode(Bytes::from_static(marked)).expect("it is well formed");
    assert!(decoded.values.set_lifetime("user", lifetime, BEGIN));
    assert_eq!(decoded.encode_up_to(VERSION_2, BEGIN)[..3], *b"S\x01\x00");
    decoded.values.unset("user", BEGIN);
    assert_eq!(decoded.encode_up_to(VERSION_2, BEGIN), b"S\x02\x04\x00\x00".as_slice());
    decoded.value_map_mut(Some("n"), BEGIN, || lifetime).expect("it begins");
    assert_eq!(decoded.encode_up_to(VERSION_2, BEGIN)[..3], *b"S\x01\x00");
}

/// A payload that a later version may write, with extensions of the session, of a namespace and of values that this
/// version does not know.
const LATER: &[u8] = b"S\x01\x03\x05\xac\x02\
    \x18\x01\x08window_1\x02\x02\xac\x02\x03\x03new\x84\x01\x02\x00\xff\
    \x02\x04user\x08\x05\x01\x03abc\x017\x04name\x09\xc8\x01\x02\x07\x00\x05\"ada\"\
    \x02\x04cart\x08\x04\x01\x02xy\x00\x0d\x01\x04item\x08\x03\x05\x01!\x011\x05blank\x08\x02\x09\x00\x00\x01\x00";

fn later() -> Payload {
    Payload::decode(Bytes::from_static(LATER)).expect("a record of a later version can be read")
}

fn text(value: Option<&[u8]>) -> Option<String> {
    value.map(|value| String::from_utf8_lossy(value).into_owned())
}

#[test]
fn payloads_of_a_later_version_are_read_as_far_as_known() {
    let mut decoded = later();
    assert_eq!(decoded.window(), WindowId::parse_bytes(b"window_1"));
    assert_eq!(decoded.authenticated_at(), Some(Timestamp::from_millis(300)));
    assert_eq!(decoded.lifetime.and_then(|lifetime| lifetime.window), Some(300));
    let seen = model_of(&mut decoded).expect("it is well formed");
    let names = seen.values.iter().map(|(name, ..)| name.as_str()).collect::<Vec<_>>();
    assert_eq!(names, ["user", "name"]);
    assert_eq!(text(decoded.values.read("name", BEGIN)).as_deref(), Some("\"ada\""));
    let cart = decoded
        .value_map(Some("cart"), BEGIN)
        .expect("it is well formed")
        .expect("it is there");
    assert_eq!(text(cart.read("item", BEGIN)).as_deref(), Some("1"));
}

#[test]
fn unknown_extensions_survive_a_write() {
    assert_eq!(later().encode(BEGIN), LATER, "untouched");
    let mut decoded = later();
    model_of(&mut decoded).expect("it is well formed");
    assert_eq!(decoded.encode(BEGIN), LATER, "read");

    // Change everything except one value.
    let mut decoded = later();
    decoded
        .values
        .set("new", b"1".to_vec(), BEGIN, None, || Lifetime::ENDLESS);
    decoded
        .values
        .set("name", b"2".to_vec(), BEGIN, None, || Lifetime::ENDLESS);
    decoded.values.set_lifetime(
        "user",
        Lifetime {
            transient: true,
            ..Lifetime::ENDLESS
        },
        BEGIN,
    );
    decoded
        .set_lifetime(None, Lifetime::ENDLESS, BEGIN)
        .expect("it is open");
    decoded
        .set_lifetime(
            Some("cart"),
            Lifetime {
                window: Some(9),
                ..Lifetime::ENDLESS
            },
            BEGIN,
        )
        .expect("it is open");
    let cart = decoded
        .value_map_mut(Some("cart"), BEGIN, || Lifetime::ENDLESS)
        .expect("it is well formed");
    cart.set("more", b"3".to_vec(), BEGIN, None, || Lifetime::ENDLESS);
    decoded.set_window(None);
    decoded.set_authenticated_at(Some(Timestamp::from_millis(5)));

    let written = decoded.encode(BEGIN);
    let before = Frozen::read(LATER).expect("it reads as version 1");
    let after = Frozen::read(&written).expect("it reads as version 1");
    assert_eq!(
        before.extensions[2..],
        after.extensions[1..],
        "extensions of the session stay"
    );
    assert_eq!(after.extensions[0], (2, vec![5]));
    let extensions = |frozen: &Frozen, name: &str| {
        let all = frozen
            .namespaces
            .iter()
            .flat_map(|(.., values)| values)
            .chain(&frozen.values);
        let found = all.into_iter().find(|(found, ..)| found == name);
        found
            .map(|(_, attributes, _)| attributes.3.clone())
            .expect("it is there")
    };
    for untouched in ["user", "item"] {
        assert_eq!(extensions(&after, untouched), extensions(&before, untouched));
    }
    assert_eq!(
        extensions(&after, "name"),
        b"",
        "extensions of the old value are dropped"
    );
    for (index, name) in ["cart", "blank"].into_iter().enumerate() {
        assert_eq!(after.namespaces[index].0, name);
        assert_eq!(after.namespaces[index].1.3, before.namespaces[index].1.3);
    }
}

#[test]
fn extensions_are_removed_with_their_item() {
    let mut decoded = later();
    assert!(decoded.remove_namespace("cart", BEGIN));
    decoded.values.unset("user", BEGIN);
    let cart = decoded
        .value_map_mut(Some("cart"), BEGIN, || Lifetime::ENDLESS)
        .expect("it begins");
    cart.set("item", b"1".to_vec(), BEGIN, None, || Lifetime::ENDLESS);
    decoded
        .values
        .set("user", b"7".to_vec(), BEGIN, None, || Lifetime::ENDLESS);
    let after = Frozen::read(&decoded.encode(BEGIN)).expect("it reads as version 1");
    for (name, attributes, values) in &after.namespaces {
        assert!(name == "blank" || attributes.3.is_empty(), "{name}");
        assert!(
            values.iter().all(|(_, attributes, _)| attributes.3.is_empty()),
            "{name}"
        );
    }
    let user = after.values.iter().find(|(name, ..)| name == "user");
    assert!(user.is_some_and(|(_, attributes, _)| attributes.3.is_empty()));
}

/// A payload of the first version stays readable for ever.
#[test]
fn payloads_of_the_first_version_are_read() {
    let first: &[u8] = b"S\x01\x03\x07\xac\x02\xf0\xa2\x04\x0e\x01\x08window_1\x02\x02\xac\x02\
        \x02\x04user\x00\x017\x05n\xc3\xa4me\x01\x05\x0b{\"a\":[1,2]}\
        \x02\x04cart\x02\x09\x04\x06\x01\x00\x04\x02\"\"\x05empty\x01\xc8\x01\x00\x01\x00";
    let mut decoded = Payload::decode(Bytes::from_static(first)).expect("it is well formed");
    assert_eq!(model_of(&mut decoded).expect("it is well formed"), super::model::rich());
}
