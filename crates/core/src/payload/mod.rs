//! The payload of a record: the values and namespaces of a session, each with its lifetime.
//!
//! A stored session is one buffer. Loading it validates each value once, and copies and parses none. As long as no
//! value has a lifetime of its own, the values stay encoded: a lookup iterates over them, and a changed value is kept
//! in place of the one it replaces, so that the next commit only concatenates the parts. When the first value gets a
//! lifetime, the map is indexed. The values of a namespace are not even validated until it is accessed.
//!
//! # The format
//!
//! ```text
//! payload    = "S" version head [lifetime] [extensions] values count namespace*
//! version    = byte            the least version that can read the record: 1 or 2
//! head       = flags           1: a lifetime follows; 2: extensions follow; 4, from version 2 on: the payload is plain
//! values     = count value*
//! value      = name attributes json
//! namespace  = name attributes summary part(values)
//! attributes = flags [window] [limit] [extensions]
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
//! Numbers are unsigned LEB128 varints (DWARF 5, section 7.6). Windows are milliseconds, limits milliseconds since the
//! Unix epoch. Names are UTF-8. Neither a json nor the part with the values of a namespace is empty. Nothing follows
//! the last namespace.
//!
//! A payload is **plain** if no value in it has a lifetime or extensions, there is no namespace, and each number before
//! a name or a value has its shortest encoding. A payload with the plain flag that is not plain is corrupt.
//!
//! Names are unique within a session or a namespace. Readers do not check this: names are not sorted, so the check
//! would cost every reader memory or quadratic time, to catch only records that this crate did not write. If two items
//! share a name, the first counts.
//!
//! # Compatibility
//!
//! During a rolling upgrade a session passes back and forth between two versions of this crate. New facts are therefore
//! written as **extensions** of the session, of a namespace or of a value. A version that does not know an extension
//! keeps it and writes it back with the item it belongs to. Setting a value drops its extensions, because they may
//! describe the old value. Tags are positive, ascend, and are assigned in order: each version knows the first ones, and
//! those it does not know come last.
//!
//! | tag, of the session | content |
//! |---|---|
//! | 1 | the browser window that transient data belongs to: the eight characters of its id |
//! | 2 | the moment of the last authentication: a number, milliseconds since the Unix epoch |
//!
//! A change that a reader must not ignore, and any other change of the format, takes a greater **version**. A record
//! names the least version that can read it, not the version of its writer. Earlier versions refuse it with an error
//! that says so, and leave it as it is. Such a change takes two releases: one that reads the new version, and a later
//! one that writes it.
//!
//! Version 2 is read but not written so far.

mod as_of;
mod decode;
mod encode;
mod entry;
mod error;
mod extensions;
#[cfg(any(test, feature = "__fuzzing"))]
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

/// A decoded payload with the changes made to it.
#[derive(Debug, Clone)]
pub(crate) struct Payload {
    /// True if the loaded bytes are what the storage holds.
    is_stored: bool,
    /// The limit of the session as stored, even if the session has another lifetime here by now.
    stored_limit: Option<Timestamp>,
    /// The session's own lifetime; `None` if it was never set.
    pub(crate) lifetime: Option<Lifetime>,
    /// The moment at which the lifetime was set, if this visit set it.
    since: Timestamp,
    extensions: Extensions,
    /// The values outside of namespaces. Their source is the whole loaded payload.
    pub(crate) values: ValueMap,
    namespaces: Vec<Namespace>,
    /// True if the stored payload has to be replaced by this one.
    pub(crate) changed: bool,
    /// True if loading and writing this payload is no activity of the client, so that the last activity stays as it is.
    pub(crate) is_inactive: bool,
}

impl Payload {
    /// An empty payload that is not stored.
    pub(crate) const EMPTY: Self = Self {
        is_stored: false,
        stored_limit: None,
        lifetime: None,
        since: Timestamp::MIN,
        extensions: Extensions::NONE,
        values: ValueMap::EMPTY,
        namespaces: Vec::new(),
        changed: false,
        is_inactive: false,
    };

    /// Returns the browser window that the session's transient data belongs to.
    pub(crate) fn window(&self) -> Option<WindowId> {
        self.extensions.window
    }

    pub(crate) fn set_window(&mut self, window: Option<WindowId>) {
        self.changed |= self.extensions.window != window;
        self.extensions.window = window;
    }

    /// Returns the moment of the last authentication.
    pub(crate) fn authenticated_at(&self) -> Option<Timestamp> {
        self.extensions.authenticated_at
    }

    pub(crate) fn set_authenticated_at(&mut self, moment: Option<Timestamp>) {
        self.changed |= self.extensions.authenticated_at != moment;
        self.extensions.authenticated_at = moment;
    }

    /// Returns the loaded payload. Unchanged names and values point into it.
    pub(crate) fn loaded(&self) -> &Bytes {
        &self.values.source
    }

    /// Marks this payload as what the storage now holds. The loaded bytes are outdated then, so nothing can be
    /// reverted: the payload has to be loaded anew before it changes again.
    pub(crate) fn saved(&mut self) {
        self.is_stored = false;
        self.stored_limit = self.limit();
        self.since = Timestamp::MIN;
        self.changed = false;
    }

    /// Returns the payload as stored, without the changes made since.
    pub(crate) fn reverted(&self) -> Result<Self, RecordError> {
        if !self.is_stored {
            return Ok(Self::EMPTY);
        }
        Self::decode(self.loaded().clone())
    }

    /// Returns whether the limit of the session has passed, either the current or the stored one. The sliding window is
    /// not considered here: the deadline of the record covers it.
    pub(crate) fn is_over(&self, now: Timestamp) -> bool {
        earliest(self.limit(), self.stored_limit).is_some_and(|end| end <= now)
    }

    fn limit(&self) -> Option<Timestamp> {
        self.lifetime.and_then(|lifetime| lifetime.limit)
    }

    /// Sets the lifetime of a session that has none. A session that is not stored yet does not become changed by it.
    pub(crate) fn begin_lifetime(&mut self, lifetime: Lifetime, now: Timestamp) {
        self.lifetime = Some(lifetime);
        self.since = now;
        self.changed |= self.is_stored && !lifetime.is_endless();
    }

    /// Returns whether this visit set the session's own lifetime.
    pub(crate) fn has_new_lifetime(&self) -> bool {
        self.since > Timestamp::MIN
    }

    /// Returns the deadline of the session if the visit at `now` is the last one.
    pub(crate) fn deadline(&self, now: Timestamp) -> Option<Timestamp> {
        self.lifetime.and_then(|lifetime| lifetime.deadline(now))
    }

    /// Returns the shortest sliding window of the session and everything in it, in milliseconds.
    pub(crate) fn shortest_window(&self) -> Option<u64> {
        let own = self.lifetime.and_then(|lifetime| lifetime.window);
        earliest(own, self.items().window)
    }

    /// Returns whether the session, or anything in it, ends with the browser window.
    pub(crate) fn holds_transient(&self) -> bool {
        self.lifetime.is_some_and(|lifetime| lifetime.transient) || self.items().transient
    }

    /// Returns the summary of everything in the session, without the session's own lifetime.
    #[inline]
    pub(crate) fn items(&self) -> Summary {
        self.namespaces
            .iter()
            .map(|namespace| Summary::of(namespace.lifetime).and(namespace.values.summary()))
            .fold(self.values.summary(), Summary::and)
    }

    /// Removes expired items and, if the browser was restarted, transient ones. Returns whether any was removed.
    pub(crate) fn purge(&mut self, at: AsOf, restarted: bool) -> Result<bool, RecordError> {
        let has_ended = |lifetime: Lifetime, since| at.is_over(lifetime, since) || (restarted && lifetime.transient);
        let mut removed = self.values.purge(has_ended);
        let before = self.namespaces.len();
        self.namespaces
            .retain(|namespace| !has_ended(namespace.lifetime, namespace.since));
        removed |= self.namespaces.len() < before;
        for namespace in &mut self.namespaces {
            removed |= namespace.open(&self.values.source)?.purge(has_ended);
        }
        self.changed |= removed;
        Ok(removed)
    }
}

#[cfg(test)]
mod tests;
