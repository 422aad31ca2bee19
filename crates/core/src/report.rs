//! [`Report`]: an error with its causes and its remedy, for logs.

use std::error::Error;
use std::fmt;

use crate::error::SessionError;
use crate::json::CodecReason;

impl SessionError {
    /// Returns the error in one line for a log: the failure, its causes, and a remedy. It contains no id and no value.
    ///
    /// ```
    /// use sessile_core::SessionError;
    ///
    /// let line = SessionError::NotStarted.report().to_string();
    /// assert!(line.contains("session.start().await?"));
    /// ```
    #[must_use]
    pub fn report(&self) -> Report<'_> {
        Report(self)
    }

    /// Returns how the application or its operator can prevent this error; `None` if it is part of normal operation.
    #[must_use]
    pub fn remedy(&self) -> Option<&'static str> {
        Some(match self {
            Self::NotInitialised => {
                "use the session in the task of its visit: behind a `SessionLayer` or inside `session.init(..)`; take \
                 `session.handle()?` or `session.bind()?` along to spawned tasks and threads, or find it in the request by \
                 `SessionLayer::visit_in_extensions`"
            }
            Self::AlreadyInitialised => "use the open visit, or open another one in a separate task",
            Self::NotStarted => {
                "call `session.start().await?` first, or `session.start_readonly().await?` to read only"
            }
            Self::NotWritable => {
                "call `session.start().await?` before writing, or write inside `session.transaction(..)`: the session was \
                 started read-only, or was already closed or released"
            }
            Self::LockLost => {
                "do not block the task that holds the session for as long as the lease of its lock, and close the session \
                 before work that may"
            }
            Self::LockTimeout | Self::TooManyWaiters => {
                "hold sessions for a shorter time: `session.start_readonly()` to read only, `session.close()` before slow \
                 work"
            }
            Self::WouldDeadlock => {
                "close or release a session before waiting for another, or let all tasks take sessions in the same order"
            }
            Self::TaskPanicked => "find the message of the panic in the log, and correct the task",
            Self::Sealed => "store the session, or give it its new id, before the response begins",
            Self::Undone => {
                "handle the error of the `close` that failed before, or call `session.start().await?` again"
            }
            Self::Codec(error) => match error.reason() {
                CodecReason::Mismatch { .. } | CodecReason::Syntax { .. } => {
                    "handle older values by `on_mismatch` or `migrate` on the key, declare the value with the type that \
                     was stored, or unset it"
                }
                _ => "set a value that JSON can represent",
            },
            Self::TooLarge { .. } => {
                "store less in the session (large data elsewhere, and its key in the session), or raise \
                 `max_record_bytes`"
            }
            Self::ExpiredDefault(_) => {
                "compute the date by a function for each session: `default_expiration_with`, or `expiration` in the \
                 derive"
            }
            Self::Unreadable(_) => {
                "find out which other program writes to the storage, or drop unreadable records with `UnreadablePolicy::Drop`"
            }
            Self::InvalidOwner => "log in with a text of 1 to 255 bytes, such as the primary key of the account",
            Self::EpochsOff => "build the session with `epochs(true)`",
            Self::EventsOff => "build the session with `events(Events::new())`",
            Self::Storage(error) if error.is_retryable() => "check that the storage is up and can be reached",
            Self::Storage(_) => "check the storage: the error is not temporary",
            Self::Unknown | Self::Gone | Self::Superseded | Self::NotFresh | Self::TooManySessions { .. } => {
                return None;
            }
        })
    }
}

/// An error that displays its causes and its remedy; created by [`SessionError::report`].
#[derive(Debug, Clone, Copy)]
pub struct Report<'a>(&'a SessionError);

impl fmt::Display for Report<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)?;
        // The text of a `SessionError` already contains that of its direct source.
        let mut cause = self.0.source().and_then(Error::source);
        while let Some(error) = cause {
            write!(f, ": {error}")?;
            cause = error.source();
        }
        match self.0.remedy() {
            Some(remedy) => write!(f, " ({remedy})"),
            None => Ok(()),
        }
    }
}
