//! Changing the values of a map.
//!
//! Values that have no lifetimes and extensions stay as they are written as long as none gets one.

use super::entry::{Entry, Value};
use super::value_map::{Form, ValueMap};
use super::wire::{Name, Span};
use super::{AsOf, Plain};
use crate::clock::Timestamp;
use crate::expiration::Lifetime;

impl ValueMap {
    /// Sets a value. One that is there keeps its lifetime unless `replace` gives another; one that is not gets
    /// `replace` or else what `begin` gives.
    ///
    /// Says whether anything is different now: a value that is there as it was to be set is left as it is.
    pub(crate) fn set(
        &mut self,
        name: &str,
        json: Vec<u8>,
        at: AsOf,
        replace: Option<Lifetime>,
        begin: impl FnOnce() -> Lifetime,
    ) -> bool {
        let Form::Plain(plain) = &mut self.form else {
            return self.set_indexed(name, json, at, replace, begin);
        };
        let position = plain.find(&self.source, name);
        let lifetime = match (replace, position) {
            (Some(lifetime), _) => lifetime,
            (None, Some(_)) => Lifetime::ENDLESS,
            (None, None) => begin(),
        };
        if !lifetime.is_endless() {
            return self.set_indexed(name, json, at, Some(lifetime), || lifetime);
        }
        if replace.is_none() && position.is_some_and(|position| plain.value(position).read(&self.source) == json) {
            return false;
        }
        plain.set(&self.source, position, name, json);
        true
    }

    fn set_indexed(
        &mut self,
        name: &str,
        json: Vec<u8>,
        at: AsOf,
        replace: Option<Lifetime>,
        begin: impl FnOnce() -> Lifetime,
    ) -> bool {
        if replace.is_none() && self.holds(name, &json, at) {
            return false;
        }
        let position = self.position(name);
        let entries = self.index();
        let kept = position.filter(|&index| !entries[index].is_over(at));
        if let Some(index) = kept {
            let entry = &mut entries[index];
            entry.value = Value::Set(json);
            entry.extensions = Span::EMPTY;
            if let Some(lifetime) = replace {
                entry.lifetime = lifetime;
                entry.since = at.now;
            }
            return true;
        }
        if let Some(index) = position {
            entries.remove(index);
        }
        entries.push(Entry {
            name: Name::from(name),
            lifetime: replace.unwrap_or_else(begin),
            since: at.now,
            extensions: Span::EMPTY,
            value: Value::Set(json),
        });
        true
    }

    /// Removes a value. Says whether it was there.
    pub(crate) fn unset(&mut self, name: &str, at: AsOf) -> bool {
        if let Form::Plain(plain) = &mut self.form {
            let position = plain.find(&self.source, name);
            return position.map(|position| plain.remove(&self.source, position)).is_some();
        }
        let Some(index) = self.position(name) else {
            return false;
        };
        !self.index().remove(index).is_over(at)
    }

    /// Gives a value another lifetime from now on. Says whether it was there.
    pub(crate) fn set_lifetime(&mut self, name: &str, lifetime: Lifetime, at: AsOf) -> bool {
        if matches!(self.form, Form::Plain(_)) && (lifetime.is_endless() || !self.contains(name, at)) {
            return self.contains(name, at);
        }
        let position = self.position(name);
        match position.map(|index| &mut self.index()[index]) {
            Some(entry) if !entry.is_over(at) => {
                entry.lifetime = lifetime;
                entry.since = at.now;
                true
            }
            _ => false,
        }
    }

    /// Moves a value that stands under a name it had before to the name it has now, where it is alone.
    #[inline]
    pub(crate) fn rename(&mut self, name: &str, aliases: &[&str], at: AsOf) {
        if !aliases.is_empty() {
            self.rename_from(name, aliases, at);
        }
    }

    fn rename_from(&mut self, name: &str, aliases: &[&str], at: AsOf) {
        let current = self.current_name(name, aliases, at);
        if current != name {
            // One that is over can still stand under the name.
            self.unset(name, at);
            match &mut self.form {
                Form::Plain(plain) => {
                    if let Some(position) = plain.find(&self.source, current) {
                        plain.rename(&self.source, position, name);
                    }
                }
                Form::Indexed(entries) => {
                    let mut all = entries.iter_mut();
                    if let Some(entry) = all.find(|entry| entry.name.is(current, &self.source)) {
                        entry.name = Name::from(name);
                    }
                }
            }
        }
        for alias in aliases {
            self.unset(alias, at);
        }
    }

    /// Removes all values. Says whether any was there.
    pub(crate) fn clear(&mut self, at: AsOf) -> bool {
        let any = !self.is_empty(at);
        self.form = Form::Plain(Plain::EMPTY);
        any
    }

    pub(super) fn is_empty(&self, at: AsOf) -> bool {
        match &self.form {
            Form::Plain(plain) => plain.count() == 0,
            Form::Indexed(entries) => entries.iter().all(|entry| entry.is_over(at)),
        }
    }

    /// Whether the values are kept as they are written.
    #[cfg(any(test, fuzzing))]
    pub(super) fn is_as_written(&self) -> bool {
        matches!(self.form, Form::Plain(_))
    }

    pub(super) fn purge(&mut self, over: impl Fn(Lifetime, Timestamp) -> bool) -> bool {
        let Form::Indexed(entries) = &mut self.form else {
            return false;
        };
        let before = entries.len();
        entries.retain(|entry| !over(entry.lifetime, entry.since));
        entries.len() < before
    }

    /// Where a value stands among all, those included that are over.
    fn position(&self, name: &str) -> Option<usize> {
        match &self.form {
            Form::Plain(plain) => plain.names(&self.source).position(|found| found == name),
            Form::Indexed(entries) => entries.iter().position(|entry| entry.name.is(name, &self.source)),
        }
    }

    /// The values one by one.
    pub(super) fn index(&mut self) -> &mut Vec<Entry> {
        if let Form::Plain(plain) = &self.form {
            self.form = Form::Indexed(plain.entries(&self.source));
        }
        match &mut self.form {
            Form::Indexed(entries) => entries,
            Form::Plain(_) => unreachable!("they were indexed just above"),
        }
    }
}
