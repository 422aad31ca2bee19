//! The values of one namespace, or those that stand in none.

use bytes::Bytes;

use super::as_of::{AsOf, Summary};
use super::entry::{Entry, Value};
use super::json::Json;
use super::plain::{Plain, ValueRef};
use crate::clock::Timestamp;

/// Values by name, in the order in which they were first set.
///
/// Sessions hold few values, so a name is found by looking through them.
#[derive(Debug, Clone)]
pub(crate) struct ValueMap {
    /// The bytes that were loaded: spans point into them.
    pub(super) source: Bytes,
    pub(super) form: Form,
}

/// How values are kept. To whoever uses the map the two are the same.
#[derive(Debug, Clone)]
pub(super) enum Form {
    /// As they are written. None has a lifetime or extensions.
    Plain(Plain),
    /// One by one.
    Indexed(Vec<Entry>),
}

impl ValueMap {
    pub(super) const EMPTY: Self = Self {
        source: Bytes::new(),
        form: Form::Plain(Plain::EMPTY),
    };

    /// The JSON text of a value, to be taken along.
    #[inline]
    pub(crate) fn json(&self, name: &str, at: AsOf) -> Option<Json> {
        Some(match self.find(name, at)? {
            ValueRef::Stored(span) => Json::copied(span.read(&self.source), || span.slice(&self.source)),
            ValueRef::Set(json) => Json::copied(json, || Bytes::copy_from_slice(json)),
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
    fn find(&self, name: &str, at: AsOf) -> Option<ValueRef<'_>> {
        match &self.form {
            Form::Plain(plain) => Some(plain.value(plain.find(&self.source, name)?)),
            Form::Indexed(entries) => Some(match &self.live(entries, name, at)?.value {
                Value::Stored(span) => ValueRef::Stored(*span),
                Value::Set(json) => ValueRef::Set(json),
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
