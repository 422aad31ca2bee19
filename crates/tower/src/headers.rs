//! Lookups in response headers.

use http::{HeaderMap, HeaderName};

/// Returns whether a header of this name is present.
///
/// Responses have few headers, so comparing all names is faster than hashing one, and much faster for names other than
/// the standard ones.
#[inline]
pub(crate) fn has(headers: &HeaderMap, name: HeaderName) -> bool {
    headers.keys().any(|known| *known == name)
}
