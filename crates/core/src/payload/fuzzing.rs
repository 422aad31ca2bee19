//! Properties of any bytes that are decoded as a payload, for the fuzzer and for replaying its corpus.

use bytes::Bytes;

use super::decode::{PLAIN, VERSION_1, VERSION_2};
use super::entry::Value;
use super::{AsOf, Payload, RecordError, ValueMap, Values};
use crate::clock::Timestamp;
use crate::expiration::Lifetime;
use crate::window::WindowId;

const NOW: AsOf = AsOf::new(Timestamp::from_millis(1_000), Timestamp::from_millis(1_000));

const LATE: AsOf = AsOf::new(Timestamp::MAX, Timestamp::from_millis(1_000));

/// Checks the properties of decoding a record: decodes the input, encodes it again, and compares the two.
pub fn record(input: &[u8]) {
    let Ok(mut decoded) = Payload::decode(Bytes::copy_from_slice(input)) else {
        return;
    };
    refuses_other_lengths(input);
    agrees_in_both_versions(input, &mut decoded.clone());
    let unopened = decoded.encode(NOW);
    let contents = view_of(&mut decoded);
    let mut again = decode_encoded(&unopened);
    assert_eq!(again.encode(NOW), unopened, "encoding is idempotent");
    assert_eq!(
        view_of(&mut again),
        contents,
        "the encoded payload has the same contents"
    );
    let reverted = decoded.reverted().map(|mut reverted| view_of(&mut reverted));
    assert_eq!(reverted.as_ref(), Ok(&contents));

    // Opened namespaces are encoded anew; empty ones are dropped.
    let opened = decoded.encode(NOW);
    let mut again = decode_encoded(&opened);
    let summary = again.items();
    assert_eq!(view_of(&mut again), contents.without_blanks());
    assert_eq!(
        again.items(),
        summary,
        "the summary of a namespace agrees with its values"
    );
    let mut indexed = to_indexed(&decoded);
    assert_eq!(view_of(&mut indexed), view_of(&mut decoded));
    survives_changes(&mut indexed);
    survives_changes(&mut decoded);
    assert_eq!(
        decoded.encode(NOW),
        indexed.encode(NOW),
        "both forms of a map encode alike"
    );
}

/// Returns a copy in which all open value maps are indexed.
pub(super) fn to_indexed(decoded: &Payload) -> Payload {
    let mut decoded = decoded.clone();
    decoded.values.index();
    for namespace in &mut decoded.namespaces {
        if let Values::Open(map) = &mut namespace.values {
            map.index();
        }
    }
    decoded
}

/// Checks that a payload with the plain flag has the same contents without it.
fn agrees_in_both_versions(input: &[u8], decoded: &mut Payload) {
    let marked = decoded.encode_up_to(VERSION_2, NOW);
    let is_marked = marked[1] == VERSION_2;
    assert_eq!(is_marked, marked[2] & PLAIN != 0);
    let mut unmarked = marked.to_vec();
    unmarked[1] = VERSION_1;
    unmarked[2] &= !PLAIN;
    assert_eq!(
        decoded.encode(NOW),
        unmarked,
        "nothing but the version and the flag differs"
    );
    let mut again = decode_encoded(&marked);
    assert_eq!(again.encode_up_to(VERSION_2, NOW), marked);
    assert_eq!(again.encode(NOW), unmarked);

    // The input itself with the flag flipped.
    let (version, plain) = (input[1], input[2] & PLAIN != 0);
    let mut other = input.to_vec();
    other[1] = if plain { VERSION_1 } else { VERSION_2 };
    other[2] ^= PLAIN;
    let is_plain = decoded.values.is_encoded() && decoded.namespaces.is_empty();
    match Payload::decode(other.into()) {
        Ok(mut other) => {
            assert!(is_plain, "a payload that is not plain is refused with the flag");
            assert_eq!(view_of(&mut other), view_of(decoded));
        }
        Err(_) => assert!(
            version == VERSION_1 || !plain,
            "a flagged payload can be read without the flag"
        ),
    }
    assert!(is_plain || !plain);
    assert_eq!(view_of(&mut again), view_of(decoded));
}

fn decode_encoded(payload: &Bytes) -> Payload {
    Payload::decode(payload.clone()).expect("an encoded payload can be decoded")
}

/// Checks that a truncated payload is refused, and one with a trailing byte.
fn refuses_other_lengths(input: &[u8]) {
    let cut = Bytes::copy_from_slice(&input[..input.len() - 1]);
    assert!(Payload::decode(cut).is_err(), "a byte is missing");
    let longer = Bytes::from([input, &[0]].concat());
    assert!(Payload::decode(longer).is_err(), "there is a byte too many");
}

/// The live contents of a session, in order.
#[derive(Debug, Clone, PartialEq)]
struct View {
    lifetime: Option<Lifetime>,
    window: Option<WindowId>,
    authenticated_at: Option<Timestamp>,
    unknown: Bytes,
    values: Vec<ValueView>,
    namespaces: Vec<NamespaceView>,
}

/// Name, lifetime, extensions, and values.
type NamespaceView = (String, Lifetime, Bytes, Result<Vec<ValueView>, RecordError>);

/// Name, lifetime, extensions, and JSON text.
type ValueView = (String, Lifetime, Bytes, Bytes);

impl View {
    fn without_blanks(mut self) -> Self {
        self.namespaces.retain(|(_, lifetime, extensions, values)| {
            values != &Ok(Vec::new()) || !lifetime.is_endless() || !extensions.is_empty()
        });
        self
    }
}

/// Reads every namespace and every value.
fn view_of(decoded: &mut Payload) -> View {
    let mut namespaces = Vec::new();
    let payload = decoded.loaded().clone();
    for namespace in &mut decoded.namespaces {
        if !NOW.is_over(namespace.lifetime, namespace.since) {
            let name = namespace.name.read(&payload).to_owned();
            let extensions = namespace.extensions.slice(&payload);
            let values = namespace.open(&payload).map(|map| values_of(map));
            namespaces.push((name, namespace.lifetime, extensions, values));
        }
    }
    View {
        lifetime: decoded.lifetime,
        window: decoded.window(),
        authenticated_at: decoded.authenticated_at(),
        unknown: decoded.extensions.unknown.slice(&payload),
        values: values_of(&decoded.values),
        namespaces,
    }
}

fn values_of(map: &ValueMap) -> Vec<ValueView> {
    let mut map = map.clone();
    let entries = map.index().clone();
    let live = entries.iter().filter(|entry| !NOW.is_over(entry.lifetime, entry.since));
    let contents = live.map(|entry| {
        let json = match &entry.value {
            Value::Stored(span) => span.slice(&map.source),
            Value::Set(json) => Bytes::copy_from_slice(json),
        };
        let extensions = entry.extensions.slice(&map.source);
        (
            entry.name.read(&map.source).to_owned(),
            entry.lifetime,
            extensions,
            json,
        )
    });
    contents.collect()
}

/// Applies every kind of change. Checks only that each returns and that the result can be decoded.
fn survives_changes(decoded: &mut Payload) {
    let _ = (
        decoded.is_over(LATE.now),
        decoded.deadline(NOW.now),
        decoded.shortest_window(),
    );
    let _ = decoded.holds_transient();
    decode_encoded(&decoded.encode(LATE));
    let _ = decoded.clone().purge(LATE, true);
    let _ = decoded.purge(NOW, false);
    for name in [None, Some(""), Some("n")] {
        if let Ok(map) = decoded.value_map_mut(name, NOW, || Lifetime::ENDLESS) {
            map.set("v", b"1".to_vec(), NOW, None, || Lifetime::ENDLESS);
            assert_eq!(map.read("v", NOW), Some(b"1".as_slice()));
        }
    }
    decoded.remove_namespace("n", NOW);
    decoded.set_window(WindowId::parse_bytes(b"window_1"));
    decoded.set_authenticated_at(Some(NOW.now));
    let unknown = decoded.extensions.unknown.slice(decoded.loaded());
    let again = decode_encoded(&decoded.encode(NOW));
    assert_eq!(
        (again.window(), again.authenticated_at()),
        (decoded.window(), Some(NOW.now))
    );
    assert_eq!(
        again.extensions.unknown.slice(again.loaded()),
        unknown,
        "unknown extensions are kept"
    );
}
