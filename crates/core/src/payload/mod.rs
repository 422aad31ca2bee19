//! What is in a session: its values and namespaces, each with its lifetime.
//!
//! A stored session is one buffer. Loading it looks at each value once and copies and parses none. As long as no value
//! has a lifetime of its own, they stay as they are written: a name is found by going through them, and what a visit
//! changes stands in place of what it replaces, so that the next commit has but to join the parts. With the first value
//! that has a lifetime, an index is made of where each lies. A namespace that nobody enters is not even looked at.
//!
//! # The format
//!
//! ```text
//! payload    = "S" version head [lifetime] [extensions] values count namespace*
//! version    = byte            the least version that a reader has to be of: 1 or 2
//! head       = flags           1: a lifetime follows; 2: extensions follow; 4, from version 2 on: it is plain
//! values     = count value*
//! value      = name about json
//! namespace  = name about summary part(values)
//! about      = flags [window] [limit] [extensions]
//!                              1: a window; 2: a limit; 4: ends with the browser window; 8: extensions
//! lifetime   = flags [window] [limit]
//!                              the same, without extensions
//! summary    = lifetime        the shortest window of the values in the namespace; no limit
//! extensions = part((tag part(content))*)
//! name, json = part(bytes)
//! part(x)    = length x        the length of x in bytes
//! window, limit, count, length, tag = number
//! ```
//!
//! Numbers are unsigned LEB128 varints (DWARF 5, section 7.6); windows are milliseconds, limits milliseconds since the
//! Unix epoch. Names are UTF-8. No json is empty, nor is the part with the values of a namespace. Nothing follows the
//! last namespace.
//!
//! A payload is **plain** if no value in it has a lifetime or extensions, there is no namespace, and each number before
//! a name or a value is as short as can be. One that says so and is not is damaged.
//!
//! Within a session or a namespace no name comes twice: so it is written. It is not checked: names are in no order, and
//! every reader would pay, in memory or by comparing each with each, for what only another hand writes. Of two with one
//! name the first counts.
//!
//! # How it may grow
//!
//! While servers are replaced one by one, a session goes back and forth between two versions of this crate. So what is
//! new is written as an **extension**, of the session, of a namespace or of a value. A version that does not know an
//! extension leaves it alone and writes it again with what it belongs to. Extensions of a value go when the value is set
//! anew, as they may tell of the value that was. Tags are positive, ascend, and are given out in order: each version
//! knows the first of them, and those it does not know are the last.
//!
//! | tag, of the session | content |
//! |---|---|
//! | 1 | the browser window that transient data belongs to: the eight characters of its id |
//! | 2 | when somebody last authenticated: a number, milliseconds since the Unix epoch |
//!
//! What a reader must not overlook, and whatever else changes the format, takes a greater **version**. A record asks for
//! the least version that can read it, not for that of its writer. It is refused by earlier ones, by an error that says
//! so, and stays as it is. To introduce such a thing takes two releases: one that can read it, and a later one that
//! writes it.
//!
//! Version 2 is read and not written so far.

mod as_of;
mod decode;
mod encode;
mod entry;
mod error;
mod extensions;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzzing;
mod iter;
mod json;
mod namespace;
mod namespaces;
mod plain;
mod set;
mod sink;
mod value_map;
mod wire;

use bytes::Bytes;

pub(crate) use self::as_of::{AsOf, Summary};
pub use self::error::RecordError;
use self::extensions::Extensions;
pub(crate) use self::json::Json;
use self::namespace::{Namespace, Values};
use self::plain::Plain;
pub(crate) use self::value_map::ValueMap;
use crate::clock::Timestamp;
use crate::expiration::{Lifetime, earliest};
use crate::window::WindowId;

/// The decoded payload of a record, and the changes made to it.
#[derive(Debug, Clone)]
pub(crate) struct Payload {
    /// Whether what was loaded is what the storage holds.
    is_stored: bool,
    /// The date on which the storage ends the session, whatever its lifetime says here by now.
    stored_limit: Option<Timestamp>,
    /// The session's own lifetime; `None` if it was never given one.
    pub(crate) lifetime: Option<Lifetime>,
    /// When the lifetime was set, if that was in this visit.
    since: Timestamp,
    extensions: Extensions,
    /// Values that stand in no namespace. Their source is all that was loaded.
    pub(crate) values: ValueMap,
    namespaces: Vec<Namespace>,
    /// Whether the payload no longer says what this says.
    pub(crate) changed: bool,
}

impl Payload {
    /// Nothing, stored nowhere.
    pub(crate) const EMPTY: Self = Self {
        is_stored: false,
        stored_limit: None,
        lifetime: None,
        since: Timestamp::MIN,
        extensions: Extensions::NONE,
        values: ValueMap::EMPTY,
        namespaces: Vec::new(),
        changed: false,
    };

    /// The browser window that the session's transient data belongs to.
    pub(crate) fn window(&self) -> Option<WindowId> {
        self.extensions.window
    }

    pub(crate) fn set_window(&mut self, window: Option<WindowId>) {
        self.changed |= self.extensions.window != window;
        self.extensions.window = window;
    }

    /// When somebody last authenticated.
    pub(crate) fn authenticated_at(&self) -> Option<Timestamp> {
        self.extensions.authenticated_at
    }

    pub(crate) fn set_authenticated_at(&mut self, moment: Option<Timestamp>) {
        self.changed |= self.extensions.authenticated_at != moment;
        self.extensions.authenticated_at = moment;
    }

    /// The payload that was loaded: names that were not changed point into it.
    pub(crate) fn loaded(&self) -> &Bytes {
        &self.values.source
    }

    /// How long the record was that was loaded.
    pub(crate) fn loaded_len(&self) -> usize {
        self.loaded().len()
    }

    /// Takes note that the storage now holds what this says. There is nothing to go back to any more: whoever changes
    /// it again loads it anew first.
    pub(crate) fn saved(&mut self) {
        self.is_stored = false;
        self.stored_limit = self.limit();
        self.since = Timestamp::MIN;
        self.changed = false;
    }

    /// What the storage holds, without the changes made since.
    pub(crate) fn reverted(&self) -> Result<Self, RecordError> {
        if !self.is_stored {
            return Ok(Self::default());
        }
        Self::decode(self.loaded().clone())
    }

    /// Whether the session's own lifetime is over, that which it has here or that which is stored: how far the session
    /// has slid is said by its deadline.
    pub(crate) fn is_over(&self, now: Timestamp) -> bool {
        earliest(self.limit(), self.stored_limit).is_some_and(|end| end <= now)
    }

    fn limit(&self) -> Option<Timestamp> {
        self.lifetime.and_then(|lifetime| lifetime.limit)
    }

    /// Gives the session a lifetime because it has none. A session that is not stored yet stays unstored for it.
    pub(crate) fn begin_lifetime(&mut self, lifetime: Lifetime, now: Timestamp) {
        self.lifetime = Some(lifetime);
        self.since = now;
        self.changed |= self.is_stored && !lifetime.is_endless();
    }

    /// Whether the session's own lifetime was set in this visit.
    pub(crate) fn has_new_lifetime(&self) -> bool {
        self.since > Timestamp::MIN
    }

    /// When the session ends if it is visited now and not again.
    pub(crate) fn deadline(&self, now: Timestamp) -> Option<Timestamp> {
        self.lifetime.and_then(|lifetime| lifetime.deadline(now))
    }

    /// The shortest sliding window of the session and everything in it, in milliseconds.
    pub(crate) fn shortest_window(&self) -> Option<u64> {
        let own = self.lifetime.and_then(|lifetime| lifetime.window);
        earliest(own, self.items().window)
    }

    /// Whether anything in the session, or the session itself, ends with the browser window.
    pub(crate) fn holds_transient(&self) -> bool {
        self.lifetime.is_some_and(|lifetime| lifetime.transient) || self.items().transient
    }

    /// The summary of everything in the session, without the session's own lifetime.
    #[inline]
    pub(crate) fn items(&self) -> Summary {
        self.namespaces
            .iter()
            .map(|namespace| Summary::of(namespace.lifetime).and(namespace.values.summary()))
            .fold(self.values.summary(), Summary::and)
    }

    /// Removes what is over and, after a restart of the browser, what was transient. Says whether anything was.
    pub(crate) fn purge(&mut self, at: AsOf, restarted: bool) -> Result<bool, RecordError> {
        let over = |lifetime: Lifetime, since| at.is_over(lifetime, since) || (restarted && lifetime.transient);
        let mut removed = self.values.purge(over);
        let before = self.namespaces.len();
        self.namespaces
            .retain(|namespace| !over(namespace.lifetime, namespace.since));
        removed |= self.namespaces.len() < before;
        for namespace in &mut self.namespaces {
            removed |= namespace.open(&self.values.source)?.purge(over);
        }
        self.changed |= removed;
        Ok(removed)
    }
}

impl Default for Payload {
    fn default() -> Self {
        Self::EMPTY
    }
}

#[cfg(test)]
mod tests;
