//! What holds of any bytes that are read as a payload: for the fuzzer, and for the replay of what is kept of it.

use bytes::Bytes;

use super::decode::{FIRST, MARKED, PLAIN};
use super::entry::Value;
use super::{AsOf, Payload, RecordError, ValueMap, Values};
use crate::clock::Timestamp;
use crate::expiration::Lifetime;
use crate::window::WindowId;

const NOW: AsOf = AsOf {
    now: Timestamp::from_millis(1_000),
    last_active: Timestamp::from_millis(1_000),
};

const LATE: AsOf = AsOf {
    now: Timestamp::MAX,
    last_active: Timestamp::from_millis(1_000),
};

/// Reads the input, and writes it again.
pub(crate) fn record(input: &[u8]) {
    let Ok(mut decoded) = Payload::decode(Bytes::copy_from_slice(input)) else {
        return;
    };
    ends_where_it_ends(input);
    says_the_same_in_both_versions(input, &mut decoded.clone());
    let unopened = decoded.encode(NOW);
    let seen = view(&mut decoded);
    let mut again = read(&unopened);
    assert_eq!(again.encode(NOW), unopened, "writing twice is writing once");
    assert_eq!(view(&mut again), seen, "what is written is what was read");
    let reverted = decoded.reverted().map(|mut reverted| view(&mut reverted));
    assert_eq!(reverted.as_ref(), Ok(&seen));

    // Namespaces that were entered are written anew, and those with nothing in them are not.
    let opened = decoded.encode(NOW);
    let mut again = read(&opened);
    let summary = again.items();
    assert_eq!(view(&mut again), seen.without_blanks());
    assert_eq!(again.items(), summary, "what is known of a namespace is what is in it");
    let mut indexed = self::indexed(&decoded);
    assert_eq!(view(&mut indexed), view(&mut decoded));
    survives_changes(&mut indexed);
    survives_changes(&mut decoded);
    assert_eq!(
        decoded.encode(NOW),
        indexed.encode(NOW),
        "how values are kept makes no difference"
    );
}

/// The same with an index of all values that somebody has entered.
pub(super) fn indexed(decoded: &Payload) -> Payload {
    let mut decoded = decoded.clone();
    decoded.values.index();
    for namespace in &mut decoded.namespaces {
        if let Values::Open(map) = &mut namespace.values {
            map.index();
        }
    }
    decoded
}

/// A payload that is marked as plain is one that is plain without the mark, and says the same.
fn says_the_same_in_both_versions(input: &[u8], decoded: &mut Payload) {
    let marked = decoded.encode_up_to(MARKED, NOW);
    let is_marked = marked[1] == MARKED;
    assert_eq!(is_marked, marked[2] & PLAIN != 0);
    let mut unmarked = marked.to_vec();
    unmarked[1] = FIRST;
    unmarked[2] &= !PLAIN;
    assert_eq!(decoded.encode(NOW), unmarked, "that is all there is to it");
    let mut again = read(&marked);
    assert_eq!(again.encode_up_to(MARKED, NOW), marked);
    assert_eq!(again.encode(NOW), unmarked);

    // The other one of the two that the input itself is one of.
    let (version, plain) = (input[1], input[2] & PLAIN != 0);
    let mut other = input.to_vec();
    other[1] = if plain { FIRST } else { MARKED };
    other[2] ^= PLAIN;
    let is_plain = decoded.values.is_as_written() && decoded.namespaces.is_empty();
    match Payload::decode(other.into()) {
        Ok(mut other) => {
            assert!(is_plain, "what is not plain is not taken for it");
            assert_eq!(view(&mut other), view(decoded));
        }
        Err(_) => assert!(
            version == FIRST || !plain,
            "what is marked can be read without the mark"
        ),
    }
    assert!(is_plain || !plain);
    assert_eq!(view(&mut again), view(decoded));
}

fn read(payload: &Bytes) -> Payload {
    Payload::decode(payload.clone()).expect("what is written can be read")
}

/// A payload that is cut off is refused, and so is one with something behind it.
fn ends_where_it_ends(input: &[u8]) {
    let cut = Bytes::copy_from_slice(&input[..input.len() - 1]);
    assert!(Payload::decode(cut).is_err(), "a byte is missing");
    let longer = Bytes::from([input, &[0]].concat());
    assert!(Payload::decode(longer).is_err(), "there is a byte too many");
}

/// Everything that is live in a session, in its order.
#[derive(Debug, Clone, PartialEq)]
struct View {
    lifetime: Option<Lifetime>,
    window: Option<WindowId>,
    authenticated_at: Option<Timestamp>,
    unknown: Bytes,
    values: Vec<Seen>,
    namespaces: Vec<SeenNamespace>,
}

/// Name, lifetime, extensions, and the values.
type SeenNamespace = (String, Lifetime, Bytes, Result<Vec<Seen>, RecordError>);

/// Name, lifetime, extensions, and the value itself.
type Seen = (String, Lifetime, Bytes, Bytes);

impl View {
    fn without_blanks(mut self) -> Self {
        self.namespaces.retain(|(_, lifetime, extensions, values)| {
            values != &Ok(Vec::new()) || !lifetime.is_endless() || !extensions.is_empty()
        });
        self
    }
}

/// Enters every namespace, and looks at every value.
fn view(decoded: &mut Payload) -> View {
    let mut namespaces = Vec::new();
    let payload = decoded.loaded().clone();
    for namespace in &mut decoded.namespaces {
        if !NOW.is_over(namespace.lifetime, namespace.since) {
            let name = namespace.name.read(&payload).to_owned();
            let extensions = namespace.extensions.slice(&payload);
            let values = namespace.open(&payload).map(|map| values(map));
            namespaces.push((name, namespace.lifetime, extensions, values));
        }
    }
    View {
        lifetime: decoded.lifetime,
        window: decoded.window(),
        authenticated_at: decoded.authenticated_at(),
        unknown: decoded.extensions.unknown.slice(&payload),
        values: values(&decoded.values),
        namespaces,
    }
}

fn values(map: &ValueMap) -> Vec<Seen> {
    let mut map = map.clone();
    let entries = map.index().clone();
    let live = entries.iter().filter(|entry| !NOW.is_over(entry.lifetime, entry.since));
    let seen = live.map(|entry| {
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
    seen.collect()
}

/// Does what can be done to a session. Only that it comes back, and can be read again, is of interest.
fn survives_changes(decoded: &mut Payload) {
    let _ = (
        decoded.is_over(LATE.now),
        decoded.deadline(NOW.now),
        decoded.shortest_window(),
    );
    let _ = decoded.holds_transient();
    read(&decoded.encode(LATE));
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
    let again = read(&decoded.encode(NOW));
    assert_eq!(
        (again.window(), again.authenticated_at()),
        (decoded.window(), Some(NOW.now))
    );
    assert_eq!(
        again.extensions.unknown.slice(again.loaded()),
        unknown,
        "what is not known is kept"
    );
}

#[cfg(test)]
#[test]
fn what_is_kept_of_the_fuzzer_is_read() {
    crate::corpus::replay("record", record);
}
