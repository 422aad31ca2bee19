//! The headers for whoever caches answers on the way.
//!
//! That an answer sets a cookie does not keep caches from storing it (RFC 9111, section 7.3), so what belongs to one
//! visitor says so itself, whatever the service has said. What the service says about caches of its own visitor stands;
//! what it says about those that visitors share does not.

use http::header::{CACHE_CONTROL, VARY};
use http::{HeaderMap, HeaderName, HeaderValue};

use crate::headers::has;

/// What a cache that keeps an answer would show to whom it is not meant for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Exposure {
    /// The answer was made without looking into anybody's session, as the visitor had no id: to those who have one it
    /// shows the wrong page, and nothing worse.
    Absence,
    /// What is in a session.
    Content,
    /// The right to a session, or that something was done there.
    Session,
}

/// Says that the answer depends on this header of the request (RFC 9110, section 12.5.5), if that is not said yet.
pub(super) fn add_vary(headers: &mut HeaderMap, name: &HeaderValue) {
    let is_said = |value: &HeaderValue| {
        let mut members = value.as_bytes().split(|byte| *byte == b',').map(<[u8]>::trim_ascii);
        members.any(|member| member == b"*" || member.eq_ignore_ascii_case(name.as_bytes()))
    };
    if !has(headers, VARY) || !headers.get_all(VARY).iter().any(is_said) {
        headers.append(VARY, name.clone());
    }
}

/// Keeps the answer out of caches that visitors share, and out of all others too unless it can be there without harm
/// or the service has decided about them for itself.
pub(super) fn protect(headers: &mut HeaderMap, exposure: Exposure) {
    let by_default = match exposure {
        Exposure::Absence => HeaderValue::from_static("private"),
        Exposure::Content | Exposure::Session => HeaderValue::from_static("no-store"),
    };
    let said = match exposure {
        Exposure::Absence | Exposure::Content if has(headers, CACHE_CONTROL) => for_one_visitor(headers, exposure),
        _ => None,
    };
    headers.insert(CACHE_CONTROL, said.unwrap_or(by_default));
    forget_targeted(headers);
}

/// What is left of the service's `Cache-Control` for the visitor's own caches; `None` if that decides nothing about
/// them.
fn for_one_visitor(headers: &HeaderMap, exposure: Exposure) -> Option<HeaderValue> {
    let mut left = b"private".to_vec();
    let mut decides = false;
    for directive in headers.get_all(CACHE_CONTROL).iter().flat_map(directives) {
        let name = name_of(directive);
        // `private="field"` and `no-cache="field"` are about that field alone.
        let is_bare = name.len() == directive.len();
        decides |= is_bare
            && [&b"private"[..], b"no-cache"]
                .iter()
                .any(|bare| name.eq_ignore_ascii_case(bare));
        // `must-understand` is how `no-store` can be overruled.
        let is_dropped = [&b"public"[..], b"private", b"s-maxage", b"must-understand"]
            .iter()
            .any(|dropped| name.eq_ignore_ascii_case(dropped));
        if is_dropped || !is_token(name) {
            continue;
        }
        decides |= [&b"no-store"[..], b"max-age"]
            .iter()
            .any(|decision| name.eq_ignore_ascii_case(decision));
        left.extend_from_slice(b", ");
        left.extend_from_slice(directive);
    }
    if !decides && exposure == Exposure::Content {
        return None;
    }
    HeaderValue::from_bytes(&left).ok()
}

/// The members of a list, in which a text in quotes can hold commas.
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

/// Whether this can be the name of a directive. What merely looks like one to a lenient reader is not passed on.
fn is_token(name: &[u8]) -> bool {
    let is_mark = |byte: &u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte);
    !name.is_empty() && name.iter().all(is_mark)
}

/// Removes what tells some caches something else than `Cache-Control` tells all (RFC 9213, and what came before it).
fn forget_targeted(headers: &mut HeaderMap) {
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
    fn vary_is_not_said_twice() {
        for said in [
            &["Cookie"][..],
            &["accept,COOKIE ,origin"],
            &["*"],
            &["accept , *"],
            &["accept", "cookie"],
        ] {
            assert_eq!(varied(said), said);
        }
    }

    fn protected(given: &[&'static str], exposure: Exposure) -> String {
        let mut headers = HeaderMap::new();
        for value in given {
            headers.append(CACHE_CONTROL, HeaderValue::from_static(value));
        }
        protect(&mut headers, exposure);
        let mut values = headers.get_all(CACHE_CONTROL).iter();
        let value = values.next().unwrap().to_str().unwrap().to_owned();
        assert!(values.next().is_none());
        value
    }

    #[test]
    fn what_the_service_says_about_its_own_visitor_stands() {
        for (given, absence, content) in [
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
            // Nothing of this is about the visitor's own caches.
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
            assert_eq!(protected(given, Exposure::Absence), absence, "{given:?}");
            assert_eq!(protected(given, Exposure::Content), content, "{given:?}");
            assert_eq!(protected(given, Exposure::Session), "no-store", "{given:?}");
        }
    }

    #[test]
    fn nothing_else_is_said_to_single_caches() {
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
        protect(&mut headers, Exposure::Absence);
        assert_eq!(headers.len(), 1);
        assert_eq!(headers[CACHE_CONTROL], "private");
    }
}
