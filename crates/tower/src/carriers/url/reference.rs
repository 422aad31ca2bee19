//! References of requests to other pages, as in `Referer`: their paths, if they lead to the request's own host.

use http::header::HOST;
use http::{HeaderMap, HeaderName};

use crate::request::RequestHead;

/// Returns the path in the header of this name: in a URL of the request's own host, or in a path alone.
///
/// Requests that have the header twice have no path, as it is unknown which is meant.
pub(super) fn path_in<'a>(
    name: &HeaderName,
    request: &RequestHead<'a>,
    proxy_header: Option<&HeaderName>,
) -> Option<&'a [u8]> {
    let value = single(request.headers, name)?;
    if value.starts_with(b"/") {
        // Two slashes begin a reference to another host (RFC 3986, section 4.2).
        return (!value.starts_with(b"//")).then(|| path_of(value));
    }
    let url = Url::parse(value)?;
    let host = own_host(request, proxy_header)?;
    url.is_at(host).then_some(url.path)
}

/// Returns the value of a header that the request has once.
fn single<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a [u8]> {
    let mut values = headers.get_all(name).iter();
    let value = values.next()?.as_bytes();
    values.next().is_none().then_some(value)
}

/// Returns the host to which the client has sent the request, with its port. That of the target precedes the header
/// (RFC 9112, section 3.2.2; RFC 9113, section 8.3.1).
fn own_host<'a>(request: &RequestHead<'a>, proxy_header: Option<&HeaderName>) -> Option<&'a [u8]> {
    if let Some(name) = proxy_header {
        // The nearest of several proxies has added the last entry.
        let line = request.headers.get_all(name).iter().next_back()?.as_bytes();
        return line.rsplit(|byte| *byte == b',').next().map(<[u8]>::trim_ascii);
    }
    match request.uri.authority() {
        Some(authority) => Some(authority.as_str().as_bytes()),
        None => single(request.headers, &HOST),
    }
}

/// The parts of a URL of HTTP.
struct Url<'a> {
    default_port: &'static [u8],
    host: &'a [u8],
    path: &'a [u8],
}

impl<'a> Url<'a> {
    fn parse(text: &'a [u8]) -> Option<Self> {
        let after = |scheme: &[u8]| {
            let (start, rest) = text.split_at_checked(scheme.len())?;
            start.eq_ignore_ascii_case(scheme).then_some(rest)
        };
        let (default_port, rest): (&[u8], _) = match (after(b"https://"), after(b"http://")) {
            (Some(rest), _) => (b":443", rest),
            (None, Some(rest)) => (b":80", rest),
            (None, None) => return None,
        };
        let end = rest.iter().position(|byte| b"/?#".contains(byte)).unwrap_or(rest.len());
        let (host, path) = rest.split_at(end);
        Some(Self {
            default_port,
            host,
            path: path_of(path),
        })
    }

    /// Returns whether the URL leads to this host and port.
    fn is_at(&self, host: &[u8]) -> bool {
        let without_port = |host: &'a [u8]| host.strip_suffix(self.default_port).unwrap_or(host);
        let own = host.strip_suffix(self.default_port).unwrap_or(host);
        !own.is_empty() && without_port(self.host).eq_ignore_ascii_case(own)
    }
}

/// Returns the reference without query and fragment.
fn path_of(reference: &[u8]) -> &[u8] {
    let end = reference.iter().position(|byte| b"?#".contains(byte));
    &reference[..end.unwrap_or(reference.len())]
}

#[cfg(test)]
mod tests {
    use http::Request;
    use http::header::REFERER;

    use super::*;

    fn path(target: &str, headers: &[(HeaderName, &str)], proxy_header: Option<&HeaderName>) -> Option<String> {
        let mut request = Request::get(target).body(()).unwrap();
        for (name, value) in headers {
            request.headers_mut().append(name, value.parse().unwrap());
        }
        let path = path_in(&REFERER, &RequestHead::of(&request), proxy_header)?;
        Some(str::from_utf8(path).unwrap().to_owned())
    }

    #[test]
    fn only_references_to_the_own_host_have_a_path() {
        for (reference, expected) in [
            ("/a/b?c#d", Some("/a/b")),
            ("/", Some("/")),
            ("https://shop.example/a/b?c#d", Some("/a/b")),
            ("http://shop.example/a", Some("/a")),
            ("HTTPS://SHOP.example/a", Some("/a")),
            ("https://shop.example:443/a", Some("/a")),
            ("http://shop.example:80/a", Some("/a")),
            ("https://shop.example", Some("")),
            ("https://shop.example?/a", Some("")),
            ("https://shop.example:8443/a", None),
            ("http://shop.example:443/a", None),
            ("https://other.example/a", None),
            ("https://shop.example.other.example/a", None),
            ("https://shop.example@other.example/a", None),
            ("https://user@shop.example/a", None),
            ("https://other.example\\@shop.example/a", None),
            ("https:///a", None),
            ("//shop.example/a", None),
            ("///a", None),
            ("ftp://shop.example/a", None),
            ("https:/shop.example/a", None),
            ("about:blank", None),
            ("shop.example/a", None),
            ("a/b", None),
            ("", None),
        ] {
            let headers = [(HOST, "shop.example"), (REFERER, reference)];
            assert_eq!(path("/", &headers, None).as_deref(), expected, "{reference}");
        }
    }

    #[test]
    fn the_own_host_is_that_of_the_target_or_of_the_header() {
        let reference = (REFERER, "https://shop.example/a");
        let other = (HOST, "other.example");
        assert!(path("/", &[(HOST, "Shop.Example:443"), reference.clone()], None).is_some());
        assert!(path("https://shop.example/", std::slice::from_ref(&reference), None).is_some());
        assert!(path("https://shop.example/", &[other.clone(), reference.clone()], None).is_some());
        assert!(path("/", std::slice::from_ref(&reference), None).is_none());
        assert!(path("/", &[other.clone(), reference.clone()], None).is_none());
        assert!(path("/", &[(HOST, ""), (REFERER, "https:///a")], None).is_none());
        assert!(path("/", &[(HOST, "shop.example"), other.clone(), reference.clone()], None).is_none());
        assert!(
            path(
                "/",
                &[(HOST, "shop.example"), reference.clone(), reference.clone()],
                None
            )
            .is_none()
        );

        let forwarded = HeaderName::from_static("x-forwarded-host");
        let told = (forwarded.clone(), "made.up, shop.example");
        let headers = [other.clone(), told, reference.clone()];
        assert!(path("/", &headers, None).is_none(), "clients can send it too");
        assert!(path("/", &headers, Some(&forwarded)).is_some());
        assert!(path("/", &[(HOST, "shop.example"), reference], Some(&forwarded)).is_none());
    }
}
