//! What holds of any bytes that are read as a payload: for the fuzzer, and for the replay of what is kept of it.

use bytes::Bytes;

use super::block::Value;
use super::decode::{FIRST, MARKED, PLAIN};
use super::{AsOf, Block, Contents, RecordError, Values};
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
    let Ok(mut contents) = Contents::decode(Bytes::copy_from_slice(input)) else {
        return;
    };
    ends_where_it_ends(input);
    says_the_same_in_both_versions(input, &mut contents.clone());
    let unopened = contents.encode(NOW);
    let seen = view(&mut contents);
    let mut again = read(&unopened);
    assert_eq!(again.encode(NOW), unopened, "writing twice is writing once");
    assert_eq!(view(&mut again), seen, "what is written is what was read");
    let reverted = contents.reverted().map(|mut reverted| view(&mut reverted));
    assert_eq!(reverted.as_ref(), Ok(&seen));

    // Namespaces that were entered are written anew, and those with nothing in them are not.
    let opened = contents.encode(NOW);
    let mut again = read(&opened);
    let summary = again.items();
    assert_eq!(view(&mut again), seen.without_blanks());
    assert_eq!(again.items(), summary, "what is known of a namespace is what is in it");
    let mut indexed = self::indexed(&contents);
    assert_eq!(view(&mut indexed), view(&mut contents));
    survives_changes(&mut indexed);
    survives_changes(&mut contents);
    assert_eq!(
        contents.encode(NOW),
        indexed.encode(NOW),
        "how values are kept makes no difference"
    );
}

/// The same with an index of all values that somebody has entered.
pub(super) fn indexed(contents: &Contents) -> Contents {
    let mut contents = contents.clone();
    contents.values.index();
    for namespace in &mut contents.namespaces {
        if let Values::Open(block) = &mut namespace.values {
            block.index();
        }
    }
    contents
}

/// A payload that is marked as plain is one that is plain without the mark, and says the same.
fn says_the_same_in_both_versions(input: &[u8], contents: &mut Contents) {
    let marked = contents.encode_up_to(MARKED, NOW);
    let is_marked = marked[1] == MARKED;
    assert_eq!(is_marked, marked[2] & PLAIN != 0);
    let mut unmarked = marked.to_vec();
    unmarked[1] = FIRST;
    unmarked[2] &= !PLAIN;
    assert_eq!(contents.encode(NOW), unmarked, "that is all there is to it");
    let mut again = read(&marked);
    assert_eq!(again.encode_up_to(MARKED, NOW), marked);
    assert_eq!(again.encode(NOW), unmarked);

    // The other one of the two that the input itself is one of.
    let (version, plain) = (input[1], input[2] & PLAIN != 0);
    let mut other = input.to_vec();
    other[1] = if plain { FIRST } else { MARKED };
    other[2] ^= PLAIN;
    let is_plain = contents.values.is_as_written() && contents.namespaces.is_empty();
    match Contents::decode(other.into()) {
        Ok(mut other) => {
            assert!(is_plain, "what is not plain is not taken for it");
            assert_eq!(view(&mut other), view(contents));
        }
        Err(_) => assert!(
            version == FIRST || !plain,
            "what is marked can be read without the mark"
        ),
    }
    assert!(is_plain || !plain);
    assert_eq!(view(&mut again), view(contents));
}

fn read(payload: &Bytes) -> Contents {
    Contents::decode(payload.clone()).expect("what is written can be read")
}

/// A payload that is cut off is refused, and so is one with something behind it.
fn ends_where_it_ends(input: &[u8]) {
    let cut = Bytes::copy_from_slice(&input[..input.len() - 1]);
    assert!(Contents::decode(cut).is_err(), "a byte is missing");
    let longer = Bytes::from([input, &[0]].concat());
    assert!(Contents::decode(longer).is_err(), "there is a byte too many");
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
fn view(contents: &mut Contents) -> View {
    let mut namespaces = Vec::new();
    let payload = contents.loaded().clone();
    for namespace in &mut contents.namespaces {
        if !NOW.is_over(namespace.lifetime, namespace.since) {
            let name = namespace.name.read(&payload).to_owned();
            let extensions = namespace.extensions.slice(&payload);
            let values = namespace.open(&payload).map(|block| values(block));
            namespaces.push((name, namespace.lifetime, extensions, values));
        }
    }
    View {
        lifetime: contents.lifetime,
        window: contents.window(),
        authenticated_at: contents.authenticated_at(),
        unknown: contents.extensions.unknown.slice(&payload),
        values: values(&contents.values),
        namespaces,
    }
}

fn values(block: &Block) -> Vec<Seen> {
    let mut block = block.clone();
    let entries = block.index().clone();
    let live = entries.iter().filter(|entry| !NOW.is_over(entry.lifetime, entry.since));
    let seen = live.map(|entry| {
        let json = match &entry.value {
            Value::Stored(span) => span.slice(&block.source),
            Value::Set(json) => Bytes::copy_from_slice(json),
        };
        let extensions = entry.extensions.slice(&block.source);
        (
            entry.name.read(&block.source).to_owned(),
            entry.lifetime,
            extensions,
            json,
        )
    });
    seen.collect()
}

/// Does what can be done to a session. Only that it comes back, and can be read again, is of interest.
fn survives_changes(contents: &mut Contents) {
    let _ = (
        contents.is_over(LATE.now),
        contents.deadline(NOW.now),
        contents.shortest_window(),
    );
    let _ = contents.holds_transient();
    read(&contents.encode(LATE));
    let _ = contents.clone().purge(LATE, true);
    let _ = contents.purge(NOW, false);
    for name in [None, Some(""), Some("n")] {
        if let Ok(block) = contents.block_mut(name, NOW, || Lifetime::ENDLESS) {
            block.set("v", b"1".to_vec(), NOW, None, || Lifetime::ENDLESS);
            assert_eq!(block.read("v", NOW), Some(b"1".as_slice()));
        }
    }
    contents.remove_namespace("n", NOW);
    contents.set_window(WindowId::parse_bytes(b"window_1"));
    contents.set_authenticated_at(Some(NOW.now));
    let unknown = contents.extensions.unknown.slice(contents.loaded());
    let again = read(&contents.encode(NOW));
    assert_eq!(
        (again.window(), again.authenticated_at()),
        (contents.window(), Some(NOW.now))
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
