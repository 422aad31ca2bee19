//! axum integration: the session as an extractor, and session errors as responses.

use std::any::type_name;
use std::error::Error;
use std::fmt;

use axum_core::body::Body;
use axum_core::extract::FromRequestParts;
use axum_core::response::{IntoResponse, Response};
use http::StatusCode;
use http::request::Parts;

use crate::error::SessionError;
use crate::keys::{Namespaces, Values};
use crate::session::Session;
use crate::telemetry;
use crate::visit::{Handle, Visits};

/// Extracts the session in whose context the request is handled, without starting it.
///
/// Among several sessions, selects the one with these namespaces and values; among several of those, the one whose
/// layer is closest to the handler. If the handler runs in another task than its layer, and the request carries its
/// [visits](Visits) in its extensions, the extracted session is [bound](Session::bind) to the visit.
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

/// Extracts the innermost visit from the extensions of the request, whatever the types of its session.
///
/// A middleware can run the rest of a request in this visit, which restores the session after another layer has moved
/// the request to a different task.
impl<S: Send + Sync> FromRequestParts<S> for Handle {
    type Rejection = MissingSession;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        let innermost = parts.extensions.get::<Visits>().and_then(|visits| visits.iter().next());
        innermost
            .cloned()
            .ok_or_else(|| MissingSession::described("a `Handle`"))
    }
}

/// The rejection of a request that has no visit to the extracted session: no layer adds it, or the handler runs in
/// another task than the layer.
///
/// Becomes a 500 response, as this is a mistake in the application. With the feature `tracing` it is logged with the
/// types of the session, which the response does not contain.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct MissingSession {
    wanted: String,
}

/// The possible causes, with the remedy for each.
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
        telemetry::missing(&self);
        let text = format!("the request has no session: {REASONS}");
        (StatusCode::INTERNAL_SERVER_ERROR, text).into_response()
    }
}

/// Turns an error that a handler returns with `?` into the response of [`to_response`](SessionError::to_response).
///
/// With the feature `tracing`, logs each error once, by its [report](SessionError::report): at `DEBUG` if the session
/// ended, moved or does not exist, at `WARN` if a retry may succeed, and at `ERROR` otherwise.
impl IntoResponse for SessionError {
    fn into_response(self) -> Response {
        telemetry::returned_by_handler(&self);
        self.to_response().map(Body::from)
    }
}
