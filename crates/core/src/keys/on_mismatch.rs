//! [`OnMismatch`]: what to do about a value of another type.

use std::fmt;

/// What to do when a value is wanted and what is stored under its key is not of its type: after the type was changed,
/// say, and sessions from before are still there.
///
/// In any case the stored value stays as it is until it is set or removed, and the matter is told: as an event, with the
/// feature `tracing`, and in the counter `sessile_value_mismatches_total`, with the feature `metrics`, by what was done
/// about it: `fail`, `unset`, `default` or `migrate`.
#[non_exhaustive]
pub enum OnMismatch<T> {
    /// The call fails with [`Codec`](crate::SessionError::Codec).
    Fail,
    /// The value counts as not there.
    Unset,
    /// The value is taken to be what the function makes.
    ///
    /// ```
    /// use sessile_core::{Key, OnMismatch, Untyped};
    ///
    /// const ITEMS: Key<Untyped, Vec<u64>> = Key::new("items").on_mismatch(OnMismatch::Default(Vec::new));
    /// ```
    Default(fn() -> T),
}

// Written by hand: deriving them would ask the same of `T`.
impl<T> Clone for OnMismatch<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for OnMismatch<T> {}

impl<T> fmt::Debug for OnMismatch<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Fail => "Fail",
            Self::Unset => "Unset",
            Self::Default(_) => "Default",
        })
    }
}
