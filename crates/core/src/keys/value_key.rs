//! [`ValueKey`] and [`Accepts`]: names of values, and the types of value that can be set under them.

use std::borrow::Cow;

use serde::Serialize;
use serde_json::Value;

use super::sealed::{Details, Sealed};
use super::{Key, Untyped, Values};
use crate::expiration::Expiration;

/// The name of one value among those that `V` declares.
///
/// A [`Key<V, T>`](Key) is one; its values are of type `T`. In an [`Untyped`] session or namespace, text (`&str` or
/// `&String`) is one too; its values are [`serde_json::Value`]s.
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

    /// Returns the name under which the value is stored.
    fn name(&self) -> &str {
        self.details().slot.name
    }

    /// Returns the expiration that the value gets when it is set while it has none; `None` if the key declares none.
    fn default_expiration(&self) -> Option<Expiration> {
        self.details().slot.default_expiration()
    }

    #[doc(hidden)]
    fn details(&self) -> Details<'_, Self::Value>;
}

/// A key under which a `T` can be set.
///
/// A key takes values of its own type. A key for `String`s also takes a `&str`, a `&String` or a `Cow<str>`. A name in
/// an [`Untyped`] session or namespace takes every serialisable value.
///
/// This trait is sealed: other types cannot implement it.
///
/// ```
/// use sessile_core::{Key, Session, SessionError, Untyped, Visit};
/// use sessile_memory::MemoryStorage;
///
/// const NAME: Key<Untyped, String> = Key::new("name");
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), SessionError> {
/// let session: Session = Session::builder(MemoryStorage::new()).build();
/// session.enter(Visit::new(), async {
///     session.set(NAME, "ada")?;
///     session.set(NAME, String::from("grace"))?;
///     session.set("age", 36)?;
///     session.set("roles", ["admin", "author"])?;
///     Ok(())
/// }).await?;
/// # Ok(())
/// # }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no key of `{V}` under which a `{T}` can be set",
    label = "not a key of `{V}` for such a value",
    note = "typed sessions and namespaces take the keys of their own declaration; text names values of `Untyped` only",
    note = "a `Key<V, T>` takes a `T`, and text instead of a `String`; a name of `Untyped` takes whatever can be serialised"
)]
pub trait Accepts<V, T>: ValueKey<V> {}

impl<V, T> Sealed for Key<V, T> {}

impl<V: Values, T> ValueKey<V> for Key<V, T> {
    type Value = T;

    fn details(&self) -> Details<'_, T> {
        self.details
    }
}

impl<V: Values, T> Accepts<V, T> for Key<V, T> {}
impl<V: Values> Accepts<V, &str> for Key<V, String> {}
impl<V: Values> Accepts<V, &String> for Key<V, String> {}
impl<V: Values> Accepts<V, Cow<'_, str>> for Key<V, String> {}

// A blanket implementation for `&K` would make rustc blame the call instead of the key that does not fit.
macro_rules! text_is_a_key {
    ($($text:ty),*) => {$(
        impl Sealed for $text {}

        impl ValueKey<Untyped> for $text {
            type Value = Value;

            fn details(&self) -> Details<'_, Value> {
                Details::new(self)
            }
        }

        impl<T: Serialize> Accepts<Untyped, T> for $text {}
    )*};
}

text_is_a_key!(&str, &String);
