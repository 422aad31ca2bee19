//! What axum needs to know of a session: how to extract it, and how to answer when it fails.

use std::any::type_name;
use std::error::Error;
use std::fmt;

use axum_core::extract::FromRequestParts;
use axum_core::response::{IntoResponse, Response};
use http::header::RETRY_AFTER;
use http::request::Parts;
use http::{HeaderValue, StatusCode};

use crate::error::SessionError;
use crate::keys::{Namespaces, Values};
use crate::session::Session;

/// Extracts the session in whose context the request is handled, which is not started by this.
///
/// Of several sessions it is the one with these namespaces and values; of several of those, the one whose layer is
/// closest to the handler.
impl<S, N, V> FromRequestParts<S> for Session<N, V>
where
    S: Send + Sync,
    N: Namespaces,
    V: Values,
{
    type Rejection = MissingSession;

    async fn from_request_parts(_: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        Self::current().ok_or_else(MissingSession::of::<N, V>)
    }
}

/// A handler wants a session that its request has no visit to: the layer for it is missing.
///
/// The answer is a 500, as this is a mistake of the application.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct MissingSession {
    wanted: String,
}

impl MissingSession {
    fn of<N, V>() -> Self {
        Self {
            wanted: format!("Session<{}, {}>", type_name::<N>(), type_name::<V>()),
        }
    }
}

impl fmt::Display for MissingSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "a handler extracts `{}` and no `SessionLayer` for it stands before that handler",
            self.wanted
        )
    }
}

impl Error for MissingSession {}

impl IntoResponse for MissingSession {
    fn into_response(self) -> Response {
        (StatusCode::INTERNAL_SERVER_ERROR, self.to_string()).into_response()
    }
}

/// The answer to a failure that a handler passes on with `?`.
///
/// | error | status |
/// |---|---|
/// | [`Gone`](SessionError::Gone), [`Unknown`](SessionError::Unknown) | 401: what the client has to show for itself is worth nothing (any more) |
/// | [`Superseded`](SessionError::Superseded) | 409: the same request, sent again, carries the id that the client has by now |
/// | those that [may succeed a little later](SessionError::is_retryable) | 503, with `Retry-After: 1` |
/// | any other | 500 |
///
/// The 401 has no `WWW-Authenticate`, as there is no scheme for what a session's id travels by. The text of the answer
/// says nothing about the storage or about values.
impl IntoResponse for SessionError {
    fn into_response(self) -> Response {
        let (status, text) = match &self {
            Self::Gone | Self::Unknown => (StatusCode::UNAUTHORIZED, "the session has ended"),
            Self::Superseded => (StatusCode::CONFLICT, "the session has moved to another id"),
            error if error.is_retryable() => (StatusCode::SERVICE_UNAVAILABLE, "the session is not available"),
            _ => (StatusCode::INTERNAL_SERVER_ERROR, "the session failed"),
        };
        let mut response = (status, text).into_response();
        if self.is_retryable() {
            response
                .headers_mut()
                .insert(RETRY_AFTER, HeaderValue::from_static("1"));
        }
        response
    }
}
