//! Text from visitors, validated on input.

use serde::{Deserialize, Serialize};
use sessile::storage::Facts;

/// The name of a user: 1 to 64 characters. It is the owner of the user's sessions, too, which limits its bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct UserName(String);

impl UserName {
    /// The user that `/read-then-write` logs in.
    pub(crate) fn late() -> Self {
        Self("late".to_owned())
    }
}

/// Rejects text that is blank, too long or not on one line.
pub(super) fn bounded(what: &str, text: String, most: usize) -> Result<String, String> {
    let length = text.chars().count();
    if text.trim().is_empty() || length > most || text.contains(char::is_control) {
        return Err(format!("{what} has 1 to {most} characters, not all blank, on one line"));
    }
    Ok(text)
}

impl TryFrom<String> for UserName {
    type Error = String;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let text = bounded("a user name", text, 64)?;
        if text.len() > Facts::OWNER_MAX_LEN {
            return Err(format!("a user name has at most {} bytes", Facts::OWNER_MAX_LEN));
        }
        Ok(Self(text))
    }
}

impl AsRef<str> for UserName {
    fn as_ref(&self) -> &str {
        &self.0
    }
}
