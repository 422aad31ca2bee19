//! [`DocumentError`]: the errors of documents, and how a client is told of them.

use std::error::Error;
use std::fmt;

use sessile_core::SessionError;

/// The error of a message or of a call on a document. The document is as it was before.
///
/// The text holds no value of the document and can be shown to the client.
#[derive(Debug)]
#[non_exhaustive]
pub enum DocumentError {
    /// The message is not a JSON array of patch operations, or one of these is not well formed: "value" is missing, for
    /// example, because it was `undefined`.
    Malformed,
    /// The message exceeds [`message_bytes`](crate::Bounds::message_bytes) or [`operations`](crate::Bounds::operations).
    MessageTooLarge,
    /// A path is not a JSON pointer.
    BadPointer,
    /// The message does not begin with the version of the client, which this document needs.
    Unversioned,
    /// A version is not an integer from 0 to 2^53 - 1, or the client claims to have seen one that was never sent.
    VersionOutOfRange,
    /// The version of the message exceeds the last one by more than
    /// [`queued_distance`](crate::Bounds::queued_distance).
    TooFarAhead,
    /// Too many messages wait for an earlier one, by number or by bytes.
    QueueFull,
    /// There is no value at this path, or no place to put one.
    NoSuchPath {
        /// The path, as the document has it.
        path: String,
    },
    /// The path belongs to the versions and cannot be written.
    Reserved,
    /// The value at this path was removed or replaced before the message arrived. With strict rejection only.
    Stale {
        /// The path, as the client sent it.
        path: String,
    },
    /// The policy does not let the client write there. With strict rejection, or without versions.
    ReadOnly {
        /// The path, as the document has it.
        path: String,
    },
    /// The value has another JSON type than the one it would replace. With strict rejection, or without versions.
    WrongType {
        /// The path, as the document has it.
        path: String,
    },
    /// The value is not the one that a `test` names.
    TestFailed {
        /// The path, as the document has it.
        path: String,
    },
    /// The document would exceed [`document_bytes`](crate::Bounds::document_bytes), or more than 100 levels.
    TooLarge,
    /// A document with versions must be an object.
    NotAnObject,
    /// The value that the typed view reads is of another type, or the changed view cannot be written as JSON.
    View(serde_json::Error),
    /// A handler refused the edit, with a text for the client.
    Refused(String),
    /// The session holds no document.
    NoDocument,
    /// The page was used after the call that it was handed to had ended.
    PageClosed,
    /// The page was used while a closure changes it.
    PageBusy,
    /// The session failed.
    Session(SessionError),
}

/// The part of the outside world that is at fault: what an HTTP layer makes a status of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Told {
    /// The message was wrong: 400.
    BadMessage,
    /// There is no document: 404.
    NoDocument,
    /// The message or document is too large: 413.
    TooLarge,
    /// The application or the session failed: as [`SessionError`] says, or 500.
    Failed,
}

impl DocumentError {
    /// Makes an error by which a handler refuses an edit. The client is told the text.
    ///
    /// ```
    /// use sessile_document::DocumentError;
    ///
    /// let error = DocumentError::refused("the name is taken");
    /// assert_eq!(error.to_string(), "the name is taken");
    /// ```
    pub fn refused(reason: impl Into<String>) -> Self {
        Self::Refused(reason.into())
    }

    /// Returns how the client is to be told.
    #[must_use]
    pub fn told(&self) -> Told {
        match self {
            Self::MessageTooLarge | Self::TooLarge => Told::TooLarge,
            Self::NoDocument => Told::NoDocument,
            Self::View(_) | Self::PageClosed | Self::PageBusy | Self::Session(_) | Self::NotAnObject => Told::Failed,
            _ => Told::BadMessage,
        }
    }
}

impl fmt::Display for DocumentError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed => f.write_str("the message is not a JSON array of patch operations"),
            Self::MessageTooLarge => f.write_str("the message is too large"),
            Self::BadPointer => f.write_str("a path is not a JSON pointer"),
            Self::Unversioned => f.write_str("the message does not begin with its versions"),
            Self::VersionOutOfRange => f.write_str("a version is out of range"),
            Self::TooFarAhead => f.write_str("the version is too far ahead"),
            Self::QueueFull => f.write_str("too many messages wait for an earlier one"),
            Self::NoSuchPath { path } => write!(f, "there is nothing at {path:?}"),
            Self::Reserved => f.write_str("the versions cannot be written"),
            Self::Stale { path } => write!(f, "{path:?} was removed or replaced"),
            Self::ReadOnly { path } => write!(f, "{path:?} cannot be written"),
            Self::WrongType { path } => write!(f, "the value for {path:?} has the wrong type"),
            Self::TestFailed { path } => write!(f, "the value at {path:?} is another one"),
            Self::TooLarge => f.write_str("the document would be too large"),
            Self::NotAnObject => f.write_str("a document with versions must be an object"),
            Self::View(_) => f.write_str("the document does not fit the type of its view"),
            Self::Refused(reason) => f.write_str(reason),
            Self::NoDocument => f.write_str("the session has no document"),
            Self::PageClosed => f.write_str("the page was used after its call had ended"),
            Self::PageBusy => f.write_str("the page was used while a closure changes it"),
            Self::Session(error) => error.fmt(f),
        }
    }
}

impl Error for DocumentError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::View(error) => Some(error),
            Self::Session(error) => Some(error),
            _ => None,
        }
    }
}

impl From<SessionError> for DocumentError {
    fn from(error: SessionError) -> Self {
        Self::Session(error)
    }
}

/// Compares kinds and paths, for tests: two errors of views, or of sessions, are equal if their texts are.
impl PartialEq for DocumentError {
    fn eq(&self, other: &Self) -> bool {
        std::mem::discriminant(self) == std::mem::discriminant(other) && self.to_string() == other.to_string()
    }
}
