//! Lookups in response headers, and the policy for `Referer`.

use http::header::REFERRER_POLICY;
use http::{HeaderMap, HeaderName, HeaderValue};

/// Returns whether a header of this name is present.
///
/// Responses have few headers, so comparing all names is faster than hashing one, and much faster for names other than
/// the standard ones.
#[inline]
pub(crate) fn has(headers: &HeaderMap, name: HeaderName) -> bool {
    headers.keys().any(|known| *known == name)
}

/// Keeps the URL of the page out of requests to other sites, unless the service has set a policy that does.
pub(crate) fn restrict_referrer(headers: &mut HeaderMap) {
    let lines = headers.get_all(REFERRER_POLICY).iter();
    let tokens = lines.flat_map(|line| line.as_bytes().split(|byte| *byte == b','));
    // The last of several policies counts.
    let mut tokens = tokens.map(<[u8]>::trim_ascii);
    let last = tokens.rfind(|token| !token.is_empty());
    let is_kept = |policy: &[u8]| {
        let strict: [&[u8]; 2] = [b"no-referrer", b"same-origin"];
        strict.iter().any(|known| policy.eq_ignore_ascii_case(known))
    };
    if !last.is_some_and(is_kept) {
        headers.insert(REFERRER_POLICY, HeaderValue::from_static("same-origin"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_policies_that_hide_the_url_are_kept() {
        for (given, expected) in [
            (&[][..], &["same-origin"][..]),
            (&["no-referrer"], &["no-referrer"]),
            (&["No-Referrer"], &["No-Referrer"]),
            (&["same-origin"], &["same-origin"]),
            (
                &["unsafe-url", "strict-origin, no-referrer"],
                &["unsafe-url", "strict-origin, no-referrer"],
            ),
            (&["no-referrer, "], &["no-referrer, "]),
            (&["no-referrer, unsafe-url"], &["same-origin"]),
            (&["no-referrer", "origin"], &["same-origin"]),
            (&["strict-origin-when-cross-origin"], &["same-origin"]),
            (&["no-referrer-when-downgrade"], &["same-origin"]),
            (&["no-referrer x"], &["same-origin"]),
            (&[""], &["same-origin"]),
        ] {
            let mut headers = HeaderMap::new();
            for value in given {
                headers.append(REFERRER_POLICY, HeaderValue::from_static(value));
            }
            restrict_referrer(&mut headers);
            let found: Vec<_> = headers.get_all(REFERRER_POLICY).iter().collect();
            assert_eq!(found, expected, "{given:?}");
        }
    }
}
