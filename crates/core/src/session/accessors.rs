//! The calls on values, which sessions and namespaces have alike.

/// Written once for both: `$update` is what changing a value in scope is called, `$whole` what the values stand in, and
/// `$clear` what clearing it does. The type has a method `scope` and a parameter `V: Values`.
macro_rules! value_calls {
    ($update:ident, $whole:literal, $clear:literal) => {
        /// Returns a value, or `None` if it is not there or has expired.
        ///
        /// # Errors
        ///
        /// [`NotStarted`](SessionError::NotStarted); [`Gone`](SessionError::Gone) when the session has expired since it was
        /// started; [`Codec`](SessionError::Codec) when what is stored is not a `K::Value`, unless the key [says
        /// otherwise](crate::OnMismatch).
        pub fn get<K>(&self, key: K) -> Result<Option<K::Value>, SessionError>
        where
            K: ValueKey<V>,
            K::Value: DeserializeOwned,
        {
            self.scope().get(&key.details())
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
            self.scope().get_or_insert_with(&key.details(), make)
        }

        /// Sets a value. One that is there keeps its expiration; one that is not gets the default of its key.
        ///
        /// It is turned into JSON here and now; it reaches the storage when the session is closed. What may be set under
        /// which key is said at [`Takes`].
        ///
        /// # Errors
        ///
        /// [`NotStarted`](SessionError::NotStarted), [`NotWritable`](SessionError::NotWritable),
        /// [`Gone`](SessionError::Gone); [`Codec`](SessionError::Codec) for a value that could not be read again;
        /// [`TooLarge`](SessionError::TooLarge) for one that alone takes more than a session may;
        /// [`ExpiredDefault`](SessionError::ExpiredDefault) when the value, or the namespace it is to stand in, is not
        /// there and would be over as soon as it began.
        pub fn set<K, T>(&self, key: K, value: T) -> Result<(), SessionError>
        where
            K: Takes<V, T>,
            T: Serialize,
        {
            self.scope().set(key.details().slot, &value, None)
        }

        /// Sets a value and its expiration.
        ///
        /// # Errors
        ///
        /// Those of [`set`](Self::set).
        pub fn set_with_expiration<K, T>(
            &self,
            key: K,
            value: T,
            expiration: impl Into<Expiration>,
        ) -> Result<(), SessionError>
        where
            K: Takes<V, T>,
            T: Serialize,
        {
            self.scope()
                .set(key.details().slot, &value, Some(expiration.into()))
        }

        /// Changes a value in scope, beginning with its default if it is not there, and returns what the closure returns.
        ///
        /// Tasks that share the visit and change one value in scope follow each other, so none of their changes is lost.
        /// Nothing is locked while the closure runs: it may use the session, and wait for others who do. What they, or
        /// the closure itself, [set](Self::set) under this very key meanwhile counts as set after the change and stays;
        /// what the closure has made of the value from before is then not stored.
        ///
        /// # Errors
        ///
        /// Those of [`get`](Self::get) and [`set`](Self::set); [`LockTimeout`](SessionError::LockTimeout) when another
        /// task is changing this value in scope and is not done within the [wait
        /// limit](crate::SessionBuilder::lock_wait), for which the thread is blocked, or when the closure of a change
        /// itself asks for another of the same value, which could never be done.
        pub fn $update<K, R>(&self, key: K, change: impl FnOnce(&mut K::Value) -> R) -> Result<R, SessionError>
        where
            K: ValueKey<V>,
            K::Value: Serialize + DeserializeOwned + Default,
        {
            self.scope().update(&key.details(), change)
        }

        /// Removes a value and returns it, or `None` if it is not there or has expired.
        ///
        /// # Errors
        ///
        /// Those of [`get`](Self::get), upon which the value stays, and of [`unset`](Self::unset);
        /// [`LockTimeout`](SessionError::LockTimeout) as for changing a value in scope.
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
        /// }).await
        /// # }
        /// ```
        pub fn take<K>(&self, key: K) -> Result<Option<K::Value>, SessionError>
        where
            K: ValueKey<V>,
            K::Value: DeserializeOwned,
        {
            self.scope().take(&key.details())
        }

        /// Removes a value. Says whether it was there.
        ///
        /// # Errors
        ///
        /// Those of [`set`](Self::set).
        pub fn unset<K: ValueKey<V>>(&self, key: K) -> Result<bool, SessionError> {
            self.scope().unset(key.details().slot)
        }

        /// Whether a value is there, be it of this type or not.
        ///
        /// # Errors
        ///
        /// [`NotStarted`](SessionError::NotStarted), [`Gone`](SessionError::Gone).
        pub fn contains<K: ValueKey<V>>(&self, key: K) -> Result<bool, SessionError> {
            self.scope().contains(key.details().slot)
        }

        /// The names of all values that are there, in the order in which they were first set.
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
        /// Those of [`unset`](Self::unset).
        pub fn clear(&self) -> Result<(), SessionError> {
            self.scope().clear()
        }

        /// When a value ends if no visit comes before: by its own expiration or with what it stands in, whichever is
        /// first. `None` if it is not there, or has no end but that the browser window closes.
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
        /// }).await
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
        /// Those of [`set`](Self::set).
        pub fn set_expiration(&self, expiration: impl Into<Expiration>) -> Result<(), SessionError> {
            self.scope().set_expiration(expiration.into())
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
            self.scope()
                .set_key_expiration(key.details().slot, expiration.into())
        }
    };
}

pub(super) use value_calls;
