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
use crate::events;
use crate::keys::{Namespaces, Values};
use crate::session::Session;
use crate::visit::{Handle, Visits};

/// Extracts the session in whose context the request is handled, which is not started by this.
///
/// Of several sessions it is the one with these namespaces and values; of several of those, the one whose layer is
/// closest to the handler. If the handler runs in another task than its layer, and the request carries its
/// [visits](Visits) in its extensions, the session is [bound](Session::bind) to the visit.
impl<S, N, V> FromRequestParts<S> for Session<N, V>
where
    S: Send + Sync,
    N: Namespaces,
    V: Values,
{
    type Rejection = MissingSession;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        let carried = || parts.extensions.get::<Visits>()?.session();
        Self::current().or_else(carried).ok_or_else(MissingSession::of::<N, V>)
    }
}

/// Extracts the innermost visit that the request carries in its extensions, whatever the types of its session.
///
/// A middleware can run the rest of a request in it, to put the session back under whatever has moved the request to
/// another task.
impl<S: Send + Sync> FromRequestParts<S> for Handle {
    type Rejection = MissingSession;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        let innermost = parts.extensions.get::<Visits>().and_then(|visits| visits.iter().next());
        innermost
            .cloned()
            .ok_or_else(|| MissingSession::described("a `Handle`"))
    }
}

/// A handler wants a session that its request has no visit to: there is no layer for it, or the handler runs in
/// another task than its layer.
///
/// The answer is a 500, as this is a mistake of the application. With the feature `tracing` it is logged with the types
/// of the session, of which the client learns nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct MissingSession {
    wanted: String,
}

/// How to mend it.
const REASONS: &str = "either no `SessionLayer` for it stands before the handler, which is to be added, or the handler \
                       runs in another task than the layer, to which `SessionLayer::visit_in_extensions` carries it";

impl MissingSession {
    fn of<N, V>() -> Self {
        Self::described(&format!("`Session<{}, {}>`", type_name::<N>(), type_name::<V>()))
    }

    fn described(wanted: &str) -> Self {
        Self {
            wanted: wanted.to_owned(),
        }
    }
}

impl fmt::Display for MissingSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "a handler extracts {} and its request has none: {REASONS}",
            self.wanted
        )
    }
}

impl Error for MissingSession {}

impl IntoResponse for MissingSession {
    fn into_response(self) -> Response {
        events::missing(&self);
        let text = format!("the request has no session: {REASONS}");
        (StatusCode::INTERNAL_SERVER_ERROR, text).into_response()
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
/// says nothing about the storage or about values. With the feature `tracing` each is logged once, by its
/// [report](SessionError::report): at `ERROR` what is to be mended, at `WARN` what may succeed a little later, at
/// `DEBUG` what is no fault.
impl IntoResponse for SessionError {
    fn into_response(self) -> Response {
        events::passed_on(&self);
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
