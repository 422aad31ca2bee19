//! Changing a value in place: the new value depends on the old one.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::SessionError;
use crate::keys::Details;
use crate::visit::ValueScope;
use crate::visit::value_locks::ValueHash;

/// The change of a value after it was read.
enum Edit {
    Keep,
    Set(Vec<u8>),
    Remove,
}

impl ValueScope<'_> {
    /// Changes a value, starting from its default if it does not exist.
    pub(crate) fn update<T, R>(self, key: &Details<'_, T>, change: impl FnOnce(&mut T) -> R) -> Result<R, SessionError>
    where
        T: Serialize + DeserializeOwned + Default,
    {
        self.in_place(key, |found, set| {
            let mut value = found.unwrap_or_default();
            let result = change(&mut value);
            Ok((set(&value)?, result))
        })
    }

    pub(crate) fn get_or_insert_with<T>(self, key: &Details<'_, T>, make: impl FnOnce() -> T) -> Result<T, SessionError>
    where
        T: Serialize + DeserializeOwned,
    {
        // A visit that only reads may ask too, as long as the value exists.
        if let Some(value) = self.get(key)? {
            return Ok(value);
        }
        self.in_place(key, |found, set| match found {
            Some(value) => Ok((Edit::Keep, value)),
            None => {
                let value = make();
                Ok((set(&value)?, value))
            }
        })
    }

    pub(crate) fn take<T: DeserializeOwned>(self, key: &Details<'_, T>) -> Result<Option<T>, SessionError> {
        self.in_place_with(key, |found| {
            let edit = if found.is_some() { Edit::Remove } else { Edit::Keep };
            Ok((edit, found))
        })
    }

    /// Does the same as [`in_place_with`](Self::in_place_with), and passes a function that encodes a value.
    fn in_place<T, R>(
        self,
        key: &Details<'_, T>,
        change: impl FnOnce(Option<T>, &dyn Fn(&T) -> Result<Edit, SessionError>) -> Result<(Edit, R), SessionError>,
    ) -> Result<R, SessionError>
    where
        T: Serialize + DeserializeOwned,
    {
        let context = self.context()?;
        let set = |value: &T| self.encode(&context, key.slot.name, value).map(Edit::Set);
        self.in_place_with(key, |found| change(found, &set))
    }

    /// Reads a value, lets `change` decide about it, and applies that, unless the value was changed by other code
    /// meanwhile: that change counts as later and stays.
    fn in_place_with<T, R>(
        self,
        key: &Details<'_, T>,
        change: impl FnOnce(Option<T>) -> Result<(Edit, R), SessionError>,
    ) -> Result<R, SessionError>
    where
        T: DeserializeOwned,
    {
        let context = self.context()?;
        let slot = key.slot;
        let guard = context.lock_value(ValueHash::new(self.namespace, slot.name))?;
        let at = guard.at;
        let found = self.find_json(&mut context.state(), slot, at)?;
        let value = match &found {
            Some(json) => self.decode(&context, key, json)?,
            None => None,
        };
        let (edit, result) = change(value)?;
        if matches!(edit, Edit::Keep) {
            return Ok(result);
        }
        let defaults = self.defaults(slot, at.now);
        let mut state = guard.finish()?;
        // The change itself may have closed the session.
        state.check_writable()?;
        if self.is_unchanged(&mut state, slot, found.as_deref(), at)? {
            match edit {
                Edit::Keep => {}
                Edit::Set(json) => self.store(&mut state, at, slot, json, None, defaults)?,
                Edit::Remove => {
                    self.remove(&mut state, at, slot)?;
                }
            }
        }
        drop(state);
        Ok(result)
    }
}
