//! What requests do to the session of the visit they are made in.

use std::fmt;

use serde_json::Value;
use sessile::{Session, SessionError, SessionId};

use crate::request::Opening;

/// The answer to a request.
pub(crate) enum Answer {
    Ok,
    Id(SessionId),
    Value(Value),
    None,
}

/// A request that failed.
pub(crate) struct Refusal {
    pub(crate) code: &'static str,
    pub(crate) text: String,
}

/// Begins a visit that was opened this way.
pub(crate) async fn open(session: &Session, opening: &Opening) -> Result<Answer, Refusal> {
    match opening {
        // Nothing is stored for this until it is saved.
        Opening::New => session.start().await?,
        // Reading waits for nobody. The visit is strict, so a session that is not there is an error.
        Opening::Attach(Some(_)) => session.start_readonly().await?,
        Opening::Attach(None) => return Err(SessionError::Unknown.into()),
    }
    Ok(Answer::Ok)
}

pub(crate) fn get(session: &Session, key: &str) -> Result<Answer, Refusal> {
    Ok(session.get(key)?.map_or(Answer::None, Answer::Value))
}

/// Takes the lock if this visit does not have it yet, and keeps it until the session is saved or the visit ends.
pub(crate) async fn set(session: &Session, key: &str, value: Value) -> Result<Answer, Refusal> {
    opened(session)?;
    session.start().await?;
    session.set(key, value)?;
    Ok(Answer::Ok)
}

pub(crate) async fn save(session: &Session) -> Result<Answer, Refusal> {
    opened(session)?;
    session.close().await?;
    match session.id() {
        Some(id) => Ok(Answer::Id(id)),
        None => Err(Refusal {
            code: "empty",
            text: "there is nothing to save".to_owned(),
        }),
    }
}

pub(crate) async fn logout(session: &Session) -> Result<Answer, Refusal> {
    opened(session)?;
    session.destroy().await?;
    Ok(Answer::Ok)
}

/// A request needs a session. `start` alone would quietly begin one.
fn opened(session: &Session) -> Result<(), SessionError> {
    if session.is_active() {
        Ok(())
    } else {
        Err(SessionError::NotStarted)
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ok => f.write_str("OK"),
            // An answer goes to the client the id belongs to, and nowhere else.
            Self::Id(id) => write!(f, "OK {}", id.expose()),
            Self::Value(value) => write!(f, "VALUE {value}"),
            Self::None => f.write_str("NONE"),
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ERR {} {}", self.code, self.text)
    }
}

impl From<SessionError> for Refusal {
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
