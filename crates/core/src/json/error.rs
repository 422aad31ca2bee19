//! [`CodecError`]: a value and its JSON do not fit.

use std::error::Error;
use std::fmt;

use serde_json::error::Category;

use crate::id::SessionKey;

/// A value cannot be turned into JSON, or what is stored cannot be turned into a value.
///
/// It says which value of which session it is, and never anything of the value itself: neither its text nor that of an
/// error of `serde`, which may quote it, is kept.
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
/// }).await
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CodecError(Box<Parts>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Parts {
    session: Option<SessionKey>,
    namespace: Option<Box<str>>,
    key: Box<str>,
    reason: CodecReason,
}

/// Why a value and its JSON do not fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum CodecReason {
    /// The value contains a number that JSON does not have: an infinity, or one that is none (NaN).
    NotFinite,
    /// More than 127 arrays, maps and structs stand in each other in the value: JSON that deep is not read again.
    TooDeep,
    /// The value refuses to be written: a map with keys that are no text, for example.
    Unwritable,
    /// What is stored is JSON of another type, where the position is that at which this was noticed.
    Mismatch {
        /// The line, beginning with 1.
        line: usize,
        /// The byte in that line, beginning with 1; 0 if it is not known.
        column: usize,
    },
    /// What is stored is no JSON.
    Syntax {
        /// The line, beginning with 1.
        line: usize,
        /// The byte in that line, beginning with 1; 0 if it is not known.
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
        Self(Box::new(Parts {
            session,
            namespace: namespace.map(Into::into),
            key: key.into(),
            reason: reason.into(),
        }))
    }

    /// The session that the value is in, if it is stored.
    #[must_use]
    pub fn session(&self) -> Option<&SessionKey> {
        self.0.session.as_ref()
    }

    /// The name of the namespace that the value stands in; `None` if it stands in none.
    #[must_use]
    pub fn namespace(&self) -> Option<&str> {
        self.0.namespace.as_deref()
    }

    /// The name of the value.
    #[must_use]
    pub fn key(&self) -> &str {
        &self.0.key
    }

    /// Why they do not fit.
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
