//! [`WindowId`]: which run of a browser transient data belongs to.

use std::fmt;

use crate::entropy::Entropy;
use crate::id::{ALPHABET, are_allowed};

/// Names a browser window: the stretch from when a browser is opened until it is closed.
///
/// A session's transient data belongs to one window and ends with it. The client is given the window's id twice, once to
/// be kept beside the session's id and once to be forgotten when the window closes; that it shows the one and not the
/// other proves that the window was closed. The id is no secret: it gives no right to anything.
///
/// ```
/// use sessile_core::{OsEntropy, WindowId};
///
/// let window = WindowId::generate(&OsEntropy);
/// assert_eq!(WindowId::parse_bytes(window.as_str().as_bytes()), Some(window));
/// assert_eq!(WindowId::parse_bytes(b"1"), None);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct WindowId([u8; Self::LEN]);

impl WindowId {
    /// The length of the text, in characters of base64url.
    pub const LEN: usize = 8;

    /// Makes a new id of 48 random bits.
    #[must_use]
    pub fn generate(entropy: &dyn Entropy) -> Self {
        let mut text = [0; Self::LEN];
        entropy.fill(&mut text);
        for character in &mut text {
            *character = ALPHABET[usize::from(*character & 63)];
        }
        Self(text)
    }

    /// Reads an id that came from outside, or returns `None` if the text cannot be one.
    #[must_use]
    pub fn parse_bytes(text: &[u8]) -> Option<Self> {
        let text: &[u8; Self::LEN] = text.try_into().ok()?;
        are_allowed(text).then_some(Self(*text))
    }

    /// The text of the id.
    #[must_use]
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).expect("an id is made of ASCII characters")
    }

    /// The bytes of the text.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; Self::LEN] {
        &self.0
    }
}

impl fmt::Debug for WindowId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "WindowId({})", self.as_str())
    }
}

/// What a client shows of the [window](WindowId) it runs in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum ShownWindow {
    /// Nothing: it was never told of one, or the answer that told it has not arrived.
    #[default]
    Nothing,
    /// It runs in this window.
    Open(WindowId),
    /// It was told of this window, which has been closed since.
    Closed(WindowId),
}
