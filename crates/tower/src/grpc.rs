//! The parts of gRPC and gRPC-Web that show in HTTP headers.

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderName, HeaderValue, Response};

use crate::headers::has;

/// The header with the outcome of a call.
const STATUS: HeaderName = HeaderName::from_static("grpc-status");

/// The header with a text beside the status.
const MESSAGE: HeaderName = HeaderName::from_static("grpc-message");

/// The status of a call that may be made again, from the beginning.
pub(crate) const ABORTED: &str = "10";

/// The status of a failed call that clients do not retry by themselves.
pub(crate) const INTERNAL: &str = "13";

/// The status of a failed call that clients retry by themselves.
pub(crate) const UNAVAILABLE: &str = "14";

/// Returns whether the head of a response reports a failed call; zero means success.
pub(crate) fn is_failure(headers: &HeaderMap) -> bool {
    has(headers, STATUS) && headers.get(STATUS).is_some_and(|status| status != "0")
}

/// Returns whether this `Content-Type` is `application/grpc`, one of its formats (`+proto`), or one of the two types of
/// gRPC-Web and their formats.
pub(crate) fn is_content_type(kind: &[u8]) -> bool {
    const NAME: &[u8] = b"application/grpc";
    let Some((name, rest)) = kind.split_at_checked(NAME.len()) else {
        return false;
    };
    let rest = rest.to_ascii_lowercase();
    let rest = rest
        .strip_prefix(b"-web")
        .map_or(&*rest, |rest| rest.strip_prefix(b"-text").unwrap_or(rest));
    name.eq_ignore_ascii_case(NAME) && matches!(rest.first(), None | Some(b'+' | b';' | b' '))
}

/// Builds a response without a body, which gRPC over HTTP/2 calls `Trailers-Only`. Clients of gRPC-Web read the status
/// from the head as well, before they look for trailers in the body.
pub(crate) fn trailers_only(content_type: HeaderValue, status: &'static str, message: &'static str) -> Response<Bytes> {
    let mut response = Response::new(Bytes::new());
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, content_type);
    headers.insert(STATUS, HeaderValue::from_static(status));
    headers.insert(MESSAGE, HeaderValue::from_static(message));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_types_of_grpc_are_told_from_others() {
        for kind in [
            "application/grpc",
            "application/grpc+proto",
            "Application/gRPC; charset=utf-8",
            "application/grpc-web",
            "application/grpc-web+proto",
            "application/grpc-web-text",
            "application/grpc-web-text+proto",
            "application/GRPC-WEB-TEXT ; x=y",
        ] {
            assert!(is_content_type(kind.as_bytes()), "{kind}");
        }
        for kind in [
            "",
            "application/grp",
            "application/grpcx",
            "application/grpc-webs",
            "text/grpc",
        ] {
            assert!(!is_content_type(kind.as_bytes()), "{kind}");
        }
    }
}
