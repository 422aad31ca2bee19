//! Looking into the headers of answers.

use http::{HeaderMap, HeaderName};

/// Whether a header of this name is there.
///
/// Answers have few headers. To compare the names of all is faster than to hash one, and far faster if that is none of
/// the standard ones.
#[inline]
pub(crate) fn has(headers: &HeaderMap, name: HeaderName) -> bool {
    headers.keys().any(|known| *known == name)
}
