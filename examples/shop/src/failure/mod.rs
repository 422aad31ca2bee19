//! [`Failure`]: the error type of handlers, and its response.
//!
//! Handlers return errors with `?`, independently of the client. The response is JSON; a middleware around all routes
//! turns it into a page for clients that prefer HTML.

mod explain;

use axum::body::{Body, Bytes};
use axum::extract::rejection::{FormRejection, JsonRejection, PathRejection, QueryRejection};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;
use sessile::SessionError;

pub use self::explain::explain;
use crate::shop::{CartFull, Refusal};

/// A status and a text for the client.
#[derive(Debug, Clone)]
pub(crate) struct Failure {
    status: StatusCode,
    text: String,
    retryable: bool,
    /// The cause for the log, which clients do not see.
    cause: Option<String>,
}

impl Failure {
    pub(crate) fn new(status: StatusCode, text: impl Into<String>) -> Self {
        Self {
            status,
            text: text.into(),
            retryable: false,
            cause: None,
        }
    }

    pub(crate) fn internal(text: &str) -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, text)
    }

    pub(crate) fn status(&self) -> StatusCode {
        self.status
    }

    pub(crate) fn cause(&self) -> Option<&str> {
        self.cause.as_deref()
    }

    pub(crate) fn text(&self) -> &str {
        &self.text
    }
}

/// Builds the JSON response, with the failure in its extensions for the middleware.
impl From<Failure> for Response<Bytes> {
    fn from(failure: Failure) -> Self {
        let body = json!({ "error": failure.text }).to_string();
        let mut response = Response::new(Bytes::from(body));
        *response.status_mut() = failure.status;
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        if failure.retryable {
            headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        }
        response.extensions_mut().insert(failure);
        response
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        Response::<Bytes>::from(self).map(Body::from)
    }
}

/// Takes status and text from the error, neither of which reveals anything about the storage.
impl From<&SessionError> for Failure {
    fn from(error: &SessionError) -> Self {
        let is_busy = matches!(error, SessionError::LockTimeout | SessionError::TooManyWaiters);
        let is_logged = error.status().is_server_error() && !is_busy;
        Self {
            status: error.status(),
            text: match error {
                SessionError::TooManySessions { limit: 1 } => {
                    "you are logged in somewhere else: log out there first".to_owned()
                }
                SessionError::TooManySessions { limit } => {
                    format!("you are logged in {limit} times, which is the limit: log out somewhere else first")
                }
                _ => error.client_message().to_owned(),
            },
            retryable: error.is_retryable(),
            cause: is_logged.then(|| explain(error)),
        }
    }
}

impl From<SessionError> for Failure {
    fn from(error: SessionError) -> Self {
        Self::from(&error)
    }
}

impl From<CartFull> for Failure {
    fn from(CartFull: CartFull) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "the cart is full")
    }
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::NotLoggedIn => Self::new(StatusCode::FORBIDDEN, "nobody is logged in"),
            Refusal::NoSuchSession => Self::new(StatusCode::NOT_FOUND, "you have no such session"),
        }
    }
}

impl From<JsonRejection> for Failure {
    fn from(rejection: JsonRejection) -> Self {
        rejected(rejection.status(), rejection.body_text())
    }
}

impl From<FormRejection> for Failure {
    fn from(rejection: FormRejection) -> Self {
        rejected(rejection.status(), rejection.body_text())
    }
}

impl From<PathRejection> for Failure {
    fn from(rejection: PathRejection) -> Self {
        rejected(rejection.status(), rejection.body_text())
    }
}

impl From<QueryRejection> for Failure {
    fn from(rejection: QueryRejection) -> Self {
        rejected(rejection.status(), rejection.body_text())
    }
}

/// Reports every invalid request as 400, except one whose body is too large.
fn rejected(status: StatusCode, text: String) -> Failure {
    match status {
        StatusCode::PAYLOAD_TOO_LARGE => Failure::new(status, text),
        _ => Failure::new(StatusCode::BAD_REQUEST, text),
    }
}
