//! The answers that stand in for others because the session failed. They say nothing about the storage.

use bytes::Bytes;
use http::header::{CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderValue, Response, StatusCode};
use sessile_core::SessionError;

use crate::config::Config;

impl Config {
    /// The answer to this failure; `None` if it is no reason to withhold the one there is.
    pub(super) fn answer_to(&self, error: &SessionError) -> Option<Response<Bytes>> {
        let chosen = self.on_error.as_ref().and_then(|respond| respond(error));
        chosen.or_else(|| match error {
            SessionError::Gone => None,
            SessionError::Superseded => Some(superseded()),
            error => Some(unavailable(error)),
        })
    }
}

fn superseded() -> Response<Bytes> {
    text(StatusCode::CONFLICT, "the session has moved to another id")
}

pub(super) fn unavailable(error: &SessionError) -> Response<Bytes> {
    let mut response = text(StatusCode::SERVICE_UNAVAILABLE, "the session is not available");
    if error.is_retryable() {
        response
            .headers_mut()
            .insert(RETRY_AFTER, HeaderValue::from_static("1"));
    }
    response
}

fn text(status: StatusCode, text: &'static str) -> Response<Bytes> {
    let mut response = Response::new(Bytes::from_static(text.as_bytes()));
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    response
}
