//! Looking into a namespace, or among the values that stand in none, and changing them as a whole.

use super::error::RecordError;
use super::namespace::{Namespace, Values};
use super::value_map::ValueMap;
use super::wire::{Name, Span};
use super::{AsOf, Payload};
use crate::clock::Timestamp;
use crate::expiration::{Lifetime, earliest};

impl Payload {
    /// The values of a namespace, or of the session itself, as they stand; `None` if there is no such namespace.
    pub(crate) fn value_map(&mut self, namespace: Option<&str>, at: AsOf) -> Result<Option<&ValueMap>, RecordError> {
        let Some(name) = namespace else {
            return Ok(Some(&self.values));
        };
        let payload = &self.values.source;
        match self.namespaces.iter_mut().find(|found| found.name.is(name, payload)) {
            Some(found) if !at.is_over(found.lifetime, found.since) => found.open(payload).map(|map| Some(&*map)),
            _ => Ok(None),
        }
    }

    /// The values of a namespace, or of the session itself, to change them. A namespace that is not there begins
    /// now, with the lifetime that `begin` gives it.
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

    /// Where a namespace is, which begins now if it is not there.
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

    /// Gives a namespace, or the session itself, another lifetime from now on.
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

    /// Removes a namespace with all its values. Says whether it was there.
    pub(crate) fn remove_namespace(&mut self, name: &str, at: AsOf) -> bool {
        let payload = &self.values.source;
        let Some(index) = self.namespaces.iter().position(|found| found.name.is(name, payload)) else {
            return false;
        };
        let removed = self.namespaces.remove(index);
        self.changed = true;
        !at.is_over(removed.lifetime, removed.since)
    }

    /// Removes everything from a namespace, or from the session itself and all its namespaces.
    pub(crate) fn clear(&mut self, namespace: Option<&str>, at: AsOf) -> Result<(), RecordError> {
        let removed = match namespace {
            None => {
                let any = !self.namespaces.is_empty();
                self.namespaces.clear();
                self.values.clear(at) || any
            }
            Some(_) if self.value_map(namespace, at)?.is_none() => false,
            Some(_) => self.value_map_mut(namespace, at, || Lifetime::ENDLESS)?.clear(at),
        };
        self.changed |= removed;
        Ok(())
    }

    /// The names of the namespaces that are there.
    pub(crate) fn namespaces(&self, at: AsOf) -> Vec<String> {
        let kept = |namespace: &&Namespace| namespace.is_kept(at);
        let name = |namespace: &Namespace| namespace.name.read(self.loaded()).to_owned();
        self.namespaces.iter().filter(kept).map(name).collect()
    }

    /// When a value ends, of its own or with its namespace, if no visit comes; the inner `None` if it does not.
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
        let whole = namespace.and_then(|name| self.namespaces.iter().find(|found| found.name.is(name, payload)));
        Ok(Some(earliest(
            own,
            whole.and_then(|whole| at.ends_at(whole.lifetime, whole.since)),
        )))
    }
}
