//! A [`ModelState`] as text, for a model that several processes share.

use std::fmt::Write;

use bytes::Bytes;
use sessile_core::{Facts, LockToken, Meta, Record, SessionKey, Timestamp};
use sessile_testkit::model::{Holder, ModelState, Move};

/// The end of each text. A text without it was cut off.
const END: &str = "end\n";

/// Encodes the state as text, one line per entry.
///
/// ```
/// use sessile_core::{Meta, OsEntropy, Record, SessionId, Timestamp};
/// use sessile_lab::state_text;
/// use sessile_testkit::model::ModelState;
///
/// let key = SessionId::generate(&OsEntropy).key();
/// let now = Timestamp::from_millis(1_000);
/// let mut state = ModelState::default();
/// state.create(&key, Record::new(Meta::new(now), "cart"), now).unwrap();
///
/// let text = state_text::encode(&state);
/// assert_eq!(state_text::decode(&text).unwrap().read(&key, now), state.read(&key, now));
/// assert!(state_text::decode(&text[..text.len() / 2]).is_none());
/// ```
#[must_use]
pub fn encode(state: &ModelState) -> String {
    let mut text = String::new();
    let mut line = |words: std::fmt::Arguments<'_>| {
        text.write_fmt(words).expect("text takes all that is written to it");
        text.push('\n');
    };
    for (key, Record { meta, payload, .. }) in &state.records {
        let Meta {
            created_at,
            last_active,
            deadline,
            version,
            facts,
            ..
        } = meta;
        let deadline = deadline.map_or("-".to_owned(), |deadline| deadline.as_millis().to_string());
        let (created_at, last_active) = (created_at.as_millis(), last_active.as_millis());
        let (facts, payload) = (hex(facts.as_bytes()), hex(payload));
        line(format_args!(
            "record {key} {created_at} {last_active} {deadline} {version} .{facts} .{payload}"
        ));
    }
    for (key, Holder { token, until }) in &state.locks {
        line(format_args!(
            "lock {key} {} {}",
            until.as_millis(),
            hex(token.as_bytes())
        ));
    }
    for (key, moved) in &state.moves {
        let (alias, tombstone) = (moved.alias_until.as_millis(), moved.tombstone_until.as_millis());
        line(format_args!("move {key} {} {alias} {tombstone}", moved.to));
    }
    text + END
}

/// Decodes the state. `None` if the text is not complete.
#[must_use]
pub fn decode(text: &str) -> Option<ModelState> {
    let mut state = ModelState::default();
    for line in text.strip_suffix(END)?.lines() {
        let mut words = line.split(' ');
        let mut word = || words.next();
        let kind = word()?;
        let key: SessionKey = word()?.parse().ok()?;
        match kind {
            "record" => {
                let mut meta = Meta::new(moment(word()?)?);
                meta.last_active = moment(word()?)?;
                meta.deadline = match word()? {
                    "-" => None,
                    deadline => Some(moment(deadline)?),
                };
                meta.version = word()?.parse().ok()?;
                meta.facts = Facts::from_bytes(&unhex(word()?.strip_prefix('.')?)?).ok()?;
                let payload = unhex(word()?.strip_prefix('.')?)?;
                state.records.insert(key, Record::new(meta, payload));
            }
            "lock" => {
                let until = moment(word()?)?;
                let token: [u8; 16] = unhex(word()?)?.as_ref().try_into().ok()?;
                let token = LockToken::from_bytes(token);
                state.locks.insert(key, Holder { token, until });
            }
            "move" => {
                let moved = Move {
                    to: word()?.parse().ok()?,
                    alias_until: moment(word()?)?,
                    tombstone_until: moment(word()?)?,
                };
                state.moves.insert(key, moved);
            }
            _ => return None,
        }
    }
    Some(state)
}

fn moment(millis: &str) -> Option<Timestamp> {
    millis.parse().ok().map(Timestamp::from_millis)
}

fn hex(bytes: &[u8]) -> String {
    let digits = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    digits
        .map(|digit| char::from(b"0123456789abcdef"[usize::from(digit)]))
        .collect()
}

fn unhex(text: &str) -> Option<Bytes> {
    let pair = |index: usize| u8::from_str_radix(text.get(index * 2..index * 2 + 2)?, 16).ok();
    (0..text.len() / 2).map(pair).collect()
}
