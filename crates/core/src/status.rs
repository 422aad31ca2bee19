//! HTTP responses for session errors, shared by the tower layer, the axum integration and applications.

use bytes::Bytes;
use http::header::{CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderValue, Response, StatusCode};

use crate::error::SessionError;

/// HTTP, with the feature `http`.
impl SessionError {
    /// Returns the status of an HTTP response that reports this error (RFC 9110, section 15).
    ///
    /// | error | status |
    /// |---|---|
    /// | [`Gone`](SessionError::Gone), [`Superseded`](SessionError::Superseded) | 409: another request ended or moved the session; a retry meets its present state |
    /// | [`TooManySessions`](SessionError::TooManySessions) | 409: the owner can end another session first |
    /// | [`Unknown`](SessionError::Unknown) | 403: the client's id names no session, and sending it again does not help |
    /// | [`NotFresh`](SessionError::NotFresh) | 403: the owner has to log in again |
    /// | [`Storage`](SessionError::Storage), and [retryable](SessionError::is_retryable) errors | 503 |
    /// | any other | 500 |
    ///
    /// None is a 401, which requires a `WWW-Authenticate` challenge, and none a 410, which is about the resource and
    /// may be cached.
    ///
    /// ```
    /// use http::StatusCode;
    /// use sessile_core::SessionError;
    ///
    /// assert_eq!(SessionError::Gone.status(), StatusCode::CONFLICT);
    /// assert_eq!(SessionError::LockTimeout.status(), StatusCode::SERVICE_UNAVAILABLE);
    /// assert_eq!(SessionError::NotStarted.status(), StatusCode::INTERNAL_SERVER_ERROR);
    /// ```
    #[must_use]
    pub fn status(&self) -> StatusCode {
        match self {
            Self::Gone | Self::Superseded | Self::TooManySessions { .. } => StatusCode::CONFLICT,
            Self::Unknown | Self::NotFresh => StatusCode::FORBIDDEN,
            Self::Storage(_) => StatusCode::SERVICE_UNAVAILABLE,
            error if error.is_retryable() => StatusCode::SERVICE_UNAVAILABLE,
            _ => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// Returns a short text for clients, which reveals nothing about the storage or about values.
    ///
    /// ```
    /// use sessile_core::SessionError;
    ///
    /// assert_eq!(SessionError::Gone.client_message(), "the session has ended");
    /// ```
    #[must_use]
    pub fn client_message(&self) -> &'static str {
        match self {
            Self::Gone => "the session has ended",
            Self::Superseded => "the session has moved to another id",
            Self::Unknown => "there is no such session",
            Self::NotFresh => "log in again",
            Self::TooManySessions { .. } => "there are too many sessions",
            Self::LockTimeout | Self::TooManyWaiters | Self::WouldDeadlock => "the session is busy",
            error if error.status() == StatusCode::SERVICE_UNAVAILABLE => "the session is not available",
            _ => "the session failed",
        }
    }

    /// Builds a plain-text response from [`status`](SessionError::status) and
    /// [`client_message`](SessionError::client_message), with `Retry-After: 1` if the error
    /// [is retryable](SessionError::is_retryable).
    ///
    /// ```
    /// use http::header::RETRY_AFTER;
    /// use sessile_core::SessionError;
    ///
    /// let response = SessionError::LockTimeout.to_response();
    /// assert_eq!(response.status(), 503);
    /// assert_eq!(response.headers()[RETRY_AFTER], "1");
    /// ```
    #[must_use]
    pub fn to_response(&self) -> Response<Bytes> {
        let mut response = Response::new(Bytes::from_static(self.client_message().as_bytes()));
        *response.status_mut() = self.status();
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
        if self.is_retryable() {
            headers.insert(RETRY_AFTER, HeaderValue::from_static("1"));
        }
        response
    }
}
