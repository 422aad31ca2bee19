//! [`CodecError`]: a value cannot be converted to JSON or back.

use std::error::Error;
use std::fmt;

use serde_json::error::Category;

use crate::id::SessionKey;

/// The error of a value that cannot be encoded as JSON, or of a stored value that cannot be decoded.
///
/// It names the value and the session, but holds nothing of the value itself: neither its text nor that of an error of
/// `serde`, which may quote it.
///
/// ```
/// use sessile_core::{CodecReason, Key, Session, SessionError, Untyped, Visit};
/// use sessile_memory::MemoryStorage;
///
/// const AGE: Key<Untyped, u8> = Key::new("age");
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), SessionError> {
/// let session: Session = Session::builder(MemoryStorage::new()).build();
/// session.enter(Visit::new(), async {
///     session.set("age", "thirty")?;
///     let Err(SessionError::Codec(error)) = session.get(AGE) else { panic!("it is no number") };
///     assert_eq!((error.namespace(), error.key()), (None, "age"));
///     assert!(matches!(error.reason(), CodecReason::Mismatch { line: 1, .. }));
///     Ok(())
/// }).await?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CodecError(Box<Inner>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Inner {
    session: Option<SessionKey>,
    namespace: Option<Box<str>>,
    key: Box<str>,
    reason: CodecReason,
}

/// The reason for a [`CodecError`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum CodecReason {
    /// The value contains a number that JSON cannot express: an infinity or NaN.
    NotFinite,
    /// More than 127 arrays, maps and structs are nested in the value, and JSON that deep cannot be decoded again.
    TooDeep,
    /// The value cannot be serialised, for example a map with keys that are not text.
    Unwritable,
    /// The stored JSON is of another type. The position is where this was detected.
    Mismatch {
        /// The line, counted from 1.
        line: usize,
        /// The byte in that line, counted from 1; 0 if it is not known.
        column: usize,
    },
    /// The stored text is not JSON.
    Syntax {
        /// The line, counted from 1.
        line: usize,
        /// The byte in that line, counted from 1; 0 if it is not known.
        column: usize,
    },
}

impl CodecError {
    pub(crate) fn new(
        session: Option<SessionKey>,
        namespace: Option<&str>,
        key: &str,
        reason: impl Into<CodecReason>,
    ) -> Self {
        Self(Box::new(Inner {
            session,
            namespace: namespace.map(Into::into),
            key: key.into(),
            reason: reason.into(),
        }))
    }

    /// Returns the key of the session that holds the value, if the session is stored.
    #[must_use]
    pub fn session(&self) -> Option<&SessionKey> {
        self.0.session.as_ref()
    }

    /// Returns the name of the namespace that holds the value; `None` if it is in none.
    #[must_use]
    pub fn namespace(&self) -> Option<&str> {
        self.0.namespace.as_deref()
    }

    /// Returns the name of the value.
    #[must_use]
    pub fn key(&self) -> &str {
        &self.0.key
    }

    /// Returns the reason.
    #[must_use]
    pub fn reason(&self) -> CodecReason {
        self.0.reason
    }
}

impl From<&serde_json::Error> for CodecReason {
    fn from(error: &serde_json::Error) -> Self {
        let (line, column) = (error.line(), error.column());
        match error.classify() {
            Category::Data => Self::Mismatch { line, column },
            Category::Io | Category::Syntax | Category::Eof => Self::Syntax { line, column },
        }
    }
}

impl fmt::Display for CodecReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotFinite => f.write_str("it contains a number that is not finite"),
            Self::TooDeep => f.write_str("it is nested too deeply to be read again"),
            Self::Unwritable => f.write_str("it cannot be written as JSON"),
            Self::Mismatch { line, column } => {
                write!(f, "what is stored is of another type, at line {line}, column {column}")
            }
            Self::Syntax { line, column } => write!(f, "what is stored is no JSON, at line {line}, column {column}"),
        }
    }
}

impl fmt::Display for CodecError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the value `{}`", self.key())?;
        if let Some(namespace) = self.namespace() {
            write!(f, " of the namespace `{namespace}`")?;
        }
        if let Some(session) = self.session() {
            write!(f, " of session {}", session.fingerprint())?;
        }
        write!(f, " does not convert: {}", self.reason())
    }
}

impl Error for CodecError {}
