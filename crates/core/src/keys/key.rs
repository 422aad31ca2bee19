//! [`Key`] and [`ValueKey`]: what names one value.

use std::fmt;
use std::marker::PhantomData;

use super::sealed::Sealed;
use super::{Untyped, Values};
use crate::expiration::Expiration;

/// The name of one value and its type `T`, among the values that `V` declares.
///
/// A key fits only a session or namespace with the same `V`: taking a value from the wrong place, or as the wrong type,
/// does not compile. Keys are normally made by `#[derive(Values)]`. A key costs nothing to copy and can be a constant.
pub struct Key<V, T> {
    name: &'static str,
    default_expiration: Option<fn() -> Expiration>,
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
            default_expiration: None,
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

/// What names one value among those that `V` declares.
///
/// It is a [`Key<V, T>`](Key), whose values are of type `T`. In an [`Untyped`] session or namespace it can also be text,
/// a `&str` or `&String`, whose values are [`serde_json::Value`]s.
///
/// This trait is sealed: other types cannot implement it.
///
/// ```
/// use sessile_core::{Key, Untyped, ValueKey};
///
/// fn name_of<K: ValueKey<Untyped>>(key: K) -> String {
///     key.name().to_owned()
/// }
///
/// assert_eq!(name_of(Key::<Untyped, u64>::new("visits")), "visits");
/// assert_eq!(name_of("visits"), "visits");
/// assert_eq!(name_of(&format!("visits-{}", 7)), "visits-7");
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not name a value of `{V}`",
    label = "not a key of `{V}`",
    note = "typed sessions and namespaces take the keys of their own declaration; text names values of `Untyped` only"
)]
pub trait ValueKey<V>: Sealed {
    /// The type of the value.
    type Value;

    /// The name under which the value is stored.
    fn name(&self) -> &str;

    /// The expiration the value gets when it is set while it has none; `None` if the key declares none.
    fn default_expiration(&self) -> Option<Expiration>;
}

impl<V, T> Sealed for Key<V, T> {}

impl<V: Values, T> ValueKey<V> for Key<V, T> {
    type Value = T;

    fn name(&self) -> &str {
        self.name
    }

    fn default_expiration(&self) -> Option<Expiration> {
        Key::default_expiration(self)
    }
}

// Not for every `&K`: with a blanket implementation rustc points at the call instead of at a key that does not fit.
impl Sealed for &str {}

impl ValueKey<Untyped> for &str {
    type Value = serde_json::Value;

    fn name(&self) -> &str {
        self
    }

    fn default_expiration(&self) -> Option<Expiration> {
        None
    }
}

impl Sealed for &String {}

impl ValueKey<Untyped> for &String {
    type Value = serde_json::Value;

    fn name(&self) -> &str {
        self
    }

    fn default_expiration(&self) -> Option<Expiration> {
        None
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

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
