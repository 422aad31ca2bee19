//! Keys: how values and namespaces are declared and named.
//!
//! A struct that derives [`Values`] declares what a session, or one namespace of it, can hold; a struct that derives
//! [`Namespaces`] declares which namespaces there are. Neither struct is ever made: what is used are its [`Key`]s and
//! [`NamespaceKey`]s. [`Untyped`] stands in for both where nothing was declared.

mod key;
mod namespace_key;
mod on_mismatch;
mod value_key;

pub use self::key::Key;
pub use self::namespace_key::{NamespaceKey, NamespaceName};
pub use self::on_mismatch::OnMismatch;
pub(crate) use self::sealed::{Details, Slot};
pub use self::value_key::{Takes, ValueKey};

/// A declaration of values: what a session or a namespace can hold.
///
/// `#[derive(Values)]` implements it for a struct with named fields and gives each field a [`Key`]. The struct is never
/// made and holds nothing; it is a list of names and types. Deriving it for
/// `struct Account { user_id: u64, roles: Vec<String> }` is the same as writing:
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

/// A declaration of namespaces: which of them a session has, and what each can hold.
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

/// Stands where nothing was declared: values and namespaces are named with text, and values are
/// [`serde_json::Value`]s.
///
/// It is never made; it only appears as a type parameter.
#[derive(Debug)]
pub enum Untyped {}

impl Values for Untyped {}
impl Namespaces for Untyped {}

/// Keeps the traits that name things to the types of this module.
mod sealed {
    use serde_json::Value;

    use super::OnMismatch;
    use crate::expiration::Expiration;

    pub trait Sealed {}

    /// All there is to know of a key.
    #[derive(Debug)]
    pub struct Details<'a, T> {
        pub(crate) slot: Slot<'a>,
        pub(crate) on_mismatch: OnMismatch<T>,
        pub(crate) migrate: Option<fn(Value) -> Option<T>>,
    }

    /// What there is to know of a key whatever the type of the value is.
    #[derive(Debug, Clone, Copy)]
    pub(crate) struct Slot<'a> {
        pub(crate) name: &'a str,
        pub(crate) aliases: &'static [&'static str],
        pub(crate) default_expiration: Option<fn() -> Expiration>,
    }
}
