//! [`SessionId`]: the secret a client carries.

mod key;

use std::fmt;
use std::sync::Arc;

pub(crate) use self::key::SHARD_LEN;
pub use self::key::{Fingerprint, ParseSessionKeyError, SessionKey};
use crate::entropy::Entropy;

/// The alphabet of base64url (RFC 4648, section 5), in order.
pub(crate) const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// Whether an id may consist of these. Without branches, so that it takes a few instructions for all of them.
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
/// Ids made here are 192 random bits, written as 32 base64url characters. Ids that come from outside are 16 to
/// 128 characters of `A-Za-z0-9._-`; [`SessionId::parse`] refuses anything else.
///
/// Whoever holds the text holds the session, so the type is hard to leak: its `Debug` shows a fingerprint, it has
/// no `Display` and no `Serialize`, and only [`expose`](SessionId::expose) gives the text. Storages, logs and
/// operators see the [`SessionKey`], from which the id cannot be found.
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
pub struct SessionId(Text);

/// The text of an id.
#[derive(Clone, PartialEq, Eq, Hash)]
enum Text {
    /// One as long as those made here, for which nothing need be allocated.
    Own(Own),
    /// One of another length, made elsewhere.
    Foreign(Arc<str>),
}

/// Where whole words begin: there it takes a few instructions to see that all of it is ASCII.
#[derive(Clone, PartialEq, Eq, Hash)]
#[repr(align(8))]
struct Own([u8; SessionId::LEN]);

impl SessionId {
    /// The length of a generated id, in characters.
    pub const LEN: usize = 32;

    /// The shortest text accepted as an id, in characters.
    pub const MIN_LEN: usize = 16;

    /// The longest text accepted as an id, in characters.
    pub const MAX_LEN: usize = 128;

    /// Makes a new id of 192 random bits.
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
        Self(Text::Own(Own(text)))
    }

    /// Makes a new id that lands in the same shard as `self`.
    ///
    /// The shard, which is not secret, is kept; the other 174 bits are new. A storage that is spread over several
    /// servers can therefore move the record from the old id to the new one on one server, in one step.
    #[must_use]
    pub fn rotated(&self, entropy: &dyn Entropy) -> Self {
        let mut next = Self::generate(entropy);
        if let Text::Own(Own(text)) = &mut next.0 {
            text[..SHARD_LEN].copy_from_slice(&self.as_bytes()[..SHARD_LEN]);
        }
        next
    }

    /// Reads an id that came from outside, or `None` if the text cannot be one.
    ///
    /// That an id is well formed says nothing about whether a session by that id exists.
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

    /// The same for text that nobody has looked at yet: bytes that are no characters are refused like any other.
    ///
    /// ```
    /// use sessile_core::SessionId;
    ///
    /// assert_eq!(SessionId::parse_bytes(b"0123456789abcdef"), SessionId::parse("0123456789abcdef"));
    /// assert!(SessionId::parse_bytes(b"0123456789abcde\xff").is_none());
    /// ```
    #[must_use]
    pub fn parse_bytes(text: &[u8]) -> Option<Self> {
        if let Ok(own) = text.try_into() {
            return are_allowed(text).then_some(Self(Text::Own(Own(own))));
        }
        let length = Self::MIN_LEN..=Self::MAX_LEN;
        if !length.contains(&text.len()) || !are_allowed(text) {
            return None;
        }
        let text = std::str::from_utf8(text).ok()?;
        Some(Self(Text::Foreign(text.into())))
    }

    /// The text of the id: the secret itself. Give it to the client and to nobody else.
    #[must_use]
    pub fn expose(&self) -> &str {
        match &self.0 {
            Text::Own(Own(text)) => std::str::from_utf8(text).expect("an id is made of ASCII characters"),
            Text::Foreign(text) => text,
        }
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        match &self.0 {
            Text::Own(Own(text)) => text,
            Text::Foreign(text) => text.as_bytes(),
        }
    }

    /// The key under which storages know this session.
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
    fn bits_are_written_one_after_the_other() {
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
    fn of_all_bytes_those_of_ids_are_allowed() {
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
