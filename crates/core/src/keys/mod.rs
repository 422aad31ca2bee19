//! Keys: declarations and names of values and namespaces.
//!
//! A struct that derives [`Values`] declares the values of a session, or of one namespace in it. A struct that derives
//! [`Namespaces`] declares the namespaces of a session. These structs are never instantiated; applications use their
//! [`Key`]s and [`NamespaceKey`]s. [`Untyped`] stands in for both if nothing is declared.

/// Implements `Clone`, `Copy` and `Debug` for a key, without requiring them of its type parameters as deriving would.
macro_rules! impl_key_traits {
    ($key:ident) => {
        impl<D, T> Clone for $key<D, T> {
            fn clone(&self) -> Self {
                *self
            }
        }

        impl<D, T> Copy for $key<D, T> {}

        impl<D, T> std::fmt::Debug for $key<D, T> {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.debug_tuple(stringify!($key)).field(&self.name()).finish()
            }
        }
    };
}

mod key;
mod namespace_key;
mod on_mismatch;
mod value_key;

pub use self::key::Key;
pub use self::namespace_key::{NamespaceKey, NamespaceName};
pub use self::on_mismatch::OnMismatch;
pub(crate) use self::sealed::{Details, Slot};
pub use self::value_key::{Accepts, ValueKey};

/// A declaration of the values that a session or a namespace can hold.
///
/// `#[derive(Values)]` implements it for a struct with named fields and gives each field a [`Key`]. The struct is never
/// instantiated; it is a list of names and types. Deriving it for `struct Account { user_id: u64, roles: Vec<String> }`
/// is the same as writing:
///
/// ```
/// use sessile_core::{Key, Values};
///
/// struct Account;
///
/// impl Account {
///     const USER_ID: Key<Account, u64> = Key::declare("user_id");
///     const ROLES: Key<Account, Vec<String>> = Key::declare("roles");
/// }
///
/// impl Values for Account {}
///
/// assert_eq!(Account::ROLES.name(), "roles");
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not declare the values of a session or namespace",
    label = "does not implement `Values`",
    note = "declare the values in a struct with `#[derive(Values)]`, or name them with text and use `Untyped`"
)]
pub trait Values: 'static {}

/// A declaration of the namespaces of a session and of the values that each can hold.
///
/// `#[derive(Namespaces)]` implements it for a struct with named fields and gives each field a [`NamespaceKey`]. The
/// type of a field is the declaration of the values in that namespace. Deriving it for `struct Shop { cart: Cart }` is
/// the same as writing:
///
/// ```
/// use sessile_core::{Key, NamespaceKey, Namespaces, Values};
///
/// struct Cart;
/// impl Values for Cart {}
///
/// struct Shop;
///
/// impl Shop {
///     const CART: NamespaceKey<Shop, Cart> = NamespaceKey::declare("cart");
/// }
///
/// impl Namespaces for Shop {}
///
/// assert_eq!(Shop::CART.name(), "cart");
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not declare the namespaces of a session",
    label = "does not implement `Namespaces`",
    note = "declare the namespaces in a struct with `#[derive(Namespaces)]`, or name them with text and use `Untyped`"
)]
pub trait Namespaces: 'static {}

/// The declaration of a session or namespace without declarations: text names values and namespaces, and values are
/// [`serde_json::Value`]s.
///
/// It has no instances and only appears as a type parameter.
#[derive(Debug)]
pub enum Untyped {}

impl Values for Untyped {}
impl Namespaces for Untyped {}

/// Seals the traits of this module.
mod sealed {
    use serde_json::Value;

    use super::OnMismatch;
    use crate::expiration::Expiration;

    pub trait Sealed {}

    /// Everything the key of a value declares.
    #[derive(Debug)]
    pub struct Details<'a, T> {
        pub(crate) slot: Slot<'a>,
        pub(crate) on_mismatch: OnMismatch<T>,
        pub(crate) migrate: Option<fn(Value) -> Option<T>>,
    }

    /// The part of a key that does not depend on the type of the value.
    #[derive(Debug, Clone, Copy)]
    pub struct Slot<'a> {
        pub(crate) name: &'a str,
        pub(crate) aliases: &'static [&'static str],
        pub(crate) default_expiration: Option<fn() -> Expiration>,
    }

    impl<'a, T> Details<'a, T> {
        pub(crate) const fn new(name: &'a str) -> Self {
            Self {
                slot: Slot::new(name),
                on_mismatch: OnMismatch::Fail,
                migrate: None,
            }
        }
    }

    impl<T> Clone for Details<'_, T> {
        fn clone(&self) -> Self {
            *self
        }
    }

    impl<T> Copy for Details<'_, T> {}

    impl<'a> Slot<'a> {
        pub(crate) const fn new(name: &'a str) -> Self {
            Self {
                name,
                aliases: &[],
                default_expiration: None,
            }
        }

        pub(crate) fn default_expiration(&self) -> Option<Expiration> {
            self.default_expiration.map(|expiration| expiration())
        }
    }
}
