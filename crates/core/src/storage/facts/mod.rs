//! [`Facts`]: the owner of a session, and other facts that a listing shows.

mod elements;

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use self::elements::{Elements, number};
use crate::clock::Timestamp;
use crate::storage::ClientFacts;
use crate::varint;

/// The part of the metadata that a listing shows beside the times, without decoding the payload: the owner, the moment of
/// authentication and the facts about the client.
///
/// Most sessions have none, which costs one word. Storages treat the facts as opaque: they keep the
/// [bytes](Facts::as_bytes), at most [`MAX_LEN`](Facts::MAX_LEN) of them, and return the same.
///
/// # Format
///
/// A sequence of elements in ascending order of their tags. Each is its tag, the length of its content and the content;
/// numbers are unsigned LEB128 varints. Elements with tags that this version does not know are kept, as long as there is
/// room.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Facts(Option<Arc<Encoded>>);

/// The encoded elements, of which there is at least one.
#[derive(PartialEq, Eq)]
struct Encoded(Box<[u8]>);

const OWNER: u64 = 1;
const AUTHENTICATED_AT: u64 = 2;
const ADDRESS: u64 = 3;
const AGENT: u64 = 4;
const LABEL: u64 = 5;
const EPOCH: u64 = 6;
const ROLE: u64 = 7;

/// The last tag that this version knows.
const LAST_KNOWN: u64 = ROLE;

/// The use of a record that is no session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// The sessions of one owner.
    Owner = 1,
    /// The number of times that all sessions were ended.
    Epoch = 2,
    /// Keeps a session from being created.
    Barrier = 3,
    /// Sessions whose ends have to be reported.
    Watchlist = 4,
}

impl Facts {
    /// The maximum length of the [encoded](Facts::as_bytes) facts of a session, in bytes.
    pub const MAX_LEN: usize = 1_024;

    /// The maximum length of an [owner](Facts::owner), in bytes.
    pub const OWNER_MAX_LEN: usize = 255;

    /// No facts.
    pub const NONE: Self = Self(None);

    /// Decodes facts that a storage has kept.
    ///
    /// # Errors
    ///
    /// [`ParseFactsError`] if these are no facts.
    ///
    /// ```
    /// use sessile_core::Facts;
    ///
    /// let facts = Facts::from_bytes(b"\x01\x03ada")?;
    /// assert_eq!(facts.owner(), Some("ada"));
    /// assert_eq!(facts.as_bytes(), b"\x01\x03ada");
    /// assert!(Facts::from_bytes(b"\x01\x04ada").is_err());
    /// # Ok::<_, sessile_core::ParseFactsError>(())
    /// ```
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, ParseFactsError> {
        if bytes.len() > Self::MAX_LEN {
            return Err(ParseFactsError);
        }
        let mut last = None;
        let mut elements = Elements(bytes);
        while !elements.0.is_empty() {
            let (tag, content) = elements.read().ok_or(ParseFactsError)?;
            let is_valid = match tag {
                OWNER | ADDRESS | AGENT | LABEL => std::str::from_utf8(content).is_ok(),
                AUTHENTICATED_AT | EPOCH | ROLE => number(content).is_some(),
                _ => true,
            };
            if !is_valid || last.is_some_and(|last| last >= tag) {
                return Err(ParseFactsError);
            }
            last = Some(tag);
        }
        Ok(Self::of_valid(bytes))
    }

    fn of_valid(bytes: &[u8]) -> Self {
        match bytes {
            [] => Self::NONE,
            _ => Self(Some(Arc::new(Encoded(bytes.into())))),
        }
    }

    /// Returns the encoded facts: no bytes if there are none.
    #[inline]
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.0.as_ref().map_or(&[], |encoded| &encoded.0)
    }

    /// Returns whether there are no facts.
    #[inline]
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    /// Returns the owner of the session: the user who has [logged in](crate::Session::log_in).
    #[must_use]
    pub fn owner(&self) -> Option<&str> {
        self.text(OWNER)
    }

    /// Returns when the owner has logged in.
    #[must_use]
    pub fn authenticated_at(&self) -> Option<Timestamp> {
        self.number(AUTHENTICATED_AT).map(Timestamp::from_millis)
    }

    /// Returns the facts about the client, as it was when the session began or its owner logged in.
    #[must_use]
    pub fn client(&self) -> ClientFacts<'_> {
        let text = |tag| self.text(tag).map(Cow::Borrowed);
        ClientFacts {
            address: text(ADDRESS),
            agent: text(AGENT),
            label: text(LABEL),
        }
    }

    /// Returns whether the record is a session. The [registry](crate::Registry) keeps records of its own in the same
    /// storage, under keys that belong to no id.
    #[inline]
    #[must_use]
    pub fn is_session(&self) -> bool {
        self.is_empty() || self.number(ROLE).is_none()
    }

    /// Returns how often all sessions had been ended when this one began.
    pub(crate) fn epoch(&self) -> u64 {
        self.number(EPOCH).unwrap_or(0)
    }

    pub(crate) fn of_role(role: Role) -> Self {
        Self::NONE.with_number(ROLE, Some(role as u64))
    }

    pub(crate) fn is_of_role(&self, role: Role) -> bool {
        self.number(ROLE) == Some(role as u64)
    }

    /// Sets or removes the owner and the moment of authentication. The owner is not longer than
    /// [`OWNER_MAX_LEN`](Facts::OWNER_MAX_LEN).
    pub(crate) fn with_owner(&self, owner: Option<(&str, Timestamp)>) -> Self {
        debug_assert!(owner.is_none_or(|(owner, _)| owner.len() <= Self::OWNER_MAX_LEN));
        let moment = owner.map(|(_, moment)| moment.as_millis());
        self.with(OWNER, owner.map(|(owner, _)| owner.as_bytes()))
            .with_number(AUTHENTICATED_AT, moment)
    }

    /// Replaces the facts about the client. Texts that are too long are cut.
    pub(crate) fn with_client(&self, client: &ClientFacts<'_>) -> Self {
        let client = client.bounded();
        let text = |text: &'_ Option<Cow<'_, str>>| text.as_ref().map(|text| text.as_bytes().to_vec());
        self.with(ADDRESS, text(&client.address).as_deref())
            .with(AGENT, text(&client.agent).as_deref())
            .with(LABEL, text(&client.label).as_deref())
    }

    /// Sets the number of times that all sessions have been ended.
    pub(crate) fn with_epoch(&self, epoch: u64) -> Self {
        self.with_number(EPOCH, (epoch > 0).then_some(epoch))
    }

    fn with_number(&self, tag: u64, number: Option<u64>) -> Self {
        let mut content = Vec::new();
        if let Some(number) = number {
            varint::push(&mut content, number);
        }
        self.with(tag, number.map(|_| &*content))
    }

    /// Sets or removes one element. Elements that only a later version knows give way if there is no room: those that
    /// this version knows fit together.
    fn with(&self, tag: u64, content: Option<&[u8]>) -> Self {
        let all = self.encode_with(tag, content, u64::MAX);
        match all.len() > Self::MAX_LEN {
            false => Self::of_valid(&all),
            true => Self::of_valid(&self.encode_with(tag, content, LAST_KNOWN)),
        }
    }

    /// Encodes the elements up to the tag `last`, with one of them replaced.
    fn encode_with(&self, tag: u64, content: Option<&[u8]>, last: u64) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut new = content.map(|content| (tag, content));
        let mut elements = Elements(self.as_bytes());
        while let Some((other, content)) = elements.read().filter(|(other, _)| *other <= last) {
            if other >= tag
                && let Some((tag, content)) = new.take()
            {
                elements::push(&mut bytes, tag, content);
            }
            if other != tag {
                elements::push(&mut bytes, other, content);
            }
        }
        if let Some((tag, content)) = new {
            elements::push(&mut bytes, tag, content);
        }
        bytes
    }

    fn content(&self, tag: u64) -> Option<&[u8]> {
        let mut elements = Elements(self.0.as_ref().map(|encoded| &*encoded.0)?);
        loop {
            let (found, content) = elements.read()?;
            if found >= tag {
                return (found == tag).then_some(content);
            }
        }
    }

    fn text(&self, tag: u64) -> Option<&str> {
        self.content(tag).and_then(|content| std::str::from_utf8(content).ok())
    }

    fn number(&self, tag: u64) -> Option<u64> {
        self.content(tag).and_then(number)
    }
}

impl fmt::Debug for Facts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut facts = f.debug_struct("Facts");
        if self.is_empty() {
            return facts.finish();
        }
        facts
            .field("owner", &self.owner())
            .field("authenticated_at", &self.authenticated_at())
            .field("client", &self.client())
            .finish_non_exhaustive()
    }
}

/// The error of decoding bytes that are no [`Facts`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct ParseFactsError;

impl fmt::Display for ParseFactsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the facts about a session cannot be decoded")
    }
}

impl std::error::Error for ParseFactsError {}

#[cfg(test)]
mod tests;
