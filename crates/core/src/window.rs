//! [`WindowId`]: the browser window that transient data belongs to.

use std::fmt;

use crate::entropy::Entropy;
use crate::id::{ALPHABET, are_allowed};

/// The id of a browser window: the time from opening a browser until closing it.
///
/// A session's transient data belongs to one window and ends with it. The client stores the window's id twice: once as
/// long as the session's id, and once until the window closes. If it sends the first but not the second, the window was
/// closed. The id is not secret and grants no access.
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
    /// The length of the text, in base64url characters.
    pub const LEN: usize = 8;

    /// Generates an id of 48 random bits.
    #[must_use]
    pub fn generate(entropy: &dyn Entropy) -> Self {
        let mut text = [0; Self::LEN];
        entropy.fill(&mut text);
        for character in &mut text {
            *character = ALPHABET[usize::from(*character & 63)];
        }
        Self(text)
    }

    /// Parses an id that came from outside. Returns `None` if it is not well formed.
    #[must_use]
    pub fn parse_bytes(text: &[u8]) -> Option<Self> {
        let text: &[u8; Self::LEN] = text.try_into().ok()?;
        are_allowed(text).then_some(Self(*text))
    }

    /// Returns the text of the id.
    #[must_use]
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).expect("an id is made of ASCII characters")
    }

    /// Returns the bytes of the text.
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

/// The [window](WindowId) that a client reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum ShownWindow {
    /// None: the client never received an id, or the response that carried it has not arrived.
    #[default]
    Nothing,
    /// The client runs in this window.
    Open(WindowId),
    /// The client received this window's id, and the window has been closed since.
    Closed(WindowId),
}
