//! The methods for values that sessions and namespaces have in common.

/// Generates the methods of both types: `$whole` is the name of the whole that contains the values, and `$clear` the
/// documentation of `clear`. The type must have a method `scope` and a parameter `V: Values`.
macro_rules! value_calls {
    ($whole:literal, $clear:literal) => {
        /// Returns a value, or `None` if it does not exist or has expired.
        ///
        /// # Errors
        ///
        /// [`NotStarted`](SessionError::NotStarted); [`Gone`](SessionError::Gone) if the session has expired since it
        /// was started; [`Codec`](SessionError::Codec) if the stored value is not a `K::Value`, unless the key has
        /// [another policy](crate::OnMismatch).
        pub fn get<K>(&self, key: K) -> Result<Option<K::Value>, SessionError>
        where
            K: ValueKey<V>,
            K::Value: DeserializeOwned,
        {
            self.scope().get(&key.details())
        }

        /// Returns a value; creates and stores it first if it does not exist.
        ///
        /// # Errors
        ///
        /// The errors of [`get`](Self::get); [`NotWritable`](SessionError::NotWritable) if the value has to be stored
        /// in a visit that is not writable.
        pub fn get_or_insert_with<K>(&self, key: K, make: impl FnOnce() -> K::Value) -> Result<K::Value, SessionError>
        where
            K: ValueKey<V>,
            K::Value: Serialize + DeserializeOwned,
        {
            self.scope().get_or_insert_with(&key.details(), make)
        }

        /// Sets a value. An existing value keeps its expiration; a new one gets the default of its key.
        ///
        /// The value is serialized to JSON immediately and reaches the storage when the session is closed. [`Accepts`]
        /// says which types a key accepts.
        ///
        /// # Errors
        ///
        /// [`NotStarted`](SessionError::NotStarted), [`NotWritable`](SessionError::NotWritable),
        /// [`Gone`](SessionError::Gone); [`Codec`](SessionError::Codec) for a value that could not be read back;
        /// [`TooLarge`](SessionError::TooLarge) for a value that alone exceeds the size limit of a session;
        /// [`ExpiredDefault`](SessionError::ExpiredDefault) if the value or its namespace does not exist yet and its
        /// default expiration has passed already.
        pub fn set<K, T>(&self, key: K, value: T) -> Result<(), SessionError>
        where
            K: Accepts<V, T>,
            T: Serialize,
        {
            self.scope().set(key.details().slot, &value, None)
        }

        /// Sets a value and its expiration.
        ///
        /// # Errors
        ///
        /// The errors of [`set`](Self::set).
        pub fn set_with_expiration<K, T>(
            &self,
            key: K,
            value: T,
            expiration: impl Into<Expiration>,
        ) -> Result<(), SessionError>
        where
            K: Accepts<V, T>,
            T: Serialize,
        {
            self.scope()
                .set(key.details().slot, &value, Some(expiration.into()))
        }

        /// Changes a value in place, starting from its default if it does not exist, and returns the result of the
        /// closure.
        ///
        /// Changes of one value by tasks that share the visit run one after the other, so none is lost. No mutex of the
        /// session is held while the closure runs: the closure may use the session and may wait for other tasks that
        /// use it. If the closure or another task [sets](Self::set) the same key meanwhile, that write counts as later
        /// and stays; the result of the change is then not stored.
        ///
        /// # Errors
        ///
        /// The errors of [`get`](Self::get) and [`set`](Self::set); [`LockTimeout`](SessionError::LockTimeout) if
        /// another task is changing the same value and does not finish within the [wait
        /// limit](crate::SessionBuilder::lock_wait), for which the thread is blocked, or if the closure itself changes
        /// the same value in place, which would deadlock.
        pub fn update<K, R>(&self, key: K, change: impl FnOnce(&mut K::Value) -> R) -> Result<R, SessionError>
        where
            K: ValueKey<V>,
            K::Value: Serialize + DeserializeOwned + Default,
        {
            self.scope().update(&key.details(), change)
        }

        /// Removes a value and returns it, or returns `None` if it does not exist or has expired.
        ///
        /// # Errors
        ///
        /// The errors of [`get`](Self::get), after which the value stays, and of [`unset`](Self::unset);
        /// [`LockTimeout`](SessionError::LockTimeout) as for changing a value in place.
        ///
        /// ```
        /// use sessile_core::{Key, Session, SessionError, Untyped, Visit};
        /// use sessile_memory::MemoryStorage;
        ///
        /// const NOTICE: Key<Untyped, String> = Key::new("notice");
        ///
        /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), SessionError> {
        /// let session: Session = Session::builder(MemoryStorage::new()).build();
        /// session.enter(Visit::new(), async {
        ///     session.set(NOTICE, "Saved.")?;
        ///     assert_eq!(session.take(NOTICE)?.as_deref(), Some("Saved."));
        ///     assert_eq!(session.take(NOTICE)?, None);
        ///     Ok(())
        /// }).await?;
        /// # Ok(())
        /// # }
        /// ```
        pub fn take<K>(&self, key: K) -> Result<Option<K::Value>, SessionError>
        where
            K: ValueKey<V>,
            K::Value: DeserializeOwned,
        {
            self.scope().take(&key.details())
        }

        /// Removes a value. Returns whether it existed.
        ///
        /// # Errors
        ///
        /// The errors of [`set`](Self::set).
        pub fn unset<K: ValueKey<V>>(&self, key: K) -> Result<bool, SessionError> {
            self.scope().unset(key.details().slot)
        }

        /// Returns whether a value exists, regardless of its type.
        ///
        /// # Errors
        ///
        /// [`NotStarted`](SessionError::NotStarted), [`Gone`](SessionError::Gone).
        pub fn contains<K: ValueKey<V>>(&self, key: K) -> Result<bool, SessionError> {
            self.scope().contains(key.details().slot)
        }

        /// Returns the names of all existing values, in the order in which they were first set.
        ///
        /// # Errors
        ///
        /// [`NotStarted`](SessionError::NotStarted), [`Gone`](SessionError::Gone).
        pub fn keys(&self) -> Result<Vec<String>, SessionError> {
            self.scope().keys()
        }

        #[doc = $clear]
        ///
        /// # Errors
        ///
        /// The errors of [`unset`](Self::unset).
        pub fn clear(&self) -> Result<(), SessionError> {
            self.scope().clear()
        }

        /// Returns when a value expires if there is no other visit before: by its own expiration or together with what
        /// contains it, whichever is first. Returns `None` if the value does not exist, or ends at most with the
        /// browser window.
        ///
        /// # Errors
        ///
        /// [`NotStarted`](SessionError::NotStarted), [`Gone`](SessionError::Gone).
        ///
        /// ```
        /// use sessile_core::{Expiration, MINUTE, Session, SessionError, Visit};
        /// use sessile_memory::MemoryStorage;
        /// use time::OffsetDateTime;
        ///
        /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), SessionError> {
        /// let session: Session = Session::builder(MemoryStorage::new()).build();
        /// session.enter(Visit::new(), async {
        ///     session.set_with_expiration("code", 4711, Expiration::After(5 * MINUTE))?;
        ///     let end = session.expires_at("code")?.expect("it has an end");
        ///     assert!(end <= OffsetDateTime::now_utc() + 5 * MINUTE);
        ///     assert_eq!(session.expires_at("none")?, None);
        ///     Ok(())
        /// }).await?;
        /// # Ok(())
        /// # }
        /// ```
        pub fn expires_at<K: ValueKey<V>>(&self, key: K) -> Result<Option<OffsetDateTime>, SessionError> {
            let end = self.scope().expires_at(key.details().slot)?;
            Ok(end.map(Into::into))
        }

        #[doc = concat!("Sets the expiration of the ", $whole, " as a whole, from now on.")]
        ///
        /// # Errors
        ///
        /// The errors of [`set`](Self::set).
        pub fn set_expiration(&self, expiration: impl Into<Expiration>) -> Result<(), SessionError> {
            self.scope().set_expiration(expiration.into())
        }

        /// Sets the expiration of one value, counted from now. Returns whether the value exists.
        ///
        /// # Errors
        ///
        /// The errors of [`set`](Self::set).
        pub fn set_key_expiration<K: ValueKey<V>>(
            &self,
            key: K,
            expiration: impl Into<Expiration>,
        ) -> Result<bool, SessionError> {
            self.scope()
                .set_key_expiration(key.details().slot, expiration.into())
        }
    };
}

pub(super) use value_calls;
