//! The answers that stand in for others because the session failed. They say nothing about the storage.

use bytes::Bytes;
use http::header::{CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};
use sessile_core::SessionError;

use crate::config::Config;

/// Where gRPC says how a call went; zero means well.
pub(crate) const GRPC_STATUS: HeaderName = HeaderName::from_static("grpc-status");

const SUPERSEDED: &str = "the session has moved to another id";
const UNAVAILABLE: &str = "the session is not available";

/// In what terms a failure is put.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dialect {
    /// A status and a short text.
    Http,
    /// A status of gRPC in the head, and no body.
    Grpc,
}

impl Dialect {
    /// That of a request or an answer with these headers.
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        let is_grpc = |kind: &HeaderValue| kind.as_bytes().starts_with(b"application/grpc");
        match headers.get(CONTENT_TYPE) {
            Some(kind) if is_grpc(kind) => Self::Grpc,
            _ => Self::Http,
        }
    }

    fn superseded(self) -> Response<Bytes> {
        match self {
            Self::Http => text(StatusCode::CONFLICT, SUPERSEDED),
            // ABORTED: the call may be made again, from the beginning.
            Self::Grpc => status("10", SUPERSEDED),
        }
    }

    /// There is no session to be had just now, or none at all.
    pub(super) fn unavailable(self, error: &SessionError) -> Response<Bytes> {
        match self {
            Self::Http => {
                let mut response = text(StatusCode::SERVICE_UNAVAILABLE, UNAVAILABLE);
                if error.is_retryable() {
                    let soon = HeaderValue::from_static("1");
                    response.headers_mut().insert(RETRY_AFTER, soon);
                }
                response
            }
            // UNAVAILABLE makes clients try again by themselves; INTERNAL does not.
            Self::Grpc if error.is_retryable() => status("14", UNAVAILABLE),
            Self::Grpc => status("13", UNAVAILABLE),
        }
    }
}

impl Config {
    /// The answer to this failure; `None` if it is no reason to withhold the one there is.
    pub(super) fn answer_to(&self, error: &SessionError, dialect: Dialect) -> Option<Response<Bytes>> {
        let chosen = self.on_error.as_ref().and_then(|respond| respond(error));
        chosen.or_else(|| match error {
            SessionError::Gone => None,
            SessionError::Superseded => Some(dialect.superseded()),
            error => Some(dialect.unavailable(error)),
        })
    }
}

fn text(status: StatusCode, text: &'static str) -> Response<Bytes> {
    let mut response = Response::new(Bytes::from_static(text.as_bytes()));
    *response.status_mut() = status;
    let plain = HeaderValue::from_static("text/plain; charset=utf-8");
    response.headers_mut().insert(CONTENT_TYPE, plain);
    response
}

/// What the protocol of gRPC over HTTP/2 calls a response of trailers only.
fn status(code: &'static str, message: &'static str) -> Response<Bytes> {
    let mut response = Response::new(Bytes::new());
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    headers.insert(GRPC_STATUS, HeaderValue::from_static(code));
    headers.insert("grpc-message", HeaderValue::from_static(message));
    response
}
