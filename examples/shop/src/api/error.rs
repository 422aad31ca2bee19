//! [`ApiError`]: what a request that failed is answered.

use axum::body::{Body, Bytes};
use axum::extract::rejection::{JsonRejection, QueryRejection};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;
use sessile::SessionError;

use crate::shop::CartFull;

/// A status, and a text that says more in a field called `error`.
#[derive(Debug)]
pub(crate) struct ApiError {
    status: StatusCode,
    text: String,
    retryable: bool,
}

impl ApiError {
    pub(crate) fn new(status: StatusCode, text: impl Into<String>) -> Self {
        Self {
            status,
            text: text.into(),
            retryable: false,
        }
    }

    pub(crate) fn status(&self) -> StatusCode {
        self.status
    }

    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    pub(crate) fn internal(text: &str) -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, text)
    }
}

/// The answer, before it is known what kind of body it needs.
impl From<ApiError> for Response<Bytes> {
    fn from(error: ApiError) -> Self {
        let body = json!({ "error": error.text }).to_string();
        let mut response = Response::new(Bytes::from(body));
        *response.status_mut() = error.status;
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        if error.retryable {
            headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        }
        response
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        Response::<Bytes>::from(self).map(Body::from)
    }
}

/// The session could not do what the request needs. Visitors are told nothing about the storage.
impl From<&SessionError> for ApiError {
    fn from(error: &SessionError) -> Self {
        let (status, text) = match error {
            SessionError::Gone => (StatusCode::GONE, "the session has ended"),
            SessionError::Superseded => (StatusCode::CONFLICT, "the session has moved to another id"),
            SessionError::LockTimeout | SessionError::TooManyWaiters => {
                (StatusCode::SERVICE_UNAVAILABLE, "the session is busy")
            }
            SessionError::LockLost | SessionError::Storage(_) => {
                (StatusCode::SERVICE_UNAVAILABLE, "the session is not available")
            }
            _ => (StatusCode::INTERNAL_SERVER_ERROR, "the session failed"),
        };
        Self {
            status,
            text: text.to_owned(),
            retryable: error.is_retryable(),
        }
    }
}

impl From<SessionError> for ApiError {
    fn from(error: SessionError) -> Self {
        Self::from(&error)
    }
}

impl From<CartFull> for ApiError {
    fn from(CartFull: CartFull) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "the cart is full")
    }
}

impl From<JsonRejection> for ApiError {
    fn from(rejection: JsonRejection) -> Self {
        refused(rejection.status(), rejection.body_text())
    }
}

impl From<QueryRejection> for ApiError {
    fn from(rejection: QueryRejection) -> Self {
        refused(rejection.status(), rejection.body_text())
    }
}

/// All that is wrong with a request itself has one status, but for a body that is too large to be looked at.
fn refused(status: StatusCode, text: String) -> ApiError {
    match status {
        StatusCode::PAYLOAD_TOO_LARGE => ApiError::new(status, text),
        _ => ApiError::new(StatusCode::BAD_REQUEST, text),
    }
}
