//! [`OnMismatch`]: the policy for stored values of another type.

use std::fmt;

/// The handling of a stored value that is not of the type of its key, for example after the application changed the
/// type while existing sessions still hold the old one.
///
/// The stored value always stays as it is until it is set or removed. Each mismatch is reported as an event, with the
/// feature `tracing`, and counted in `sessile_value_mismatches_total`, with the feature `metrics`, by its outcome:
/// `fail`, `unset`, `default` or `migrate`.
#[non_exhaustive]
pub enum OnMismatch<T> {
    /// The call fails with [`Codec`](crate::SessionError::Codec).
    Fail,
    /// The value counts as missing.
    Unset,
    /// The function supplies the value.
    ///
    /// ```
    /// use sessile_core::{Key, OnMismatch, Untyped};
    ///
    /// const ITEMS: Key<Untyped, Vec<u64>> = Key::new("items").on_mismatch(OnMismatch::Default(Vec::new));
    /// ```
    Default(fn() -> T),
}

// Not derived, because a derive would require the same of `T`.
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
