//! axum extractors that start the session.

use std::fmt;
use std::ops::Deref;

use axum_core::extract::FromRequestParts;
use axum_core::response::{IntoResponse, Response};
use http::request::Parts;
use sessile_core::{MissingSession, Namespaces, Session, SessionError, Untyped, Values};

/// Extracts the session and [starts it for writing](Session::start): other writing requests of the visitor wait until
/// the response to this one.
///
/// ```
/// use sessile_core::{Key, Session, SessionError, Untyped};
/// use sessile_tower::Writable;
///
/// const COUNT: Key<Untyped, u64> = Key::new("count");
///
/// async fn count(session: Writable<Session>) -> Result<String, SessionError> {
///     let count = session.update(COUNT, |count| {
///         *count += 1;
///         *count
///     })?;
///     Ok(count.to_string())
/// }
/// # let _: axum::Router = axum::Router::new().route("/count", axum::routing::post(count));
/// ```
#[derive(Debug, Clone)]
pub struct Writable<S = Session<Untyped, Untyped>>(pub S);

/// Extracts the session and [starts it for reading](Session::start_readonly), without a lock: it neither waits nor
/// makes other requests wait.
///
/// ```
/// use sessile_core::{Key, Session, SessionError, Untyped};
/// use sessile_tower::Readable;
///
/// const USER: Key<Untyped, String> = Key::new("user");
///
/// async fn greet(session: Readable<Session>) -> Result<String, SessionError> {
///     Ok(match session.get(USER)? {
///         Some(user) => format!("hello, {user}"),
///         None => "who are you?".to_owned(),
///     })
/// }
/// # let _: axum::Router = axum::Router::new().route("/", axum::routing::get(greet));
/// ```
#[derive(Debug, Clone)]
pub struct Readable<S = Session<Untyped, Untyped>>(pub S);

impl<S, N, V> FromRequestParts<S> for Writable<Session<N, V>>
where
    S: Send + Sync,
    N: Namespaces,
    V: Values,
{
    type Rejection = SessionRejection;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Self::Rejection> {
        let session = Session::from_request_parts(parts, state).await?;
        session.start().await?;
        Ok(Self(session))
    }
}

impl<S, N, V> FromRequestParts<S> for Readable<Session<N, V>>
where
    S: Send + Sync,
    N: Namespaces,
    V: Values,
{
    type Rejection = SessionRejection;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Self::Rejection> {
        let session = Session::from_request_parts(parts, state).await?;
        session.start_readonly().await?;
        Ok(Self(session))
    }
}

impl<S> Deref for Writable<S> {
    type Target = S;

    fn deref(&self) -> &S {
        &self.0
    }
}

impl<S> Deref for Readable<S> {
    type Target = S;

    fn deref(&self) -> &S {
        &self.0
    }
}

/// The rejection of a request whose session could not be extracted or started. Responds as the inner error does.
#[derive(Debug)]
#[non_exhaustive]
pub enum SessionRejection {
    /// The request has no session.
    Missing(MissingSession),
    /// The session did not start.
    Failed(SessionError),
}

impl From<MissingSession> for SessionRejection {
    fn from(missing: MissingSession) -> Self {
        Self::Missing(missing)
    }
}

impl From<SessionError> for SessionRejection {
    fn from(error: SessionError) -> Self {
        Self::Failed(error)
    }
}

impl fmt::Display for SessionRejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing(missing) => missing.fmt(f),
            Self::Failed(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for SessionRejection {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Missing(missing) => missing.source(),
            Self::Failed(error) => error.source(),
        }
    }
}

impl IntoResponse for SessionRejection {
    fn into_response(self) -> Response {
        match self {
            Self::Missing(missing) => missing.into_response(),
            Self::Failed(error) => error.into_response(),
        }
    }
}
