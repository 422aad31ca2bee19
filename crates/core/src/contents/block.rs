//! The values of one namespace, or those that stand in none.

use bytes::Bytes;

use super::json::Json;
use super::plain::{Kept, Plain};
use super::wire::{Span, Text};
use super::{AsOf, Summary};
use crate::clock::Timestamp;
use crate::expiration::Lifetime;

/// Values by name, in the order in which they were first set.
///
/// Sessions hold few values, so a name is found by looking through them.
#[derive(Debug, Clone)]
pub(crate) struct Block {
    /// The bytes that were loaded: spans point into them.
    pub(super) source: Bytes,
    pub(super) form: Form,
}

/// How values are kept. To whoever uses the block the two are the same.
#[derive(Debug, Clone)]
pub(super) enum Form {
    /// As they are written. None has a lifetime or extensions.
    Plain(Plain),
    /// One by one.
    Indexed(Vec<Entry>),
}

/// One value and what is known of it.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub(super) name: Text,
    pub(super) lifetime: Lifetime,
    /// When the lifetime was set, if that was in this visit.
    pub(super) since: Timestamp,
    /// What a later version of this crate has written beside the value, in the source. It goes when the value is set
    /// anew, as it may tell of the value that was.
    pub(super) extensions: Span,
    pub(super) value: Value,
}

/// A value as JSON text.
#[derive(Debug, Clone)]
pub(super) enum Value {
    /// As it was loaded.
    Stored(Span),
    /// As it was set in this visit.
    Set(Vec<u8>),
}

impl Entry {
    pub(super) fn is_over(&self, at: AsOf) -> bool {
        at.is_over(self.lifetime, self.since)
    }
}

impl Block {
    pub(super) const EMPTY: Self = Self {
        source: Bytes::new(),
        form: Form::Plain(Plain::EMPTY),
    };

    /// The JSON text of a value, to be taken along.
    #[inline]
    pub(crate) fn json(&self, name: &str, at: AsOf) -> Option<Json> {
        Some(match self.find(name, at)? {
            Kept::Stored(span) => Json::copied(span.read(&self.source), || span.slice(&self.source)),
            Kept::Set(json) => Json::copied(json, || Bytes::copy_from_slice(json)),
        })
    }

    /// The same, where it is.
    #[inline]
    pub(crate) fn read(&self, name: &str, at: AsOf) -> Option<&[u8]> {
        Some(self.find(name, at)?.read(&self.source))
    }

    pub(crate) fn contains(&self, name: &str, at: AsOf) -> bool {
        self.find(name, at).is_some()
    }

    /// Whether a value is this JSON text.
    #[inline]
    pub(crate) fn holds(&self, name: &str, json: &[u8], at: AsOf) -> bool {
        self.read(name, at).is_some_and(|kept| kept == json)
    }

    #[inline]
    fn find(&self, name: &str, at: AsOf) -> Option<Kept<'_>> {
        match &self.form {
            Form::Plain(plain) => Some(plain.kept(plain.find(&self.source, name)?)),
            Form::Indexed(entries) => Some(match &self.live(entries, name, at)?.value {
                Value::Stored(span) => Kept::Stored(*span),
                Value::Set(json) => Kept::Set(json),
            }),
        }
    }

    fn live<'a>(&self, entries: &'a [Entry], name: &str, at: AsOf) -> Option<&'a Entry> {
        let entry = entries.iter().find(|entry| entry.name.is(name, &self.source))?;
        (!entry.is_over(at)).then_some(entry)
    }

    /// Of a value's name and the names it had before, the first under which it is there.
    #[inline]
    pub(crate) fn current_name<'a>(&self, name: &'a str, aliases: &[&'a str], at: AsOf) -> &'a str {
        let is_there = |alias: &&&str| self.contains(alias, at);
        match aliases {
            [] => name,
            _ if self.contains(name, at) => name,
            _ => aliases.iter().find(is_there).copied().unwrap_or(name),
        }
    }

    /// When a value ends of its own; the inner `None` if it does not.
    pub(crate) fn ends_at(&self, name: &str, at: AsOf) -> Option<Option<Timestamp>> {
        match &self.form {
            Form::Plain(plain) => plain.find(&self.source, name).map(|_| None),
            Form::Indexed(entries) => {
                let entry = self.live(entries, name, at)?;
                Some(at.ends_at(entry.lifetime, entry.since))
            }
        }
    }

    /// The names of the values that are there.
    pub(crate) fn names(&self, at: AsOf) -> Vec<String> {
        match &self.form {
            Form::Plain(plain) => plain.names(&self.source).map(str::to_owned).collect(),
            Form::Indexed(entries) => {
                let live = entries.iter().filter(|entry| !entry.is_over(at));
                live.map(|entry| entry.name.read(&self.source).to_owned()).collect()
            }
        }
    }

    #[inline]
    pub(super) fn summary(&self) -> Summary {
        match &self.form {
            Form::Plain(_) => Summary::default(),
            Form::Indexed(entries) => entries
                .iter()
                .map(|entry| Summary::of(entry.lifetime))
                .fold(Summary::default(), Summary::and),
        }
    }
}
