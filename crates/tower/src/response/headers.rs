//! The headers for whoever caches answers on the way.

use http::header::{CACHE_CONTROL, Entry, VARY};
use http::{HeaderMap, HeaderName, HeaderValue};

/// Says that the answer depends on this header of the request (RFC 9110, section 12.5.5), if that is not said yet.
pub(super) fn add_vary(headers: &mut HeaderMap, name: HeaderName) {
    let is_said = |value: &HeaderValue| {
        let mut members = value.as_bytes().split(|byte| *byte == b',').map(<[u8]>::trim_ascii);
        members.any(|member| member == b"*" || member.eq_ignore_ascii_case(name.as_str().as_bytes()))
    };
    match headers.entry(VARY) {
        Entry::Occupied(mut said) => {
            if !said.iter().any(is_said) {
                said.append(name.into());
            }
        }
        Entry::Vacant(nothing) => {
            nothing.insert(name.into());
        }
    }
}

/// Says that nobody is to keep the answer (RFC 9111, section 5.2.2.5), unless whoever made it has decided for
/// themselves.
pub(super) fn add_no_store(headers: &mut HeaderMap) {
    let said = headers.entry(CACHE_CONTROL);
    said.or_insert_with(|| HeaderValue::from_static("no-store"));
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
        add_vary(&mut headers, COOKIE);
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

    #[test]
    fn a_cache_control_that_is_there_stays() {
        let mut headers = HeaderMap::new();
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("private, max-age=5"));
        add_no_store(&mut headers);
        assert_eq!(headers[CACHE_CONTROL], "private, max-age=5");
        headers.clear();
        add_no_store(&mut headers);
        assert_eq!(headers[CACHE_CONTROL], "no-store");
    }
}
