//! The calls on values, which sessions and namespaces have alike.

use crate::context::Name;
use crate::keys::ValueKey;

/// What the parts that do the work need to know of a key.
pub(super) fn name_of<V, K: ValueKey<V>>(key: &K) -> Name<'_> {
    Name {
        text: key.name(),
        expiration: key.default_expiration(),
    }
}

/// Written once for both: `$update` is what changing a value in place is called, `$whole` what the values stand in. The
/// type has a method `place` and a parameter `V: Values`.
macro_rules! value_calls {
    ($update:ident, $whole:literal) => {
        /// Returns a value, or `None` if it is not there or has expired.
        ///
        /// # Errors
        ///
        /// [`NotStarted`](SessionError::NotStarted); [`Gone`](SessionError::Gone) when the session has expired since it was
        /// started; [`Codec`](SessionError::Codec) when what is stored is not a `K::Value`.
        pub fn get<K>(&self, key: K) -> Result<Option<K::Value>, SessionError>
        where
            K: ValueKey<V>,
            K::Value: DeserializeOwned,
        {
            self.place().get(key.name())
        }

        /// Returns a value, or makes, stores and returns it if it is not there.
        ///
        /// # Errors
        ///
        /// Those of [`get`](Self::get); [`NotWritable`](SessionError::NotWritable) when it has to be stored and cannot be.
        pub fn get_or_insert_with<K>(&self, key: K, make: impl FnOnce() -> K::Value) -> Result<K::Value, SessionError>
        where
            K: ValueKey<V>,
            K::Value: Serialize + DeserializeOwned,
        {
            self.place().get_or_insert_with(name_of(&key), make)
        }

        /// Sets a value. One that is there keeps its expiration; one that is not gets the default of its key.
        ///
        /// It is turned into JSON here and now; it reaches the storage when the session is closed.
        ///
        /// # Errors
        ///
        /// [`NotStarted`](SessionError::NotStarted), [`NotWritable`](SessionError::NotWritable),
        /// [`Gone`](SessionError::Gone), [`Codec`](SessionError::Codec).
        pub fn set<K>(&self, key: K, value: K::Value) -> Result<(), SessionError>
        where
            K: ValueKey<V>,
            K::Value: Serialize,
        {
            self.place().set(name_of(&key), &value, None)
        }

        /// Sets a value and its expiration.
        ///
        /// # Errors
        ///
        /// Those of [`set`](Self::set).
        pub fn set_with_expiration<K>(
            &self,
            key: K,
            value: K::Value,
            expiration: impl Into<Expiration>,
        ) -> Result<(), SessionError>
        where
            K: ValueKey<V>,
            K::Value: Serialize,
        {
            self.place().set(name_of(&key), &value, Some(expiration.into()))
        }

        /// Changes a value in place, beginning with its default if it is not there, and returns what the closure returns.
        ///
        /// Tasks that share the visit follow each other here, so none of their changes is lost. The closure may use the
        /// session; what it sets under this very key is overwritten by what it leaves behind.
        ///
        /// # Errors
        ///
        /// Those of [`get`](Self::get) and [`set`](Self::set).
        pub fn $update<K, R>(&self, key: K, change: impl FnOnce(&mut K::Value) -> R) -> Result<R, SessionError>
        where
            K: ValueKey<V>,
            K::Value: Serialize + DeserializeOwned + Default,
        {
            self.place().modify(name_of(&key), |value: Option<K::Value>| {
                let mut value = value.unwrap_or_default();
                let result = change(&mut value);
                (Some(value), result)
            })
        }

        /// Removes a value. Says whether it was there.
        ///
        /// # Errors
        ///
        /// Those of [`set`](Self::set).
        pub fn unset<K: ValueKey<V>>(&self, key: K) -> Result<bool, SessionError> {
            self.place().unset(key.name())
        }

        /// Whether a value is there.
        ///
        /// # Errors
        ///
        /// [`NotStarted`](SessionError::NotStarted), [`Gone`](SessionError::Gone).
        pub fn contains<K: ValueKey<V>>(&self, key: K) -> Result<bool, SessionError> {
            self.place().contains(key.name())
        }

        /// The names of all values that are there, in the order in which they were first set.
        ///
        /// # Errors
        ///
        /// [`NotStarted`](SessionError::NotStarted), [`Gone`](SessionError::Gone).
        pub fn keys(&self) -> Result<Vec<String>, SessionError> {
            self.place().keys()
        }

        #[doc = concat!("Sets the expiration of the ", $whole, " as a whole, from now on.")]
        ///
        /// # Errors
        ///
        /// Those of [`set`](Self::set).
        pub fn set_expiration(&self, expiration: impl Into<Expiration>) -> Result<(), SessionError> {
            self.place().set_expiration(expiration.into())
        }

        /// Sets the expiration of one value, from now on. Says whether the value was there.
        ///
        /// # Errors
        ///
        /// Those of [`set`](Self::set).
        pub fn set_key_expiration<K: ValueKey<V>>(
            &self,
            key: K,
            expiration: impl Into<Expiration>,
        ) -> Result<bool, SessionError> {
            self.place().set_key_expiration(key.name(), expiration.into())
        }
    };
}

pub(super) use value_calls;
