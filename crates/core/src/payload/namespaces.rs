//! Access to the values of a namespace or of the session itself, and changes that affect all of them.

use super::error::RecordError;
use super::namespace::{Namespace, Values};
use super::value_map::ValueMap;
use super::wire::{Name, Span};
use super::{AsOf, Payload};
use crate::clock::Timestamp;
use crate::expiration::{Lifetime, earliest};

impl Payload {
    /// Returns the values of a namespace, or of the session itself; `None` if there is no such namespace.
    pub(crate) fn value_map(
        &mut self,
        namespace: Option<&str>,
        at: AsOf,
    ) -> Result<Option<&mut ValueMap>, RecordError> {
        let Some(name) = namespace else {
            return Ok(Some(&mut self.values));
        };
        let payload = &self.values.source;
        match self.namespaces.iter_mut().find(|found| found.name.is(name, payload)) {
            Some(found) if !at.is_over(found.lifetime, found.since) => found.open(payload).map(Some),
            _ => Ok(None),
        }
    }

    /// Returns the values of a namespace, or of the session itself. Creates a missing namespace with the lifetime that
    /// `begin` returns.
    pub(crate) fn value_map_mut(
        &mut self,
        namespace: Option<&str>,
        at: AsOf,
        begin: impl FnOnce() -> Lifetime,
    ) -> Result<&mut ValueMap, RecordError> {
        match namespace {
            None => Ok(&mut self.values),
            Some(name) => {
                let found = self.namespace_mut(name, at, begin);
                self.namespaces[found].open(&self.values.source)
            }
        }
    }

    /// Returns the index of a namespace, creating it if it is missing or expired.
    fn namespace_mut(&mut self, name: &str, at: AsOf, begin: impl FnOnce() -> Lifetime) -> usize {
        let payload = &self.values.source;
        let position = self.namespaces.iter().position(|found| found.name.is(name, payload));
        let fresh = || Namespace {
            name: Name::from(name),
            lifetime: begin(),
            since: at.now,
            extensions: Span::EMPTY,
            values: Values::Open(ValueMap::EMPTY),
        };
        match position {
            Some(index) => {
                let found = &mut self.namespaces[index];
                if at.is_over(found.lifetime, found.since) {
                    *found = fresh();
                }
                index
            }
            None => {
                self.namespaces.push(fresh());
                self.namespaces.len() - 1
            }
        }
    }

    /// Sets the lifetime of a namespace, or of the session itself, as of now.
    pub(crate) fn set_lifetime(
        &mut self,
        namespace: Option<&str>,
        lifetime: Lifetime,
        at: AsOf,
    ) -> Result<(), RecordError> {
        match namespace {
            None => {
                self.lifetime = Some(lifetime);
                self.since = at.now;
            }
            Some(name) => {
                let index = self.namespace_mut(name, at, || lifetime);
                let found = &mut self.namespaces[index];
                found.lifetime = lifetime;
                found.since = at.now;
            }
        }
        self.changed = true;
        Ok(())
    }

    /// Removes a namespace with all its values. Returns whether it was there.
    pub(crate) fn remove_namespace(&mut self, name: &str, at: AsOf) -> bool {
        let payload = &self.values.source;
        let Some(index) = self.namespaces.iter().position(|found| found.name.is(name, payload)) else {
            return false;
        };
        let removed = self.namespaces.remove(index);
        self.changed = true;
        !at.is_over(removed.lifetime, removed.since)
    }

    /// Removes all values of a namespace, or all values and namespaces of the session.
    pub(crate) fn clear(&mut self, namespace: Option<&str>, at: AsOf) -> Result<(), RecordError> {
        let removed = match namespace {
            None => {
                let any = !self.namespaces.is_empty();
                self.namespaces.clear();
                self.values.clear(at) || any
            }
            Some(_) => self.value_map(namespace, at)?.is_some_and(|map| map.clear(at)),
        };
        self.changed |= removed;
        Ok(())
    }

    /// Returns the names of the namespaces that are there.
    pub(crate) fn namespaces(&self, at: AsOf) -> Vec<String> {
        let kept = |namespace: &&Namespace| namespace.is_kept(at);
        let name = |namespace: &Namespace| namespace.name.read(self.loaded()).to_owned();
        self.namespaces.iter().filter(kept).map(name).collect()
    }

    /// Returns the deadline of a value, given by its own lifetime and that of its namespace, if no further visit comes.
    /// The outer `None` means that there is no such value, the inner one that it does not end.
    pub(crate) fn value_ends_at(
        &mut self,
        namespace: Option<&str>,
        name: &str,
        aliases: &[&str],
        at: AsOf,
    ) -> Result<Option<Option<Timestamp>>, RecordError> {
        let Some(map) = self.value_map(namespace, at)? else {
            return Ok(None);
        };
        let Some(own) = map.ends_at(map.current_name(name, aliases, at), at) else {
            return Ok(None);
        };
        let payload = &self.values.source;
        let found = namespace.and_then(|name| self.namespaces.iter().find(|found| found.name.is(name, payload)));
        Ok(Some(earliest(
            own,
            found.and_then(|found| at.ends_at(found.lifetime, found.since)),
        )))
    }
}
