//! Responses that replace those of the service when the session failed.

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue, Response, StatusCode};
use sessile_core::SessionError;

use crate::grpc;

/// The protocol in which an error is reported.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Protocol {
    /// A status and a short text.
    Http,
    /// A status of gRPC in the head, and no body. The value is the `Content-Type` of the response, as clients of
    /// gRPC-Web expect their own.
    Grpc(HeaderValue),
}

impl Protocol {
    /// Detects the protocol of a request or response from its headers.
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        match headers.get(CONTENT_TYPE) {
            Some(kind) if grpc::is_content_type(kind.as_bytes()) => Self::Grpc(kind.clone()),
            _ => Self::Http,
        }
    }

    /// Builds the response that reports an error.
    pub(super) fn report(self, error: &SessionError) -> Response<Bytes> {
        let Self::Grpc(content_type) = self else {
            return error.to_response();
        };
        let status = match error.status() {
            StatusCode::CONFLICT => grpc::ABORTED,
            _ if error.is_retryable() => grpc::UNAVAILABLE,
            _ => grpc::INTERNAL,
        };
        grpc::trailers_only(content_type, status, error.client_message())
    }
}
