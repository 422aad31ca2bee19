//! Ids and keys as text.

use sessile_core::{Entropy, SessionId, SessionKey};

/// Reads the input as an id, and as a key.
///
/// # Panics
///
/// If the parser and the rule below disagree, or an id breaks a property.
pub fn id(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    let id = SessionId::parse(text);
    assert_eq!(id.is_some(), may_be_an_id(input), "{text:?}");
    if let Some(id) = id {
        assert_eq!(id.expose(), text);
        assert_eq!(SessionId::parse(id.expose()).as_ref(), Some(&id));
        let rotated = id.rotated(&Ones);
        assert_eq!(rotated.expose(), format!("{}{}", &text[..3], "_".repeat(29)));
        assert_eq!(rotated.key().shard(), id.key().shard());
        is_the_text_of(&id.key().to_string(), id.key());
        let fingerprint = &id.key().to_string()[4..12];
        assert_eq!(format!("{id:?}"), format!("SessionId(#{fingerprint})"));
    }
    if let Ok(key) = text.parse::<SessionKey>() {
        is_the_text_of(text, key);
    }
}

/// The rule, independent of the parser: 16 to 128 characters, each a letter, a digit, a dot, an underscore or a hyphen.
pub(crate) fn may_be_an_id(text: &[u8]) -> bool {
    const CHARACTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";
    text.len() >= 16 && text.len() <= 128 && text.iter().all(|character| CHARACTERS.contains(character))
}

/// Asserts that a key has one text, which is safe as a part of a name in any storage.
fn is_the_text_of(text: &str, key: SessionKey) {
    assert_eq!(key.to_string(), text);
    assert_eq!(text.parse(), Ok(key));
    assert_eq!(text.len(), 68);
    assert!(
        text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'/'),
        "{text}"
    );
}

/// The largest random numbers.
#[derive(Debug)]
struct Ones;

impl Entropy for Ones {
    fn fill(&self, bytes: &mut [u8]) {
        bytes.fill(0xff);
    }
}
