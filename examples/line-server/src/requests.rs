//! Applies requests to the session of the current visit.

use std::fmt;

use serde_json::Value;
use sessile::{Session, SessionError, SessionId};

use crate::request::Opening;

/// The reply to a request.
pub(crate) enum Reply {
    Ok,
    Id(SessionId),
    Value(Value),
    None,
}

/// A failed request.
pub(crate) struct RequestError {
    pub(crate) code: &'static str,
    pub(crate) text: String,
}

/// Starts the session of a visit.
pub(crate) async fn open(session: &Session, opening: &Opening) -> Result<Reply, RequestError> {
    match opening {
        // A new session is not stored until it is saved.
        Opening::New => session.start().await?,
        // Reading never waits. The visit is strict, so a missing session is an error.
        Opening::Attach(Some(_)) => session.start_readonly().await?,
        Opening::Attach(None) => return Err(SessionError::Unknown.into()),
    }
    Ok(Reply::Ok)
}

pub(crate) fn get(session: &Session, key: &str) -> Result<Reply, RequestError> {
    Ok(session.get(key)?.map_or(Reply::None, Reply::Value))
}

/// Sets a value. Takes the lock if the visit does not hold it, and keeps it until the session is saved or the visit
/// ends.
pub(crate) async fn set(session: &Session, key: &str, value: Value) -> Result<Reply, RequestError> {
    require_started(session)?;
    session.start().await?;
    session.set(key, value)?;
    Ok(Reply::Ok)
}

pub(crate) async fn save(session: &Session) -> Result<Reply, RequestError> {
    require_started(session)?;
    session.close().await?;
    match session.id() {
        Some(id) => Ok(Reply::Id(id)),
        None => Err(RequestError {
            code: "empty",
            text: "there is nothing to save".to_owned(),
        }),
    }
}

pub(crate) async fn logout(session: &Session) -> Result<Reply, RequestError> {
    require_started(session)?;
    session.destroy().await?;
    Ok(Reply::Ok)
}

/// Requires a session that `NEW` or `ATTACH` has started, as `start` alone would silently begin one.
fn require_started(session: &Session) -> Result<(), SessionError> {
    if session.is_active() {
        Ok(())
    } else {
        Err(SessionError::NotStarted)
    }
}

impl fmt::Display for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ok => f.write_str("OK"),
            // A reply goes only to the client that the id belongs to.
            Self::Id(id) => write!(f, "OK {}", id.expose()),
            Self::Value(value) => write!(f, "VALUE {value}"),
            Self::None => f.write_str("NONE"),
        }
    }
}

impl fmt::Display for RequestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ERR {} {}", self.code, self.text)
    }
}

impl From<SessionError> for RequestError {
    fn from(error: SessionError) -> Self {
        let code = match &error {
            SessionError::NotStarted => "not-started",
            SessionError::Unknown => "unknown",
            SessionError::Gone => "gone",
            SessionError::Superseded => "superseded",
            SessionError::LockLost => "lock-lost",
            SessionError::LockTimeout | SessionError::TooManyWaiters => "busy",
            _ => "failed",
        };
        Self {
            code,
            text: error.to_string(),
        }
    }
}
