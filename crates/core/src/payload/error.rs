//! [`RecordError`]: a payload cannot be read.

use std::fmt;

/// The latest version of the format that this crate reads.
pub(super) const VERSION: u8 = 2;

/// The error of a record that cannot be read: it is corrupt, was written by something else, or requires a later version
/// of this crate.
///
/// The application chooses how to handle it, see [`UnreadablePolicy`](crate::UnreadablePolicy).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct RecordError {
    reason: Reason,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reason {
    /// This part is not what any version writes.
    Corrupt(&'static str),
    /// The record requires a reader of this version of the format.
    Later(u8),
}

impl RecordError {
    /// Returns the error for a record that requires a reader of version `version` of the format.
    pub(super) const fn later(version: u8) -> Self {
        Self {
            reason: Reason::Later(version),
        }
    }

    /// Returns the error for a record in which `what` is corrupt.
    pub(super) const fn at(what: &'static str) -> Self {
        Self {
            reason: Reason::Corrupt(what),
        }
    }

    /// Returns whether the record requires a later version of this crate. Such a record is not corrupt.
    ///
    /// ```
    /// use sessile_core::{Meta, OsEntropy, Record, Session, SessionError, SessionId, Storage, Timestamp, Visit};
    /// use sessile_memory::MemoryStorage;
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// // A record of a later version of this crate, of which this version knows only that it cannot read it.
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
            Reason::Corrupt(what) => write!(f, "the stored session cannot be read: {what} is not as it should be"),
            Reason::Later(needed) => write!(
                f,
                "the stored session cannot be read: it takes version {needed} of the format, and this is version {VERSION}"
            ),
        }
    }
}

impl std::error::Error for RecordError {}
