//! Reading and changing the loaded values.

mod codec;
mod guard;
mod in_place;

use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::clock::Timestamp;
use crate::error::SessionError;
use crate::expiration::{Expiration, Lifetime, earliest};
use crate::keys::{Details, Slot};
use crate::payload::{AsOf, Json, ValueMap};
use crate::settings::Settings;
use crate::visit::state::{Phase, State};
use crate::visit::{Context, stack};

/// A group of values: those of a namespace, or those of the session itself.
///
/// Code of the application (closures, the clock, values and their types) runs before or after the state is locked,
/// never under the lock.
#[derive(Clone, Copy)]
pub(crate) struct ValueScope<'a> {
    pub(crate) settings: &'a Arc<Settings>,
    /// The visit to use in place of the current one.
    pub(crate) bound: Option<&'a Arc<Context>>,
    pub(crate) namespace: Option<&'a str>,
    /// The expiration of a namespace that begins.
    pub(crate) namespace_expiration: Option<fn() -> Expiration>,
}

/// The lifetimes of a namespace or a value that begins now; `None` if there is no default.
#[derive(Clone, Copy)]
pub(in crate::visit) struct Defaults {
    namespace: Option<Lifetime>,
    value: Option<Lifetime>,
}

impl ValueScope<'_> {
    pub(crate) fn get<T: DeserializeOwned>(self, key: &Details<'_, T>) -> Result<Option<T>, SessionError> {
        let context = self.context()?;
        let now = self.now();
        let json = {
            let mut state = context.state();
            let at = state.readable_at(self.settings, now)?;
            self.find_json(&mut state, key.slot, at)?
        };
        match json {
            Some(json) => self.decode(&context, key, &json),
            None => Ok(None),
        }
    }

    pub(crate) fn contains(self, slot: Slot<'_>) -> Result<bool, SessionError> {
        let found = self.read(|map, at| map.contains(map.current_name(slot.name, slot.aliases, at), at))?;
        Ok(found.unwrap_or(false))
    }

    pub(crate) fn keys(self) -> Result<Vec<String>, SessionError> {
        Ok(self.read(ValueMap::names)?.unwrap_or_default())
    }

    pub(crate) fn namespaces(self) -> Result<Vec<String>, SessionError> {
        let context = self.context()?;
        let now = self.now();
        let mut state = context.state();
        let at = state.readable_at(self.settings, now)?;
        Ok(state.payload().namespaces(at))
    }

    /// Returns when a value expires if there is no other visit: by itself, with its namespace or with the session.
    pub(crate) fn expires_at(self, slot: Slot<'_>) -> Result<Option<Timestamp>, SessionError> {
        let context = self.context()?;
        let now = self.now();
        let mut state = context.state();
        let at = state.readable_at(self.settings, now)?;
        let found = state
            .payload_mut()
            .value_ends_at(self.namespace, slot.name, slot.aliases, at)?;
        let session = match state.meta() {
            Some(meta) if !state.payload().has_new_lifetime() => meta.deadline,
            meta => {
                let created_at = meta.map_or(now, |meta| meta.created_at);
                self.settings.deadline(state.payload(), created_at, now)
            }
        };
        Ok(found.and_then(|own| earliest(own, session)))
    }

    pub(crate) fn set<T: Serialize + ?Sized>(
        self,
        slot: Slot<'_>,
        value: &T,
        replace: Option<Expiration>,
    ) -> Result<(), SessionError> {
        let context = self.context()?;
        let json = self.encode(&context, slot.name, value)?;
        let now = self.now();
        let defaults = self.defaults(slot, now);
        let mut state = context.state();
        let at = state.writable_at(&context, now)?;
        self.store(&mut state, at, slot, json, replace, defaults)
    }

    pub(crate) fn unset(self, slot: Slot<'_>) -> Result<bool, SessionError> {
        self.change(|state, at| self.remove(state, at, slot))
    }

    /// Removes all values and, from a session, all namespaces.
    pub(crate) fn clear(self) -> Result<(), SessionError> {
        self.change(|state, at| Ok(state.payload_mut().clear(self.namespace, at)?))
    }

    pub(crate) fn set_key_expiration(self, slot: Slot<'_>, expiration: Expiration) -> Result<bool, SessionError> {
        self.change(|state, at| {
            let Some(map) = state.payload_mut().value_map(self.namespace, at)? else {
                return Ok(false);
            };
            map.rename(slot.name, slot.aliases, at);
            let found = map.set_lifetime(slot.name, Lifetime::begin(expiration, at.now), at);
            state.payload_mut().changed |= found;
            Ok(found)
        })
    }

    pub(crate) fn set_expiration(self, expiration: Expiration) -> Result<(), SessionError> {
        self.change(|state, at| {
            let lifetime = Lifetime::begin(expiration, at.now);
            Ok(state.payload_mut().set_lifetime(self.namespace, lifetime, at)?)
        })
    }

    /// Removes the namespace.
    pub(crate) fn destroy(self) -> Result<bool, SessionError> {
        self.change(|state, at| {
            let name = self.namespace.unwrap_or_default();
            Ok(state.payload_mut().remove_namespace(name, at))
        })
    }

    pub(in crate::visit) fn context(self) -> Result<Arc<Context>, SessionError> {
        match self.bound {
            Some(context) => Ok(Arc::clone(context)),
            None => stack::current(self.settings).ok_or(SessionError::NotInitialised),
        }
    }

    fn now(self) -> Timestamp {
        self.settings.storage.clock().now()
    }

    /// Computes the lifetimes that a namespace or a value gets if it begins now.
    pub(in crate::visit) fn defaults(self, slot: Slot<'_>, now: Timestamp) -> Defaults {
        let begin = |expiration: fn() -> Expiration| Lifetime::begin(expiration(), now);
        Defaults {
            namespace: self.namespace_expiration.map(begin),
            value: slot.default_expiration.map(begin),
        }
    }

    fn read<R>(self, f: impl FnOnce(&ValueMap, AsOf) -> R) -> Result<Option<R>, SessionError> {
        let context = self.context()?;
        let now = self.now();
        let mut state = context.state();
        let at = state.readable_at(self.settings, now)?;
        let map = state.payload_mut().value_map(self.namespace, at)?;
        Ok(map.map(|map| f(map, at)))
    }

    fn change<R>(self, f: impl FnOnce(&mut State, AsOf) -> Result<R, SessionError>) -> Result<R, SessionError> {
        let context = self.context()?;
        let now = self.now();
        let mut state = context.state();
        let at = state.writable_at(&context, now)?;
        f(&mut state, at)
    }

    pub(in crate::visit) fn find_json(
        self,
        state: &mut State,
        slot: Slot<'_>,
        at: AsOf,
    ) -> Result<Option<Json>, SessionError> {
        let map = state.payload_mut().value_map(self.namespace, at)?;
        Ok(map.and_then(|map| map.json(map.current_name(slot.name, slot.aliases, at), at)))
    }

    /// Returns whether a value is unchanged.
    pub(in crate::visit) fn is_unchanged(
        self,
        state: &mut State,
        slot: Slot<'_>,
        json: Option<&[u8]>,
        at: AsOf,
    ) -> Result<bool, SessionError> {
        let Some(map) = state.payload_mut().value_map(self.namespace, at)? else {
            return Ok(json.is_none());
        };
        let name = map.current_name(slot.name, slot.aliases, at);
        Ok(match json {
            Some(json) => map.holds(name, json, at),
            None => !map.contains(name, at),
        })
    }

    pub(in crate::visit) fn remove(self, state: &mut State, at: AsOf, slot: Slot<'_>) -> Result<bool, SessionError> {
        let Some(map) = state.payload_mut().value_map(self.namespace, at)? else {
            return Ok(false);
        };
        map.rename(slot.name, slot.aliases, at);
        let removed = map.unset(slot.name, at);
        state.payload_mut().changed |= removed;
        Ok(removed)
    }

    pub(in crate::visit) fn store(
        self,
        state: &mut State,
        at: AsOf,
        slot: Slot<'_>,
        json: Vec<u8>,
        replace: Option<Expiration>,
        defaults: Defaults,
    ) -> Result<(), SessionError> {
        self.settings.check_size(json.len(), state.payload().loaded().len())?;
        self.check_defaults(state, at, slot, replace.is_some(), defaults)?;
        let namespace = defaults.namespace.unwrap_or(Lifetime::ENDLESS);
        let map = state.payload_mut().value_map_mut(self.namespace, at, || namespace)?;
        map.rename(slot.name, slot.aliases, at);
        let replace = replace.map(|expiration| Lifetime::begin(expiration, at.now));
        let begin = || defaults.value.unwrap_or(Lifetime::ENDLESS);
        let is_changed = map.set(slot.name, json, at, replace, begin);
        state.payload_mut().changed |= is_changed;
        Ok(())
    }

    /// Returns an error if the value or its namespace would begin expired. Nothing is set then.
    fn check_defaults(
        self,
        state: &mut State,
        at: AsOf,
        slot: Slot<'_>,
        replaced: bool,
        defaults: Defaults,
    ) -> Result<(), SessionError> {
        let is_over = |lifetime: Option<Lifetime>| lifetime.is_some_and(|lifetime| lifetime.is_over(at.now, at.now));
        let value_is_over = !replaced && is_over(defaults.value);
        let namespace_is_over = is_over(defaults.namespace);
        if !value_is_over && !namespace_is_over {
            return Ok(());
        }
        let (begins, value_begins) = match state.payload_mut().value_map(self.namespace, at)? {
            None => (true, true),
            Some(map) => {
                let name = map.current_name(slot.name, slot.aliases, at);
                (false, !map.contains(name, at))
            }
        };
        match (begins && namespace_is_over, value_begins && value_is_over) {
            (false, false) => Ok(()),
            (true, _) => Err(SessionError::default_has_passed(self.namespace, None)),
            (false, true) => Err(SessionError::default_has_passed(self.namespace, Some(slot.name))),
        }
    }
}

impl State {
    /// Returns the times by which to judge values, if there is a session to read.
    pub(in crate::visit) fn readable_at(&mut self, settings: &Settings, now: Timestamp) -> Result<AsOf, SessionError> {
        if matches!(self.phase, Phase::Unstarted | Phase::Destroyed) {
            return Err(SessionError::NotStarted);
        }
        if self.is_over(settings, now) {
            self.effects.gone();
            return Err(SessionError::Gone);
        }
        Ok(self.as_of(now))
    }

    pub(in crate::visit) fn writable_at(&mut self, context: &Context, now: Timestamp) -> Result<AsOf, SessionError> {
        let at = self.readable_at(&context.settings, now)?;
        self.check_writable()?;
        self.note_change_by_others(context);
        Ok(at)
    }
}
