//! [`ValueMap`]: the values of one namespace, or those outside of namespaces.

use bytes::Bytes;

use super::as_of::{AsOf, Summary};
use super::entry::{Entry, Value};
use super::json::Json;
use super::plain::{Plain, ValueRef};
use crate::clock::Timestamp;

/// Values by name, in the order in which they were first set.
///
/// Lookups iterate, because sessions hold few values.
#[derive(Debug, Clone)]
pub(crate) struct ValueMap {
    /// The loaded bytes. Spans point into them.
    pub(super) source: Bytes,
    pub(super) form: Form,
}

/// The representation of the values. Users of the map cannot tell the two apart.
#[derive(Debug, Clone)]
pub(super) enum Form {
    /// Encoded. No value has a lifetime or extensions.
    Plain(Plain),
    /// Decoded into entries.
    Indexed(Vec<Entry>),
}

impl ValueMap {
    pub(super) const EMPTY: Self = Self {
        source: Bytes::new(),
        form: Form::Plain(Plain::EMPTY),
    };

    /// Returns the JSON text of a value, copied or shared.
    #[inline]
    pub(crate) fn json(&self, name: &str, at: AsOf) -> Option<Json> {
        Some(match self.find(name, at)? {
            ValueRef::Stored(span) => Json::copied(span.read(&self.source), || span.slice(&self.source)),
            ValueRef::Set(json) => Json::copied(json, || Bytes::copy_from_slice(json)),
        })
    }

    /// Returns the JSON text of a value, borrowed.
    #[inline]
    pub(crate) fn read(&self, name: &str, at: AsOf) -> Option<&[u8]> {
        Some(self.find(name, at)?.read(&self.source))
    }

    pub(crate) fn contains(&self, name: &str, at: AsOf) -> bool {
        self.find(name, at).is_some()
    }

    /// Returns whether a value has exactly this JSON text.
    #[inline]
    pub(crate) fn holds(&self, name: &str, json: &[u8], at: AsOf) -> bool {
        self.read(name, at).is_some_and(|kept| kept == json)
    }

    #[inline]
    fn find(&self, name: &str, at: AsOf) -> Option<ValueRef<'_>> {
        match &self.form {
            Form::Plain(plain) => Some(plain.value(plain.find(&self.source, name)?)),
            Form::Indexed(entries) => Some(match &self.find_live(entries, name, at)?.value {
                Value::Stored(span) => ValueRef::Stored(*span),
                Value::Set(json) => ValueRef::Set(json),
            }),
        }
    }

    fn find_live<'a>(&self, entries: &'a [Entry], name: &str, at: AsOf) -> Option<&'a Entry> {
        let entry = entries.iter().find(|entry| entry.name.is(name, &self.source))?;
        (!entry.is_over(at)).then_some(entry)
    }

    /// Returns the first of `name` and `aliases` under which a value is stored; `name` if there is none.
    #[inline]
    pub(crate) fn current_name<'a>(&self, name: &'a str, aliases: &[&'a str], at: AsOf) -> &'a str {
        let is_stored = |alias: &&&str| self.contains(alias, at);
        match aliases {
            [] => name,
            _ if self.contains(name, at) => name,
            _ => aliases.iter().find(is_stored).copied().unwrap_or(name),
        }
    }

    /// Returns the deadline that the own lifetime of a value gives it. The outer `None` means that there is no such
    /// value, the inner one that it does not end.
    pub(crate) fn ends_at(&self, name: &str, at: AsOf) -> Option<Option<Timestamp>> {
        match &self.form {
            Form::Plain(plain) => plain.find(&self.source, name).map(|_| None),
            Form::Indexed(entries) => {
                let entry = self.find_live(entries, name, at)?;
                Some(at.ends_at(entry.lifetime, entry.since))
            }
        }
    }

    /// Returns the names of the values that are there.
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
