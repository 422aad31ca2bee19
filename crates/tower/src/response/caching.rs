//! Headers for caches between server and client.
//!
//! Caches may store a response that sets a cookie (RFC 9111, section 7.3), so the layer restricts responses that belong
//! to one visitor itself. It keeps the directives of the service for the visitor's private cache, and removes those for
//! shared caches.

use http::header::{CACHE_CONTROL, VARY};
use http::{HeaderMap, HeaderName, HeaderValue};

use crate::headers::has;

/// The data that a cached copy of a response would reveal to other visitors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sensitivity {
    /// No session data, as the visitor had no id. Visitors with an id would see the wrong page.
    Anonymous,
    /// Data of a session.
    Content,
    /// An id, or the result of a write.
    Credential,
}

/// Adds a request header to `Vary` (RFC 9110, section 12.5.5), unless it is listed already.
pub(super) fn add_vary(headers: &mut HeaderMap, name: &HeaderValue) {
    let is_listed = |value: &HeaderValue| {
        let mut members = value.as_bytes().split(|byte| *byte == b',').map(<[u8]>::trim_ascii);
        members.any(|member| member == b"*" || member.eq_ignore_ascii_case(name.as_bytes()))
    };
    if !has(headers, VARY) || !headers.get_all(VARY).iter().any(is_listed) {
        headers.append(VARY, name.clone());
    }
}

/// Keeps the response out of shared caches, and out of private caches too, unless it is harmless there or the service
/// has set a policy for them.
pub(super) fn protect(headers: &mut HeaderMap, sensitivity: Sensitivity) {
    let by_default = match sensitivity {
        Sensitivity::Anonymous => HeaderValue::from_static("private"),
        Sensitivity::Content | Sensitivity::Credential => HeaderValue::from_static("no-store"),
    };
    let kept = match sensitivity {
        Sensitivity::Anonymous | Sensitivity::Content if has(headers, CACHE_CONTROL) => {
            private_policy(headers, sensitivity)
        }
        _ => None,
    };
    headers.insert(CACHE_CONTROL, kept.unwrap_or(by_default));
    remove_targeted(headers);
}

/// Reduces the service's `Cache-Control` to the directives for private caches; `None` if there is no policy for them.
fn private_policy(headers: &HeaderMap, sensitivity: Sensitivity) -> Option<HeaderValue> {
    let mut left = b"private".to_vec();
    let mut decides = false;
    for directive in headers.get_all(CACHE_CONTROL).iter().flat_map(directives) {
        let name = name_of(directive);
        // `private="field"` and `no-cache="field"` apply to that field alone.
        let is_bare = name.len() == directive.len();
        let is_one_of = |names: &[&[u8]]| names.iter().any(|other| name.eq_ignore_ascii_case(other));
        decides |= is_bare && is_one_of(&[b"private", b"no-cache"]);
        // `must-understand` can override `no-store`.
        if is_one_of(&[b"public", b"private", b"s-maxage", b"must-understand"]) || !is_token(name) {
            continue;
        }
        decides |= is_one_of(&[b"no-store", b"max-age"]);
        left.extend_from_slice(b", ");
        left.extend_from_slice(directive);
    }
    if !decides && sensitivity == Sensitivity::Content {
        return None;
    }
    HeaderValue::from_bytes(&left).ok()
}

/// Splits a list at its commas, except those in quoted strings.
fn directives(line: &HeaderValue) -> impl Iterator<Item = &[u8]> {
    let (mut quoted, mut escaped) = (false, false);
    let members = line.as_bytes().split(move |byte| {
        let ends = *byte == b',' && !quoted;
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            _ => {}
        }
        ends
    });
    members.map(<[u8]>::trim_ascii).filter(|member| !member.is_empty())
}

fn name_of(directive: &[u8]) -> &[u8] {
    let end = directive.iter().position(|byte| *byte == b'=');
    directive[..end.unwrap_or(directive.len())].trim_ascii()
}

/// Returns whether this is a valid name of a directive. Names that only a lenient parser accepts are not forwarded.
fn is_token(name: &[u8]) -> bool {
    let is_mark = |byte: &u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte);
    !name.is_empty() && name.iter().all(is_mark)
}

/// Removes headers that override `Cache-Control` for single caches (RFC 9213, and vendors' headers that preceded it).
fn remove_targeted(headers: &mut HeaderMap) {
    let is_targeted = |name: &&HeaderName| match name.as_str().as_bytes() {
        [.., b'l'] => {
            let name = name.as_str();
            name.ends_with("-cache-control") || ["surrogate-control", "edge-control"].contains(&name)
        }
        name => name == b"x-accel-expires",
    };
    while let Some(name) = headers.keys().find(is_targeted).cloned() {
        headers.remove(name);
    }
}

#[cfg(test)]
mod tests {
    use http::header::COOKIE;

    use super::*;

    fn varied(given: &[&'static str]) -> Vec<String> {
        let mut headers = HeaderMap::new();
        for value in given {
            headers.append(VARY, HeaderValue::from_static(value));
        }
        add_vary(&mut headers, &COOKIE.into());
        let values = headers.get_all(VARY).iter();
        values.map(|value| value.to_str().unwrap().to_owned()).collect()
    }

    #[test]
    fn vary_is_added_to_what_is_there() {
        assert_eq!(varied(&[]), ["cookie"]);
        assert_eq!(varied(&["accept-encoding"]), ["accept-encoding", "cookie"]);
        assert_eq!(varied(&["x-cookie, cookies"]), ["x-cookie, cookies", "cookie"]);
    }

    #[test]
    fn vary_is_not_repeated() {
        for listed in [
            &["Cookie"][..],
            &["accept,COOKIE ,origin"],
            &["*"],
            &["accept , *"],
            &["accept", "cookie"],
        ] {
            assert_eq!(varied(listed), listed);
        }
    }

    fn protected(given: &[&'static str], sensitivity: Sensitivity) -> String {
        let mut headers = HeaderMap::new();
        for value in given {
            headers.append(CACHE_CONTROL, HeaderValue::from_static(value));
        }
        protect(&mut headers, sensitivity);
        let mut values = headers.get_all(CACHE_CONTROL).iter();
        let value = values.next().unwrap().to_str().unwrap().to_owned();
        assert!(values.next().is_none());
        value
    }

    #[test]
    fn directives_for_private_caches_are_kept() {
        for (given, anonymous, content) in [
            (&[][..], "private", "no-store"),
            (&["private"], "private", "private"),
            (&["private, max-age=5"], "private, max-age=5", "private, max-age=5"),
            (&["public, max-age=60"], "private, max-age=60", "private, max-age=60"),
            (&["no-cache"], "private, no-cache", "private, no-cache"),
            (&["no-store"], "private, no-store", "private, no-store"),
            (&["no-store, must-understand"], "private, no-store", "private, no-store"),
            (
                &["Max-Age=5", "S-MaxAge=60 ,PUBLIC"],
                "private, Max-Age=5",
                "private, Max-Age=5",
            ),
            // None of these applies to private caches.
            (&["public"], "private", "no-store"),
            (&["s-maxage=60"], "private", "no-store"),
            (
                &["private=\"set-cookie, x\", no-transform"],
                "private, no-transform",
                "no-store",
            ),
            (
                &["no-cache=\"set-cookie\""],
                "private, no-cache=\"set-cookie\"",
                "no-store",
            ),
            (&["public max-age=60"], "private", "no-store"),
            (
                &["ext=\"a, public\\\", b\", max-age=1"],
                "private, ext=\"a, public\\\", b\", max-age=1",
                "private, ext=\"a, public\\\", b\", max-age=1",
            ),
        ] {
            assert_eq!(protected(given, Sensitivity::Anonymous), anonymous, "{given:?}");
            assert_eq!(protected(given, Sensitivity::Content), content, "{given:?}");
            assert_eq!(protected(given, Sensitivity::Credential), "no-store", "{given:?}");
        }
    }

    #[test]
    fn headers_for_single_caches_are_removed() {
        let mut headers = HeaderMap::new();
        for name in [
            "cdn-cache-control",
            "cloudflare-cdn-cache-control",
            "akamai-cache-control",
            "surrogate-control",
            "edge-control",
            "x-accel-expires",
        ] {
            headers.insert(name, HeaderValue::from_static("max-age=60"));
        }
        protect(&mut headers, Sensitivity::Anonymous);
        assert_eq!(headers.len(), 1);
        assert_eq!(headers[CACHE_CONTROL], "private");
    }
}
