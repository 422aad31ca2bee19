#![doc = include_str!("../README.md")]

mod attributes;
mod case;
mod declaration;
mod expand;
mod kind;

use proc_macro::TokenStream;
use syn::{DeriveInput, parse_macro_input};

use crate::declaration::Declaration;
use crate::expand::expand;
use crate::kind::Kind;

/// Declares the values of a session, or of one of its namespaces: a `Key` for each field of a struct.
///
/// The field `user_id: u64` of `Account` becomes the constant `Account::USER_ID`, a `Key<Account, u64>` named
/// `user_id`, and `Account` implements the trait `Values`. The struct is a list of names and types, and is never
/// instantiated.
///
/// ```
/// # extern crate sessile_core as sessile;
/// use sessile::{Expiration, HOUR, Key, MINUTE, Values};
///
/// /// The user that is logged in.
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
/// A constant has the name of its field in upper case, and the visibility of the struct, or that of the field if it has
/// one, such as `pub(crate)`. The documentation of a field becomes that of its constant.
///
/// # Options
///
/// On a field:
///
/// - `#[session(rename = "uid")]`: the name under which the value is stored. The default is the name of the field,
///   without the `r#` of a raw identifier.
/// - `#[session(expiration = EXPR)]`: the expiration that the value gets when it is set while it has none. It is any
///   expression that converts `into()` an `Expiration`. It is evaluated each time it is needed, so it can be a computed
///   date.
/// - `#[session(alias = "user")]`: a former name under which the value may still be stored. It can be repeated. The
///   value is read under the first of its names that is stored, and moves to its own name when it is set.
/// - `#[session(on_mismatch = "unset")]`: the policy for a stored value that is not of the field's type: `"fail"`,
///   which is the default, `"unset"` or `"default"`, as in the enum `OnMismatch`.
/// - `#[session(migrate = FUNCTION)]`: converts JSON that is not of the field's type. It is a function, or a closure
///   that captures nothing, from `serde_json::Value` to an `Option` of that type. `None` is a mismatch.
///
/// The last three are options of values, not of namespaces.
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
/// /// Converts the single role of former versions.
/// fn list_of_one(old: Value) -> Option<Vec<String>> {
///     old.as_str().map(|role| vec![role.to_owned()])
/// }
/// ```
///
/// On the struct:
///
/// - `#[session(rename_all = "camelCase")]`: the case of the stored names: `snake_case`, `camelCase`, `PascalCase`,
///   `kebab-case` or `SCREAMING_SNAKE_CASE`. It does not apply to a field with `rename`.
/// - `#[session(crate = "sessile_core")]`: the path of the crate that exports `Values`. The default is `::sessile`.
#[proc_macro_derive(Values, attributes(session))]
pub fn derive_values(input: TokenStream) -> TokenStream {
    derive(Kind::Values, &parse_macro_input!(input))
}

/// Declares the namespaces of a session: a `NamespaceKey` for each field of a struct.
///
/// The field `cart: Cart` of `Shop` becomes the constant `Shop::CART`, a `NamespaceKey<Shop, Cart>` named `cart`, and
/// `Shop` implements the trait `Namespaces`. `Cart` declares the values of that namespace: a struct that derives
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
///     /// The values of plug-ins.
///     plugins: Untyped,
/// }
///
/// let key: NamespaceKey<Shop, Cart> = Shop::CART;
/// assert_eq!(key.name(), "cart");
/// assert_eq!(key.default_expiration(), Some(Expiration::sliding(30 * DAY).into()));
/// assert_eq!(Shop::PLUGINS.name(), "plugins");
/// ```
///
/// Constants and options are as for [`Values`].
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
