//! Changes to the values of a map.
//!
//! Values stay in encoded form as long as none of them has a lifetime.

use super::entry::{Entry, Value};
use super::value_map::{Form, ValueMap};
use super::wire::{Name, Span};
use super::{AsOf, Plain};
use crate::clock::Timestamp;
use crate::expiration::Lifetime;

impl ValueMap {
    /// Sets a value. An existing value keeps its lifetime unless `replace` gives another. A new one gets `replace`, or
    /// else the lifetime that `begin` returns.
    ///
    /// Returns whether anything changed: setting a value to the text it has, without `replace`, changes nothing.
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

    /// Removes a value. Returns whether it was there.
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

    /// Sets the lifetime of a value as of now. Returns whether the value is there.
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

    /// Moves a value that is stored under one of its aliases to its name, and removes all other aliases.
    #[inline]
    pub(crate) fn rename(&mut self, name: &str, aliases: &[&str], at: AsOf) {
        if !aliases.is_empty() {
            self.rename_from(name, aliases, at);
        }
    }

    fn rename_from(&mut self, name: &str, aliases: &[&str], at: AsOf) {
        let current = self.current_name(name, aliases, at);
        if current != name {
            // An expired value may still be stored under the name.
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

    /// Removes all values. Returns whether any was there.
    pub(crate) fn clear(&mut self, at: AsOf) -> bool {
        let any = !self.is_empty(at);
        self.form = Form::Plain(Plain::EMPTY);
        any
    }

    pub(super) fn is_empty(&self, at: AsOf) -> bool {
        match &self.form {
            Form::Plain(plain) => plain.count == 0,
            Form::Indexed(entries) => entries.iter().all(|entry| entry.is_over(at)),
        }
    }

    /// Returns whether the values are in encoded form.
    #[cfg(any(test, feature = "__fuzzing"))]
    pub(super) fn is_encoded(&self) -> bool {
        matches!(self.form, Form::Plain(_))
    }

    /// Removes the values for which `has_ended` returns true. Returns whether any was removed.
    pub(super) fn purge(&mut self, has_ended: impl Fn(Lifetime, Timestamp) -> bool) -> bool {
        let Form::Indexed(entries) = &mut self.form else {
            return false;
        };
        let before = entries.len();
        entries.retain(|entry| !has_ended(entry.lifetime, entry.since));
        entries.len() < before
    }

    /// Returns the position of a value among all, including expired ones.
    fn position(&self, name: &str) -> Option<usize> {
        match &self.form {
            Form::Plain(plain) => plain.names(&self.source).position(|found| found == name),
            Form::Indexed(entries) => entries.iter().position(|entry| entry.name.is(name, &self.source)),
        }
    }

    /// Converts the map to its indexed form and returns the entries.
    pub(super) fn index(&mut self) -> &mut Vec<Entry> {
        if let Form::Plain(plain) = &self.form {
            self.form = Form::Indexed(plain.to_entries(&self.source));
        }
        match &mut self.form {
            Form::Indexed(entries) => entries,
            Form::Plain(_) => unreachable!("the lines above index them"),
        }
    }
}
