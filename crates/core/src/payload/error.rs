//! [`RecordError`]: a payload that cannot be read.

use std::fmt;

/// The latest version of the format that is read.
pub(super) const VERSION: u8 = 2;

/// A record cannot be read: it was damaged, or written by something else, or it takes a later version of this crate to
/// read it.
///
/// What to do about it is the application's choice, see [`Unreadable`](crate::Unreadable).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct RecordError {
    reason: Reason,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reason {
    /// This part of it is none that any version would write.
    Damaged(&'static str),
    /// The record asks for a reader of this version of the format.
    Later(u8),
}

impl RecordError {
    /// Returns the error for a record that asks for a reader of this version of the format.
    pub(super) const fn later(version: u8) -> Self {
        Self {
            reason: Reason::Later(version),
        }
    }

    pub(super) const fn at(what: &'static str) -> Self {
        Self {
            reason: Reason::Damaged(what),
        }
    }

    /// Whether the record says that it takes a later version of this crate to read it. Nothing is wrong with it then.
    ///
    /// ```
    /// use sessile_core::{Meta, OsEntropy, Record, Session, SessionError, SessionId, Storage, Timestamp, Visit};
    /// use sessile_memory::MemoryStorage;
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// // What a later version of this crate has left: nothing but who can read it is known of it.
    /// let storage = MemoryStorage::new();
    /// let id = SessionId::generate(&OsEntropy);
    /// let record = Record::new(Meta::new(storage.clock().now()), b"S\xff and whatever follows".to_vec());
    /// storage.create(&id.key(), record).await?;
    ///
    /// let session: Session = Session::builder(storage).build();
    /// let read = session.init(Visit::from(id), async { session.start_readonly().await }).await?;
    /// let Err(SessionError::Unreadable(error)) = read else { panic!("it can be read") };
    /// assert!(error.needs_later_version());
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub const fn needs_later_version(&self) -> bool {
        matches!(self.reason, Reason::Later(_))
    }
}

impl fmt::Display for RecordError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.reason {
            Reason::Damaged(what) => write!(f, "the stored session cannot be read: {what} is not as it should be"),
            Reason::Later(needed) => write!(
                f,
                "the stored session cannot be read: it takes version {needed} of the format, and this is version {VERSION}"
            ),
        }
    }
}

impl std::error::Error for RecordError {}
