//! [`Key`]: the name and the type of one value.

use std::fmt;
use std::marker::PhantomData;

use serde_json::Value;

use super::{OnMismatch, Untyped, Values};
use crate::expiration::Expiration;

/// The name of one value and its type `T`, among the values that `V` declares.
///
/// A key fits only a session or namespace with the same `V`: taking a value from the wrong place, or as the wrong type,
/// does not compile. Keys are normally made by `#[derive(Values)]`. A key costs nothing to copy and can be a constant.
pub struct Key<V, T> {
    pub(super) name: &'static str,
    pub(super) aliases: &'static [&'static str],
    pub(super) default_expiration: Option<fn() -> Expiration>,
    pub(super) on_mismatch: OnMismatch<T>,
    pub(super) migrate: Option<fn(Value) -> Option<T>>,
    // A key makes values of `T` for `V` but owns neither, so it is `Send` and `Sync` whatever they are.
    marker: PhantomData<fn() -> (V, T)>,
}

impl<T> Key<Untyped, T> {
    /// Gives one value of an untyped session or namespace a type.
    ///
    /// ```
    /// use sessile_core::{Key, Untyped};
    ///
    /// const VISITS: Key<Untyped, u64> = Key::new("visits");
    /// assert_eq!(VISITS.name(), "visits");
    /// ```
    #[must_use]
    pub const fn new(name: &'static str) -> Self {
        Self::declare(name)
    }
}

impl<V, T> Key<V, T> {
    /// Declares a value of `V`: what `#[derive(Values)]` writes for each field.
    ///
    /// Two keys of one `V` must not share a name. Where they do, they name the same value, and it can be read only
    /// through the key whose type it was set with.
    #[must_use]
    pub const fn declare(name: &'static str) -> Self
    where
        V: Values,
    {
        Self {
            name,
            aliases: &[],
            default_expiration: None,
            on_mismatch: OnMismatch::Fail,
            migrate: None,
            marker: PhantomData,
        }
    }

    /// Gives the value an expiration of its own, for when it is set while it has none.
    ///
    /// The function is called each time it is needed, so it can compute a date.
    ///
    /// ```
    /// use sessile_core::{Expiration, Key, MINUTE, Untyped};
    ///
    /// const CODE: Key<Untyped, String> = Key::new("code").expiring(|| Expiration::After(5 * MINUTE));
    /// assert_eq!(CODE.default_expiration(), Some(Expiration::After(5 * MINUTE)));
    /// ```
    #[must_use]
    pub const fn expiring(mut self, expiration: fn() -> Expiration) -> Self {
        self.default_expiration = Some(expiration);
        self
    }

    /// Gives the value other names, under which it may still be stored: those that it had before it was renamed.
    ///
    /// It is found under the first of its names that is there, its own before all others. When it is set it stands under
    /// its own name alone, and keeps its expiration.
    ///
    /// ```
    /// use sessile_core::{Key, Session, SessionError, Untyped, Visit};
    /// use sessile_memory::MemoryStorage;
    ///
    /// const USER: Key<Untyped, u64> = Key::new("user").aliases(&["user_id", "uid"]);
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), SessionError> {
    /// let session: Session = Session::builder(MemoryStorage::new()).build();
    /// session.enter(Visit::new(), async {
    ///     session.set("uid", 7)?;
    ///     assert_eq!(session.get(USER)?, Some(7));
    ///     session.set(USER, 8)?;
    ///     assert_eq!(session.keys()?, ["user"]);
    ///     Ok(())
    /// }).await
    /// # }
    /// ```
    #[must_use]
    pub const fn aliases(mut self, aliases: &'static [&'static str]) -> Self {
        self.aliases = aliases;
        self
    }

    /// Says what to do when what is stored is not a `T`: by default the call that wants it fails.
    ///
    /// ```
    /// use sessile_core::{Key, OnMismatch, Session, SessionError, Untyped, Visit};
    /// use sessile_memory::MemoryStorage;
    ///
    /// // It was a text once.
    /// const THEME: Key<Untyped, u8> = Key::new("theme").on_mismatch(OnMismatch::Unset);
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), SessionError> {
    /// let session: Session = Session::builder(MemoryStorage::new()).build();
    /// session.enter(Visit::new(), async {
    ///     session.set("theme", "dark")?;
    ///     assert_eq!(session.get(THEME)?, None);
    ///     Ok(())
    /// }).await
    /// # }
    /// ```
    #[must_use]
    pub const fn on_mismatch(mut self, policy: OnMismatch<T>) -> Self {
        self.on_mismatch = policy;
        self
    }

    /// Says how to make a value of what an earlier version of the application has stored: of JSON that is not a `T`.
    /// What the function makes nothing of is a [mismatch](Self::on_mismatch).
    ///
    /// Such a value is made anew each time somebody wants it, until it is set.
    ///
    /// ```
    /// use sessile_core::{Key, Session, SessionError, Untyped, Visit};
    /// use sessile_memory::MemoryStorage;
    /// use serde_json::Value;
    ///
    /// // There was only one role once, and it was a text.
    /// const ROLES: Key<Untyped, Vec<String>> = Key::new("roles").migrate(|old| match old {
    ///     Value::String(role) => Some(vec![role]),
    ///     _ => None,
    /// });
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), SessionError> {
    /// let session: Session = Session::builder(MemoryStorage::new()).build();
    /// session.enter(Visit::new(), async {
    ///     session.set("roles", "admin")?;
    ///     assert_eq!(session.get(ROLES)?, Some(vec!["admin".to_owned()]));
    ///     Ok(())
    /// }).await
    /// # }
    /// ```
    #[must_use]
    pub const fn migrate(mut self, migrate: fn(Value) -> Option<T>) -> Self {
        self.migrate = Some(migrate);
        self
    }

    /// The name under which the value is stored.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// The expiration the value gets when it is set while it has none; `None` if the key declares none.
    #[must_use]
    pub fn default_expiration(&self) -> Option<Expiration> {
        self.default_expiration.map(|expiration| expiration())
    }
}

// Written by hand: deriving them would ask the same of `V` and `T`.
impl<V, T> Clone for Key<V, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<V, T> Copy for Key<V, T> {}

impl<V, T> fmt::Debug for Key<V, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Key").field(&self.name).finish()
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::super::ValueKey;
    use super::*;
    use crate::expiration::MINUTE;

    /// Neither `Copy`, `Clone`, `Debug`, `Send` nor `Sync`.
    struct Bare(#[allow(dead_code)] Cell<*const ()>);
    impl Values for Bare {}

    const KEY: Key<Bare, Bare> = Key::declare("bare");

    fn describe<V, K: ValueKey<V>>(key: K) -> (String, Option<Expiration>) {
        (key.name().to_owned(), key.default_expiration())
    }

    fn value_type<V, K: ValueKey<V>>(_: K) -> &'static str
    where
        K::Value: 'static,
    {
        std::any::type_name::<K::Value>()
    }

    #[test]
    fn a_key_asks_nothing_of_its_types() {
        fn usable_anywhere<K: Copy + fmt::Debug + Send + Sync + 'static>(_: K) {}
        usable_anywhere(KEY);
        assert_eq!(format!("{KEY:?}"), r#"Key("bare")"#);
    }

    #[test]
    fn a_key_has_the_expiration_it_declares() {
        assert_eq!(describe::<Bare, _>(KEY), ("bare".to_owned(), None));
        let expiring = KEY.expiring(|| Expiration::After(MINUTE));
        let expected = ("bare".to_owned(), Some(Expiration::After(MINUTE)));
        assert_eq!(describe::<Bare, _>(expiring), expected);
        assert_eq!(expiring.name(), "bare");
    }

    #[test]
    fn text_and_keys_name_untyped_values() {
        let json = std::any::type_name::<serde_json::Value>();
        let owned = String::from("n");
        assert_eq!(value_type::<Untyped, _>("n"), json);
        assert_eq!(value_type::<Untyped, _>(&owned), json);
        assert_eq!(value_type::<Untyped, _>(Key::<Untyped, u64>::new("n")), "u64");
        assert_eq!(describe::<Untyped, _>("n"), ("n".to_owned(), None));
        assert_eq!(describe::<Untyped, _>(&owned), ("n".to_owned(), None));
    }
}
