//! [`ClientFacts`]: the facts that a session remembers of its client.

use std::borrow::Cow;

/// Facts about the client of a session, for lists that users and operators see: "Firefox on Linux, from this address".
/// The application supplies it with [`Visit::client`](crate::Visit::client); nothing is recorded otherwise.
///
/// It is recorded when a session begins and when its owner logs in. Longer texts are cut. It comes from the client and
/// proves nothing, and has to be escaped where it is shown.
///
/// ```
/// use sessile_core::{ClientFacts, Visit};
///
/// let client = ClientFacts::new().address("203.0.113.7").agent("Mozilla/5.0 (X11; Linux x86_64)");
/// let visit = Visit::new().client(client);
/// # let _ = visit;
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ClientFacts<'a> {
    /// The address, in a form that the application chooses: up to 64 bytes.
    pub address: Option<Cow<'a, str>>,
    /// The user agent: up to 256 bytes.
    pub agent: Option<Cow<'a, str>>,
    /// A name of the device or the place: up to 64 bytes.
    pub label: Option<Cow<'a, str>>,
}

const ADDRESS_MAX_LEN: usize = 64;
const AGENT_MAX_LEN: usize = 256;
const LABEL_MAX_LEN: usize = 64;

impl<'a> ClientFacts<'a> {
    /// Returns no facts.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            address: None,
            agent: None,
            label: None,
        }
    }

    /// Sets the address.
    #[must_use]
    pub fn address(mut self, address: impl Into<Cow<'a, str>>) -> Self {
        self.address = Some(address.into());
        self
    }

    /// Sets the user agent.
    #[must_use]
    pub fn agent(mut self, agent: impl Into<Cow<'a, str>>) -> Self {
        self.agent = Some(agent.into());
        self
    }

    /// Sets the label.
    #[must_use]
    pub fn label(mut self, label: impl Into<Cow<'a, str>>) -> Self {
        self.label = Some(label.into());
        self
    }

    /// Returns whether nothing is known.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.address.is_none() && self.agent.is_none() && self.label.is_none()
    }

    /// Returns the same facts, copied.
    #[must_use]
    pub fn into_owned(self) -> ClientFacts<'static> {
        let own = |text: Option<Cow<'_, str>>| text.map(|text| Cow::Owned(text.into_owned()));
        ClientFacts {
            address: own(self.address),
            agent: own(self.agent),
            label: own(self.label),
        }
    }

    /// Cuts texts that are too long.
    pub(crate) fn bounded(&self) -> ClientFacts<'_> {
        ClientFacts {
            address: cut(self.address.as_deref(), ADDRESS_MAX_LEN),
            agent: cut(self.agent.as_deref(), AGENT_MAX_LEN),
            label: cut(self.label.as_deref(), LABEL_MAX_LEN),
        }
    }
}

fn cut(text: Option<&str>, limit: usize) -> Option<Cow<'_, str>> {
    let text = text?;
    let mut end = text.len().min(limit);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    Some(Cow::Borrowed(&text[..end]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_texts_are_cut_between_characters() {
        let agent = "ä".repeat(200);
        let address = format!("x{}", "ä".repeat(200));
        let client = ClientFacts::new().agent(&*agent).address(&*address);
        assert_eq!(client.bounded().agent.map(|agent| agent.len()), Some(256));
        assert_eq!(client.bounded().address.map(|address| address.len()), Some(63));
    }
}
