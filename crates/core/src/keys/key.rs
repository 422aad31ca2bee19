//! [`Key`]: the name and the type of one value.

use std::marker::PhantomData;

use serde_json::Value;

use super::{Details, OnMismatch, Untyped, Values};
use crate::expiration::Expiration;

/// The name of one value and its type `T`, among the values that `V` declares.
///
/// A key fits only a session or namespace with the same `V`: taking a value from the wrong place, or as the wrong type,
/// does not compile. `#[derive(Values)]` declares one key per field. A key is cheap to copy and can be a constant.
pub struct Key<V, T> {
    pub(super) details: Details<'static, T>,
    // A key produces values of `T` but owns none, so it is `Send` and `Sync` for all `V` and `T`.
    marker: PhantomData<fn() -> (V, T)>,
}

impl<T> Key<Untyped, T> {
    /// Creates a key that gives one value of an untyped session or namespace a type.
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
    /// Declares a value of `V`, as `#[derive(Values)]` does for each field.
    ///
    /// Two keys of one `V` must not share a name. If they do, they name the same value, and it can be read only through
    /// the key whose type it was set with.
    #[must_use]
    pub const fn declare(name: &'static str) -> Self
    where
        V: Values,
    {
        Self {
            details: Details::new(name),
            marker: PhantomData,
        }
    }

    /// Sets the default expiration of the value: the one it gets when it is set while it has none.
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
        self.details.slot.default_expiration = Some(expiration);
        self
    }

    /// Sets other names under which the value may be stored: those that it had before it was renamed.
    ///
    /// A read finds the value under the first of its names that is stored, its own name first. A write stores it under
    /// its own name alone and keeps its expiration.
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
    /// }).await?;
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub const fn aliases(mut self, aliases: &'static [&'static str]) -> Self {
        self.details.slot.aliases = aliases;
        self
    }

    /// Sets what happens when the stored value is not a `T`. By default the call fails.
    ///
    /// ```
    /// use sessile_core::{Key, OnMismatch, Session, SessionError, Untyped, Visit};
    /// use sessile_memory::MemoryStorage;
    ///
    /// // The value used to be a string.
    /// const THEME: Key<Untyped, u8> = Key::new("theme").on_mismatch(OnMismatch::Unset);
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), SessionError> {
    /// let session: Session = Session::builder(MemoryStorage::new()).build();
    /// session.enter(Visit::new(), async {
    ///     session.set("theme", "dark")?;
    ///     assert_eq!(session.get(THEME)?, None);
    ///     Ok(())
    /// }).await?;
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub const fn on_mismatch(mut self, policy: OnMismatch<T>) -> Self {
        self.details.on_mismatch = policy;
        self
    }

    /// Sets a function that converts what an earlier version of the application stored: JSON that is not a `T`. If the
    /// function returns `None`, the value is a [mismatch](Self::on_mismatch).
    ///
    /// The value is converted on each read until it is set.
    ///
    /// ```
    /// use sessile_core::{Key, Session, SessionError, Untyped, Visit};
    /// use sessile_memory::MemoryStorage;
    /// use serde_json::Value;
    ///
    /// // There used to be only one role, a string.
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
    /// }).await?;
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub const fn migrate(mut self, migrate: fn(Value) -> Option<T>) -> Self {
        self.details.migrate = Some(migrate);
        self
    }

    /// Returns the name under which the value is stored.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.details.slot.name
    }

    /// Returns the expiration that the value gets when it is set while it has none; `None` if the key declares none.
    #[must_use]
    pub fn default_expiration(&self) -> Option<Expiration> {
        self.details.slot.default_expiration()
    }
}

impl_key_traits!(Key);

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::fmt;

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
    fn a_key_requires_nothing_of_its_types() {
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
