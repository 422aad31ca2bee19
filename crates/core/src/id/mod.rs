//! [`SessionId`]: the secret that a client carries.

mod hasher;
mod key;
mod seen;

use std::fmt;
use std::sync::Arc;

pub use self::hasher::KeyHasher;
pub(crate) use self::key::SHARD_LEN;
pub use self::key::{Fingerprint, ParseSessionKeyError, SessionKey};
pub(crate) use self::seen::SeenKeys;
use crate::entropy::Entropy;

/// The alphabet of base64url (RFC 4648, section 5), in order.
pub(crate) const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// Returns whether all characters are allowed in an id. It has no branches, so that it compiles to a few vector
/// instructions.
#[inline]
pub(crate) fn are_allowed(text: &[u8]) -> bool {
    let is_allowed = |c: u8| {
        let letter = (c | 0x20).wrapping_sub(b'a') < 26;
        let digit = c.wrapping_sub(b'0') < 10;
        letter | digit | (c == b'.') | (c == b'_') | (c == b'-')
    };
    text.iter().fold(true, |allowed, &c| allowed & is_allowed(c))
}

/// The secret that a client carries and that names its session.
///
/// Generated ids are 192 random bits, written as 32 base64url characters. Ids from outside are 16 to 128 characters of
/// `A-Za-z0-9._-`; [`SessionId::parse`] refuses anything else.
///
/// The text is a bearer credential, so the type is hard to leak: its `Debug` shows a fingerprint, it has no `Display`
/// and no `Serialize`, and only [`expose`](SessionId::expose) returns the text. Storages, logs and operators see the
/// [`SessionKey`], from which the id cannot be computed.
///
/// ```
/// use sessile_core::{OsEntropy, SessionId};
///
/// let id = SessionId::generate(&OsEntropy);
/// assert_eq!(id.expose().len(), 32);
/// assert!(!format!("{id:?}").contains(id.expose()));
/// assert_eq!(SessionId::parse(id.expose()), Some(id));
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct SessionId(Repr);

/// The representation of the text.
#[derive(Clone, PartialEq, Eq, Hash)]
enum Repr {
    /// A text of the length of generated ids, stored without allocation.
    Inline(Inline),
    /// A text of another length, made elsewhere.
    Allocated(Arc<str>),
}

/// Aligned to words, so that the check for ASCII takes a few instructions.
#[derive(Clone, PartialEq, Eq, Hash)]
#[repr(align(8))]
struct Inline([u8; SessionId::LEN]);

impl SessionId {
    /// The length of a generated id, in characters.
    pub const LEN: usize = 32;

    /// The shortest text accepted as an id, in characters.
    pub const MIN_LEN: usize = 16;

    /// The longest text accepted as an id, in characters.
    pub const MAX_LEN: usize = 128;

    /// Generates an id of 192 random bits.
    #[must_use]
    pub fn generate(entropy: &dyn Entropy) -> Self {
        let mut random = [0; 24];
        entropy.fill(&mut random);
        let mut text = [0; Self::LEN];
        for (three, four) in random.chunks_exact(3).zip(text.chunks_exact_mut(4)) {
            let bits = u32::from_be_bytes([0, three[0], three[1], three[2]]);
            for (index, character) in four.iter_mut().enumerate() {
                *character = ALPHABET[(bits >> (18 - 6 * index)) as usize & 63];
            }
        }
        Self(Repr::Inline(Inline(text)))
    }

    /// Generates an id in the same shard as `self`.
    ///
    /// The shard, which is not secret, is kept; the other 174 bits are new. A storage that is distributed over several
    /// servers can therefore move the record from the old id to the new one on one server, in one step.
    #[must_use]
    pub fn rotated(&self, entropy: &dyn Entropy) -> Self {
        let mut next = Self::generate(entropy);
        if let Repr::Inline(Inline(text)) = &mut next.0 {
            text[..SHARD_LEN].copy_from_slice(&self.as_bytes()[..SHARD_LEN]);
        }
        next
    }

    /// Parses an id that came from outside. Returns `None` if the text is not well formed.
    ///
    /// A well-formed id does not imply that its session exists.
    ///
    /// ```
    /// use sessile_core::SessionId;
    ///
    /// assert!(SessionId::parse("0123456789abcdef").is_some());
    /// assert!(SessionId::parse("too-short").is_none());
    /// assert!(SessionId::parse("../../../../etc/passwd").is_none());
    /// ```
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::parse_bytes(text.as_bytes())
    }

    /// Parses an id from bytes that need not be UTF-8. Bytes that are not allowed characters are refused.
    ///
    /// ```
    /// use sessile_core::SessionId;
    ///
    /// assert_eq!(SessionId::parse_bytes(b"0123456789abcdef"), SessionId::parse("0123456789abcdef"));
    /// assert!(SessionId::parse_bytes(b"0123456789abcde\xff").is_none());
    /// ```
    #[must_use]
    pub fn parse_bytes(text: &[u8]) -> Option<Self> {
        if let Ok(inline) = text.try_into() {
            return are_allowed(text).then_some(Self(Repr::Inline(Inline(inline))));
        }
        let length = Self::MIN_LEN..=Self::MAX_LEN;
        if !length.contains(&text.len()) || !are_allowed(text) {
            return None;
        }
        let text = std::str::from_utf8(text).ok()?;
        Some(Self(Repr::Allocated(text.into())))
    }

    /// Returns the text of the id. It is the secret itself: send it to the client only.
    #[must_use]
    pub fn expose(&self) -> &str {
        match &self.0 {
            Repr::Inline(Inline(text)) => std::str::from_utf8(text).expect("an id is made of ASCII characters"),
            Repr::Allocated(text) => text,
        }
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        match &self.0 {
            Repr::Inline(Inline(text)) => text,
            Repr::Allocated(text) => text.as_bytes(),
        }
    }

    /// Returns the key under which storages know this session.
    #[must_use]
    pub fn key(&self) -> SessionKey {
        SessionKey::of(self.as_bytes())
    }
}

/// Shows the fingerprint of the [`SessionKey`], which does not open the session.
impl fmt::Debug for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SessionId(#{})", self.key().fingerprint())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entropy::OsEntropy;

    #[derive(Debug)]
    struct Fixed(u8);

    impl Entropy for Fixed {
        fn fill(&self, bytes: &mut [u8]) {
            bytes.fill(self.0);
        }
    }

    #[test]
    fn generated_ids_are_base64url_of_the_random_bits() {
        assert_eq!(SessionId::generate(&Fixed(0)).expose(), "A".repeat(32));
        assert_eq!(SessionId::generate(&Fixed(0xff)).expose(), "_".repeat(32));
        assert_eq!(SessionId::generate(&Fixed(0b0000_0100)).expose(), "BAQE".repeat(8));
    }

    #[test]
    fn bits_are_written_in_order() {
        #[derive(Debug)]
        struct One(usize);
        impl Entropy for One {
            fn fill(&self, bytes: &mut [u8]) {
                bytes[self.0 / 8] = 0x80 >> (self.0 % 8);
            }
        }
        for bit in 0..192 {
            let mut text = [b'A'; 32];
            text[bit / 6] = ALPHABET[0x20 >> (bit % 6)];
            assert_eq!(SessionId::generate(&One(bit)).as_bytes(), text, "bit {bit}");
        }
    }

    #[test]
    fn a_hundred_thousand_ids_differ() {
        let ids: std::collections::HashSet<_> = (0..100_000).map(|_| SessionId::generate(&OsEntropy)).collect();
        assert_eq!(ids.len(), 100_000);
    }

    #[test]
    fn rotation_keeps_the_shard_and_nothing_else() {
        let old = SessionId::generate(&Fixed(0));
        let new = old.rotated(&Fixed(0xff));
        assert_eq!(new.expose(), format!("AAA{}", "_".repeat(29)));
        assert_eq!(old.key().shard(), new.key().shard());
        assert_ne!(old.key(), new.key());
    }

    #[test]
    fn only_well_formed_texts_are_ids() {
        for good in ["a".repeat(16), "Z".repeat(128), "0._-AZaz09------".into()] {
            assert_eq!(SessionId::parse(&good).expect("good").expose(), good);
        }
        for bad in [
            "a".repeat(15),
            "a".repeat(129),
            format!("{} ", "a".repeat(20)),
            format!("{}/", "a".repeat(20)),
            format!("{}é", "a".repeat(20)),
            format!("{}\0", "a".repeat(20)),
            String::new(),
        ] {
            assert_eq!(SessionId::parse(&bad), None, "{bad:?}");
        }
    }

    #[test]
    fn only_bytes_of_ids_are_allowed() {
        for byte in 0..=u8::MAX {
            let is_allowed = byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
            for length in [SessionId::MIN_LEN, SessionId::LEN] {
                for place in 0..length {
                    let mut text = vec![b'a'; length];
                    text[place] = byte;
                    assert_eq!(SessionId::parse_bytes(&text).is_some(), is_allowed, "{byte} at {place}");
                }
            }
        }
    }

    #[test]
    fn debug_shows_no_part_of_the_secret() {
        let id = SessionId::generate(&OsEntropy);
        let shown = format!("{id:?} {id:#?}");
        for part in id.expose().as_bytes().windows(6) {
            let part = std::str::from_utf8(part).unwrap();
            assert!(!shown.contains(part), "{shown} shows {part}");
        }
    }
}
