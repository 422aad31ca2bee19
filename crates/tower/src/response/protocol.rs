//! The answers that stand in for others because the session failed. They say nothing about the storage.

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};
use sessile_core::SessionError;

/// Where gRPC says how a call went; zero means well.
pub(crate) const GRPC_STATUS: HeaderName = HeaderName::from_static("grpc-status");

/// In what terms a failure is put.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Dialect {
    /// A status and a short text.
    Http,
    /// A status of gRPC in the head, and no body. The value is the `Content-Type` to answer with: clients of gRPC-Web
    /// have one of their own.
    Grpc(HeaderValue),
}

impl Dialect {
    /// That of a request or an answer with these headers.
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        match headers.get(CONTENT_TYPE) {
            Some(kind) if is_grpc(kind.as_bytes()) => Self::Grpc(kind.clone()),
            _ => Self::Http,
        }
    }

    /// The answer to a failure.
    ///
    /// What was lost is a conflict: the same request, sent again, meets the session as it is by now.
    pub(super) fn answer(self, error: &SessionError) -> Response<Bytes> {
        let text = error.client_message();
        match self {
            Self::Http => error.to_response(),
            // ABORTED: the call may be made again, from the beginning. UNAVAILABLE makes clients try again by
            // themselves; INTERNAL does not.
            Self::Grpc(kind) if error.status() == StatusCode::CONFLICT => trailers_only(kind, "10", text),
            Self::Grpc(kind) if error.is_retryable() => trailers_only(kind, "14", text),
            Self::Grpc(kind) => trailers_only(kind, "13", text),
        }
    }
}

/// Whether this is `application/grpc`, one of its formats (`+proto`), or one of the two of gRPC-Web and theirs.
fn is_grpc(kind: &[u8]) -> bool {
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

/// What the protocol of gRPC over HTTP/2 calls a response of trailers only. Clients of gRPC-Web look there as well,
/// before they look for trailers in the body.
fn trailers_only(kind: HeaderValue, code: &'static str, message: &'static str) -> Response<Bytes> {
    let mut response = Response::new(Bytes::new());
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, kind);
    headers.insert(GRPC_STATUS, HeaderValue::from_static(code));
    headers.insert("grpc-message", HeaderValue::from_static(message));
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
            assert!(is_grpc(kind.as_bytes()), "{kind}");
        }
        for kind in [
            "",
            "application/grp",
            "application/grpcx",
            "application/grpc-webs",
            "text/grpc",
        ] {
            assert!(!is_grpc(kind.as_bytes()), "{kind}");
        }
    }
}
