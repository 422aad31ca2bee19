//! Reading and changing what a visit has loaded.

use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::state::{Phase, State};
use super::{Context, current};
use crate::contents::{AsOf, Block};
use crate::error::SessionError;
use crate::expiration::{Expiration, Lifetime};
use crate::session::Engine;

/// Where values stand: in a namespace, or in the session itself.
#[derive(Clone, Copy)]
pub(crate) struct Place<'a> {
    pub(crate) engine: &'a Arc<Engine>,
    /// The visit that is meant, if it is not that of the running task.
    pub(crate) bound: Option<&'a Arc<Context>>,
    pub(crate) namespace: Option<&'a str>,
    /// What a namespace gets when it begins.
    pub(crate) namespace_expiration: Option<Expiration>,
}

/// A value's name, and the expiration it gets when it is set while it has none.
#[derive(Clone, Copy)]
pub(crate) struct Name<'a> {
    pub(crate) text: &'a str,
    pub(crate) expiration: Option<Expiration>,
}

impl Place<'_> {
    pub(crate) fn get<T: DeserializeOwned>(self, name: &str) -> Result<Option<T>, SessionError> {
        let context = self.context()?;
        let json = self.read(&context, |block, at| block.get(name, at))?.flatten();
        json.map(|json| decode(name, &json)).transpose()
    }

    pub(crate) fn contains(self, name: &str) -> Result<bool, SessionError> {
        let context = self.context()?;
        let found = self.read(&context, |block, at| block.contains(name, at))?;
        Ok(found.unwrap_or(false))
    }

    pub(crate) fn keys(self) -> Result<Vec<String>, SessionError> {
        let context = self.context()?;
        let names = self.read(&context, |block, at| block.names(at))?;
        Ok(names.unwrap_or_default())
    }

    pub(crate) fn set<T: Serialize>(
        self,
        name: Name<'_>,
        value: &T,
        replace: Option<Expiration>,
    ) -> Result<(), SessionError> {
        let context = self.context()?;
        let json = encode(name.text, value)?;
        let mut state = context.wait_for_values();
        let at = state.writable_at(&context)?;
        self.store(&mut state, at, name, json, replace)
    }

    /// Reads a value, lets `change` make another of it, and stores that. Others who change values of this visit wait
    /// meanwhile; those who read do not.
    pub(crate) fn modify<T, R>(
        self,
        name: Name<'_>,
        change: impl FnOnce(Option<T>) -> (Option<T>, R),
    ) -> Result<R, SessionError>
    where
        T: Serialize + DeserializeOwned,
    {
        let context = self.context()?;
        let changing = context.begin_change()?;
        let at = changing.at;
        let json = {
            let mut state = context.state();
            let block = state.contents.block(self.namespace, at)?;
            block.and_then(|block| block.get(name.text, at))
        };
        let value = json.map(|json| decode(name.text, &json)).transpose()?;
        let (value, result) = change(value);
        if let Some(value) = value {
            let json = encode(name.text, &value)?;
            let mut state = changing.finish()?;
            // The session may have been closed meanwhile, by the change itself.
            state.must_be_writable()?;
            self.store(&mut state, at, name, json, None)?;
        }
        drop(changing);
        Ok(result)
    }

    pub(crate) fn get_or_insert_with<T>(self, name: Name<'_>, make: impl FnOnce() -> T) -> Result<T, SessionError>
    where
        T: Serialize + DeserializeOwned,
    {
        // A visit that only reads may ask too, as long as the value is there.
        if let Some(value) = self.get(name.text)? {
            return Ok(value);
        }
        let mut inserted = None;
        self.modify(name, |found: Option<T>| match found {
            Some(found) => {
                inserted = Some(found);
                (None, ())
            }
            None => (Some(make()), ()),
        })?;
        match inserted {
            Some(found) => Ok(found),
            None => self.get(name.text)?.ok_or(SessionError::Gone),
        }
    }

    pub(crate) fn unset(self, name: &str) -> Result<bool, SessionError> {
        self.change(|state, at| {
            let Some(block) = self.existing(state, at)? else {
                return Ok(false);
            };
            let removed = block.unset(name, at);
            state.contents.changed |= removed;
            Ok(removed)
        })
    }

    pub(crate) fn set_key_expiration(self, name: &str, expiration: Expiration) -> Result<bool, SessionError> {
        self.change(|state, at| {
            let Some(block) = self.existing(state, at)? else {
                return Ok(false);
            };
            let found = block.set_lifetime(name, Lifetime::begin(expiration, at.now), at);
            state.contents.changed |= found;
            Ok(found)
        })
    }

    pub(crate) fn set_expiration(self, expiration: Expiration) -> Result<(), SessionError> {
        self.change(|state, at| {
            let lifetime = Lifetime::begin(expiration, at.now);
            Ok(state.contents.set_lifetime(self.namespace, lifetime, at)?)
        })
    }

    /// Removes the namespace.
    pub(crate) fn destroy(self) -> Result<bool, SessionError> {
        self.change(|state, at| {
            let name = self.namespace.unwrap_or_default();
            Ok(state.contents.remove_namespace(name, at))
        })
    }

    fn context(self) -> Result<Arc<Context>, SessionError> {
        match self.bound {
            Some(context) => Ok(Arc::clone(context)),
            None => current::current(self.engine).ok_or(SessionError::NotInitialised),
        }
    }

    fn read<R>(self, context: &Context, f: impl FnOnce(&Block, AsOf) -> R) -> Result<Option<R>, SessionError> {
        let mut state = context.state();
        let at = state.readable_at(context)?;
        let block = state.contents.block(self.namespace, at)?;
        Ok(block.map(|block| f(block, at)))
    }

    fn change<R>(self, f: impl FnOnce(&mut State, AsOf) -> Result<R, SessionError>) -> Result<R, SessionError> {
        let context = self.context()?;
        let mut state = context.wait_for_values();
        let at = state.writable_at(&context)?;
        f(&mut state, at)
    }

    /// The values to change, if there are any: a namespace that is not there is not begun.
    fn existing(self, state: &mut State, at: AsOf) -> Result<Option<&mut Block>, SessionError> {
        if state.contents.block(self.namespace, at)?.is_none() {
            return Ok(None);
        }
        Ok(Some(
            state.contents.block_mut(self.namespace, at, || Lifetime::ENDLESS)?,
        ))
    }

    fn store(
        self,
        state: &mut State,
        at: AsOf,
        name: Name<'_>,
        json: Vec<u8>,
        replace: Option<Expiration>,
    ) -> Result<(), SessionError> {
        let begin = |expiration: Option<Expiration>| Lifetime::begin(expiration.unwrap_or_default(), at.now);
        let block = state
            .contents
            .block_mut(self.namespace, at, || begin(self.namespace_expiration))?;
        if replace.is_none() && block.holds(name.text, &json, at) {
            return Ok(());
        }
        let replace = replace.map(|expiration| Lifetime::begin(expiration, at.now));
        block.set(name.text, json, at, replace, || begin(name.expiration));
        state.contents.changed = true;
        Ok(())
    }
}

impl State {
    /// The moment by which to read, if there is anything to be read.
    fn readable_at(&mut self, context: &Context) -> Result<AsOf, SessionError> {
        if matches!(self.phase, Phase::Unstarted | Phase::Destroyed) {
            return Err(SessionError::NotStarted);
        }
        let now = context.engine.storage.clock().now();
        if self.is_over(&context.engine, now) {
            self.told.gone();
            return Err(SessionError::Gone);
        }
        Ok(self.as_of(now))
    }

    pub(super) fn writable_at(&mut self, context: &Context) -> Result<AsOf, SessionError> {
        let at = self.readable_at(context)?;
        self.must_be_writable()?;
        Ok(at)
    }
}

fn encode<T: Serialize>(name: &str, value: &T) -> Result<Vec<u8>, SessionError> {
    serde_json::to_vec(value).map_err(|source| SessionError::Codec {
        key: name.to_owned(),
        source,
    })
}

fn decode<T: DeserializeOwned>(name: &str, json: &[u8]) -> Result<T, SessionError> {
    serde_json::from_slice(json).map_err(|source| SessionError::Codec {
        key: name.to_owned(),
        source,
    })
}
