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
            Self::AlreadyInitialised => "use the visit that is open, or open another in a task of its own",
            Self::NotStarted => {
                "call `session.start().await?` first, or `session.start_readonly().await?` if nothing is to be written"
            }
            Self::NotWritable => {
                "call `session.start().await?` before writing, or write inside `session.update(..)`: the session was \
                 started to be read, or was closed or released already"
            }
            Self::LockLost => {
                "let nothing block the task that holds the session for as long as the lease of its lock, and close the \
                 session before work that may"
            }
            Self::LockTimeout | Self::TooManyWaiters => {
                "hold sessions for less time: `session.start_readonly()` where nothing is written, `session.close()` \
                 before slow work"
            }
            Self::Sealed => "store the session, or give it its new id, before the answer begins",
            Self::Undone => {
                "handle the error of the `close` that failed before, or call `session.start().await?` again"
            }
            Self::Codec(error) => match error.reason() {
                CodecReason::Mismatch { .. } | CodecReason::Syntax { .. } => {
                    "say what to do about values from before by `on_mismatch` or `migrate` on the key, declare the value \
                     with the type that was stored, or unset it"
                }
                _ => "set a value that JSON can hold and give back",
            },
            Self::TooLarge { .. } => {
                "keep less in the session, and large data where its key stands in the session, or raise \
                 `max_record_bytes`"
            }
            Self::ExpiredDefault(_) => {
                "give a date by a function that makes it anew: `default_expiration_with`, or `expiration` in the derive"
            }
            Self::Unreadable(_) => {
                "see who else writes to the storage, or drop what cannot be read with `Unreadable::Drop`"
            }
            Self::Storage(error) if error.is_retryable() => "see whether the storage is up and can be reached",
            Self::Storage(_) => "look after the storage",
            Self::Unknown | Self::Gone | Self::Superseded => return None,
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
