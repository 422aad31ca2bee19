//! The values of one namespace, or those that stand in none.

use bytes::Bytes;

use super::wire::{Span, Text};
use super::{AsOf, Summary};
use crate::clock::Timestamp;
use crate::expiration::Lifetime;

/// Values by name, in the order in which they were first set.
///
/// Sessions hold few values, so a name is found by looking through them.
#[derive(Debug, Clone)]
pub(crate) struct Block {
    /// What the spans of loaded entries point into.
    pub(super) source: Bytes,
    pub(super) entries: Vec<Entry>,
}

/// One value and what is known of it.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub(super) name: Text,
    pub(crate) lifetime: Lifetime,
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

impl Block {
    pub(super) const EMPTY: Self = Self {
        source: Bytes::new(),
        entries: Vec::new(),
    };

    fn position(&self, name: &str) -> Option<usize> {
        self.entries.iter().position(|entry| entry.name.is(name, &self.source))
    }

    /// The JSON text of a value.
    pub(crate) fn get(&self, name: &str, at: AsOf) -> Option<Bytes> {
        Some(match &self.live(name, at)?.value {
            Value::Stored(span) => span.slice(&self.source),
            Value::Set(json) => Bytes::copy_from_slice(json),
        })
    }

    pub(crate) fn contains(&self, name: &str, at: AsOf) -> bool {
        self.live(name, at).is_some()
    }

    /// Whether a value is this JSON text.
    #[inline]
    pub(crate) fn holds(&self, name: &str, json: &[u8], at: AsOf) -> bool {
        self.live(name, at).is_some_and(|entry| match &entry.value {
            Value::Stored(span) => span.read(&self.source) == json,
            Value::Set(set) => set == json,
        })
    }

    /// Of a value's name and the names it had before, the first under which it is there.
    pub(crate) fn current_name<'a>(&self, name: &'a str, aliases: &[&'a str], at: AsOf) -> &'a str {
        let is_there = |alias: &&&str| self.contains(alias, at);
        match aliases {
            [] => name,
            _ if self.contains(name, at) => name,
            _ => aliases.iter().find(is_there).copied().unwrap_or(name),
        }
    }

    /// Moves a value that stands under a name it had before to the name it has now, where it is alone.
    pub(crate) fn rename(&mut self, name: &str, aliases: &[&str], at: AsOf) {
        let current = self.current_name(name, aliases, at);
        if current != name
            && let Some(index) = self.position(current)
        {
            self.unset(name, at);
            let index = self.position(current).unwrap_or(index);
            self.entries[index].name = Text::from(name);
        }
        for alias in aliases {
            self.unset(alias, at);
        }
    }

    /// Removes all values. Says whether any was there.
    pub(crate) fn clear(&mut self, at: AsOf) -> bool {
        let any = self
            .entries
            .iter()
            .any(|entry| !at.is_over(entry.lifetime, entry.since));
        self.entries.clear();
        any
    }

    /// When a value ends of its own; the inner `None` if it does not.
    pub(crate) fn ends_at(&self, name: &str, at: AsOf) -> Option<Option<Timestamp>> {
        let entry = self.live(name, at)?;
        Some(at.ends_at(entry.lifetime, entry.since))
    }

    fn live(&self, name: &str, at: AsOf) -> Option<&Entry> {
        let entry = &self.entries[self.position(name)?];
        (!at.is_over(entry.lifetime, entry.since)).then_some(entry)
    }

    /// Sets a value. One that is there keeps its lifetime unless `replace` gives another; one that is not gets
    /// `replace` or else what `begin` gives.
    pub(crate) fn set(
        &mut self,
        name: &str,
        json: Vec<u8>,
        at: AsOf,
        replace: Option<Lifetime>,
        begin: impl FnOnce() -> Lifetime,
    ) {
        let kept = self.position(name).filter(|&index| {
            let entry = &self.entries[index];
            !at.is_over(entry.lifetime, entry.since)
        });
        if let Some(index) = kept {
            let entry = &mut self.entries[index];
            entry.value = Value::Set(json);
            entry.extensions = Span::EMPTY;
            if let Some(lifetime) = replace {
                entry.lifetime = lifetime;
                entry.since = at.now;
            }
            return;
        }
        self.unset(name, at);
        self.entries.push(Entry {
            name: Text::from(name),
            lifetime: replace.unwrap_or_else(begin),
            since: at.now,
            extensions: Span::EMPTY,
            value: Value::Set(json),
        });
    }

    /// Removes a value. Says whether it was there.
    pub(crate) fn unset(&mut self, name: &str, at: AsOf) -> bool {
        let Some(index) = self.position(name) else {
            return false;
        };
        let removed = self.entries.remove(index);
        !at.is_over(removed.lifetime, removed.since)
    }

    /// Gives a value another lifetime from now on. Says whether it was there.
    pub(crate) fn set_lifetime(&mut self, name: &str, lifetime: Lifetime, at: AsOf) -> bool {
        match self.position(name).map(|index| &mut self.entries[index]) {
            Some(entry) if !at.is_over(entry.lifetime, entry.since) => {
                entry.lifetime = lifetime;
                entry.since = at.now;
                true
            }
            _ => false,
        }
    }

    /// The names of the values that are there.
    pub(crate) fn names(&self, at: AsOf) -> Vec<String> {
        let live = |entry: &&Entry| !at.is_over(entry.lifetime, entry.since);
        let name = |entry: &Entry| entry.name.read(&self.source).to_owned();
        self.entries.iter().filter(live).map(name).collect()
    }

    pub(super) fn summary(&self) -> Summary {
        self.entries
            .iter()
            .map(|entry| Summary::of(entry.lifetime))
            .fold(Summary::default(), Summary::and)
    }

    pub(super) fn purge(&mut self, over: impl Fn(Lifetime, Timestamp) -> bool) -> bool {
        let before = self.entries.len();
        self.entries.retain(|entry| !over(entry.lifetime, entry.since));
        self.entries.len() < before
    }
}
