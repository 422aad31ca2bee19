//! [`NamespaceKey`] and [`NamespaceName`]: names of namespaces.

use std::marker::PhantomData;

use super::sealed::{Sealed, Slot};
use super::{Namespaces, Untyped, Values};
use crate::expiration::Expiration;

/// The name of one namespace among those that `N` declares, and the declaration `W` of the values in it.
///
/// A namespace key fits only a session with the same `N`. `#[derive(Namespaces)]` declares one per field. A namespace
/// key is cheap to copy and can be a constant.
pub struct NamespaceKey<N, W> {
    slot: Slot<'static>,
    // As in `Key`: `Send` and `Sync` for all `N` and `W`.
    marker: PhantomData<fn() -> (N, W)>,
}

impl<W> NamespaceKey<Untyped, W> {
    /// Creates a key that declares the values of one namespace, in a session without declared namespaces.
    ///
    /// ```
    /// use sessile_core::{NamespaceKey, Untyped, Values};
    ///
    /// struct Cart;
    /// impl Values for Cart {}
    ///
    /// const CART: NamespaceKey<Untyped, Cart> = NamespaceKey::new("cart");
    /// assert_eq!(CART.name(), "cart");
    /// ```
    #[must_use]
    pub const fn new(name: &'static str) -> Self
    where
        W: Values,
    {
        Self::declare(name)
    }
}

impl<N, W> NamespaceKey<N, W> {
    /// Declares a namespace of `N`, as `#[derive(Namespaces)]` does for each field.
    ///
    /// Two keys of one `N` must not share a name. If they do, they name the same namespace.
    #[must_use]
    pub const fn declare(name: &'static str) -> Self
    where
        N: Namespaces,
        W: Values,
    {
        Self {
            slot: Slot::new(name),
            marker: PhantomData,
        }
    }

    /// Sets the default expiration of the namespace: the one it gets when a value is set in it while it has none.
    ///
    /// The function is called each time it is needed, so it can compute a date.
    ///
    /// ```
    /// use sessile_core::{DAY, Expiration, NamespaceKey, Untyped};
    ///
    /// const CART: NamespaceKey<Untyped, Untyped> = NamespaceKey::new("cart").expiring(|| Expiration::After(30 * DAY));
    /// assert_eq!(CART.default_expiration(), Some(Expiration::After(30 * DAY)));
    /// ```
    #[must_use]
    pub const fn expiring(mut self, expiration: fn() -> Expiration) -> Self {
        self.slot.default_expiration = Some(expiration);
        self
    }

    /// Returns the name under which the namespace is stored.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.slot.name
    }

    /// Returns the expiration that the namespace gets when a value is set in it while it has none; `None` if the key
    /// declares none.
    #[must_use]
    pub fn default_expiration(&self) -> Option<Expiration> {
        self.slot.default_expiration()
    }
}

impl_key_traits!(NamespaceKey);

/// The name of one namespace among those that `N` declares.
///
/// A [`NamespaceKey<N, W>`](NamespaceKey) is one; its namespace holds what `W` declares. If the namespaces of a session
/// are [`Untyped`], text (`&str` or `&String`) is one too; its namespace is [`Untyped`].
///
/// This trait is sealed: other types cannot implement it.
///
/// ```
/// use sessile_core::{NamespaceKey, NamespaceName, Untyped};
///
/// fn name_of<K: NamespaceName<Untyped>>(key: K) -> String {
///     key.name().to_owned()
/// }
///
/// assert_eq!(name_of(NamespaceKey::<Untyped, Untyped>::new("cart")), "cart");
/// assert_eq!(name_of("cart"), "cart");
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not name a namespace of `{N}`",
    label = "not a namespace of `{N}`",
    note = "typed sessions take the namespaces of their own declaration; text names namespaces of `Untyped` only"
)]
pub trait NamespaceName<N>: Sealed {
    /// The declaration of the values in the namespace.
    type Values: Values;

    /// Returns the name under which the namespace is stored.
    fn name(&self) -> &str {
        self.slot().name
    }

    /// Returns the expiration that the namespace gets when a value is set in it while it has none; `None` if the key
    /// declares none.
    fn default_expiration(&self) -> Option<Expiration> {
        self.slot().default_expiration()
    }

    #[doc(hidden)]
    fn slot(&self) -> Slot<'_>;
}

impl<N, W> Sealed for NamespaceKey<N, W> {}

impl<N: Namespaces, W: Values> NamespaceName<N> for NamespaceKey<N, W> {
    type Values = W;

    fn slot(&self) -> Slot<'_> {
        self.slot
    }
}

impl NamespaceName<Untyped> for &str {
    type Values = Untyped;

    fn slot(&self) -> Slot<'_> {
        Slot::new(self)
    }
}

impl NamespaceName<Untyped> for &String {
    type Values = Untyped;

    fn slot(&self) -> Slot<'_> {
        Slot::new(self)
    }
}

#[cfg(test)]
mod tests {
    use std::any::type_name;
    use std::cell::Cell;
    use std::fmt;

    use super::*;
    use crate::expiration::DAY;

    /// Neither `Copy`, `Clone`, `Debug`, `Send` nor `Sync`.
    struct Bare(#[allow(dead_code)] Cell<*const ()>);
    impl Values for Bare {}
    impl Namespaces for Bare {}

    const KEY: NamespaceKey<Bare, Bare> = NamespaceKey::declare("bare");

    fn describe<N, K: NamespaceName<N>>(key: K) -> (String, &'static str, Option<Expiration>) {
        (
            key.name().to_owned(),
            type_name::<K::Values>(),
            key.default_expiration(),
        )
    }

    #[test]
    fn a_namespace_key_requires_nothing_of_its_types() {
        fn usable_anywhere<K: Copy + fmt::Debug + Send + Sync + 'static>(_: K) {}
        usable_anywhere(KEY);
        assert_eq!(format!("{KEY:?}"), r#"NamespaceKey("bare")"#);
    }

    #[test]
    fn a_namespace_key_has_the_expiration_it_declares() {
        let bare = type_name::<Bare>();
        assert_eq!(describe::<Bare, _>(KEY), ("bare".to_owned(), bare, None));
        let expiring = KEY.expiring(|| Expiration::After(DAY));
        let expected = ("bare".to_owned(), bare, Some(Expiration::After(DAY)));
        assert_eq!(describe::<Bare, _>(expiring), expected);
        assert_eq!(expiring.name(), "bare");
    }

    #[test]
    fn text_and_keys_name_untyped_namespaces() {
        let untyped = type_name::<Untyped>();
        let owned = String::from("n");
        assert_eq!(describe::<Untyped, _>("n"), ("n".to_owned(), untyped, None));
        assert_eq!(describe::<Untyped, _>(&owned), ("n".to_owned(), untyped, None));
        let typed = NamespaceKey::<Untyped, Bare>::new("n");
        assert_eq!(
            describe::<Untyped, _>(typed),
            ("n".to_owned(), type_name::<Bare>(), None)
        );
    }
}
