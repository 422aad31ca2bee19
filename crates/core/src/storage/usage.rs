//! [`ReportUsage`]: how much a storage holds.

use async_trait::async_trait;

use crate::storage::StorageError;

/// Tells how much a storage holds, for gauges and alarms. A [capability](crate::Capabilities).
///
/// ```
/// use sessile_core::{Storage, StorageError};
///
/// async fn report(storage: &dyn Storage) -> Result<(), StorageError> {
///     if let Some(reporter) = storage.capabilities().usage() {
///         let usage = reporter.usage().await?;
///         println!("{} entries, {} bytes", usage.entries, usage.bytes);
///     }
///     Ok(())
/// }
/// ```
#[async_trait]
pub trait ReportUsage: Send + Sync {
    /// Counts what there is. It may look at everything, so ask once in a while and not with every request.
    ///
    /// The figures are of one moment where the backend can tell; otherwise they are true while nothing changes.
    ///
    /// # Errors
    ///
    /// What a verb of the storage may fail with, [`Unavailable`](crate::StorageErrorKind::Unavailable) and
    /// [`Timeout`](crate::StorageErrorKind::Timeout) for instance. The [operation](StorageError::operation) is `usage`.
    async fn usage(&self) -> Result<Usage, StorageError>;
}

/// How much there is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Usage {
    /// Sessions, and the marks of keys that sessions have moved away from, be they expired or not: whatever takes room
    /// until it is removed.
    pub entries: u64,
    /// The room that they take, in bytes, by the storage's own reckoning: the payloads, and what the storage counts
    /// besides.
    pub bytes: u64,
}

impl Usage {
    /// So many entries, which take so many bytes.
    #[must_use]
    pub const fn new(entries: u64, bytes: u64) -> Self {
        Self { entries, bytes }
    }
}
