#![doc = include_str!("../README.md")]

mod attributes;
mod case;
mod declaration;
mod expand;

use proc_macro::TokenStream;
use syn::{DeriveInput, parse_macro_input};

use crate::declaration::Declaration;
use crate::expand::{Kind, expand};

/// Declares what a session, or one namespace of it, can hold: a `Key` for each field of a struct.
///
/// The field `user_id: u64` of `Account` becomes the constant `Account::USER_ID`, a `Key<Account, u64>` named
/// `user_id`, and `Account` implements the trait `Values`. The struct is a list of names and types and is never made.
///
/// ```
/// # extern crate sessile_core as sessile;
/// use sessile::{Expiration, HOUR, Key, MINUTE, Values};
///
/// /// What a session knows about who is logged in.
/// #[derive(Values)]
/// #[session(rename_all = "kebab-case")]
/// struct Account {
///     user_id: u64,
///     #[session(rename = "groups")]
///     roles: Vec<String>,
///     #[session(expiration = Expiration::sliding(5 * MINUTE).at_most(HOUR))]
///     elevated: bool,
/// }
///
/// let key: Key<Account, u64> = Account::USER_ID;
/// assert_eq!(key.name(), "user-id");
/// assert_eq!(Account::ROLES.name(), "groups");
/// let expiration = Expiration::sliding(5 * MINUTE).at_most(HOUR).into();
/// assert_eq!(Account::ELEVATED.default_expiration(), Some(expiration));
/// ```
///
/// # Constants
///
/// A constant is called like its field, in upper case, and is as visible as the struct; a field with a visibility of
/// its own, such as `pub(crate)`, passes it on. The documentation of a field becomes that of its constant.
///
/// # Options
///
/// On a field:
///
/// - `#[session(rename = "uid")]`: the name under which the value is stored. It is the name of the field otherwise,
///   and stays it when `r#` has to stand before it.
/// - `#[session(expiration = EXPR)]`: the expiration that the value gets when it is set while it has none. Any
///   expression that can be turned `into()` an `Expiration`; it is evaluated each time it is needed, so it can be a
///   date that is worked out.
/// - `#[session(alias = "user")]`: another name under which the value may still be stored, because it was called that
///   before; several can be given. The value is found under the first of its names that is there, and stands under its
///   own as soon as it is set.
/// - `#[session(on_mismatch = "unset")]`: what to do when what is stored is not of the field's type: `"fail"`, which is
///   what happens otherwise, `"unset"` or `"default"`, as the enum `OnMismatch` says.
/// - `#[session(migrate = FUNCTION)]`: makes a value of JSON that is not of the field's type, or `None`, which is a
///   mismatch: a function, or a closure that captures nothing, from `serde_json::Value` to an `Option` of that type.
///
/// The last three are for values alone, not for namespaces.
///
/// ```
/// # extern crate sessile_core as sessile;
/// use serde_json::Value;
/// use sessile::{OnMismatch, Values};
///
/// #[derive(Values)]
/// struct Account {
///     #[session(alias = "user", alias = "uid")]
///     user_id: u64,
///     #[session(on_mismatch = "default")]
///     theme: u8,
///     #[session(migrate = list_of_one)]
///     roles: Vec<String>,
/// }
///
/// /// There was only one once.
/// fn list_of_one(old: Value) -> Option<Vec<String>> {
///     old.as_str().map(|role| vec![role.to_owned()])
/// }
/// ```
///
/// On the struct:
///
/// - `#[session(rename_all = "camelCase")]`: how names are made from those of the fields: `snake_case`, `camelCase`,
///   `PascalCase`, `kebab-case` or `SCREAMING_SNAKE_CASE`. A field with `rename` is left alone.
/// - `#[session(crate = "sessile_core")]`: the path of the crate that `Values` comes from, where it is not
///   `::sessile`.
#[proc_macro_derive(Values, attributes(session))]
pub fn derive_values(input: TokenStream) -> TokenStream {
    derive(Kind::Values, &parse_macro_input!(input))
}

/// Declares which namespaces a session has: a `NamespaceKey` for each field of a struct.
///
/// The field `cart: Cart` of `Shop` becomes the constant `Shop::CART`, a `NamespaceKey<Shop, Cart>` named `cart`, and
/// `Shop` implements the trait `Namespaces`. `Cart` declares the values in that namespace: it is a struct that derives
/// [`Values`], or `Untyped`.
///
/// ```
/// # extern crate sessile_core as sessile;
/// use sessile::{DAY, Expiration, NamespaceKey, Namespaces, Untyped, Values};
///
/// #[derive(Values)]
/// struct Cart {
///     items: Vec<String>,
/// }
///
/// #[derive(Namespaces)]
/// struct Shop {
///     #[session(expiration = Expiration::sliding(30 * DAY))]
///     cart: Cart,
///     /// Whatever the plug-ins keep.
///     plugins: Untyped,
/// }
///
/// let key: NamespaceKey<Shop, Cart> = Shop::CART;
/// assert_eq!(key.name(), "cart");
/// assert_eq!(key.default_expiration(), Some(Expiration::sliding(30 * DAY).into()));
/// assert_eq!(Shop::PLUGINS.name(), "plugins");
/// ```
///
/// Constants and options are those of [`Values`].
#[proc_macro_derive(Namespaces, attributes(session))]
pub fn derive_namespaces(input: TokenStream) -> TokenStream {
    derive(Kind::Namespaces, &parse_macro_input!(input))
}

fn derive(kind: Kind, input: &DeriveInput) -> TokenStream {
    Declaration::read(kind, input)
        .map_or_else(
            |error| error.into_compile_error(),
            |declaration| expand(kind, &declaration),
        )
        .into()
}
