//! [`ReportUsage`]: the amount of data in a storage.

use async_trait::async_trait;

use crate::storage::StorageError;

/// Reports how much a storage holds, for gauges and alarms. A [capability](crate::Capabilities).
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
    /// Counts the entries and their bytes. It may read the whole storage, so call it now and then, not in every
    /// request.
    ///
    /// The figures are a snapshot if the backend can take one; otherwise they are exact only while nothing changes.
    ///
    /// # Errors
    ///
    /// Errors that other operations of the storage have, such as [`Unavailable`](crate::StorageErrorKind::Unavailable)
    /// and [`Timeout`](crate::StorageErrorKind::Timeout). The [operation](StorageError::operation) is `usage`.
    async fn usage(&self) -> Result<Usage, StorageError>;
}

/// The amount of data in a storage.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Usage {
    /// The number of sessions, aliases and tombstones, including expired ones that were not removed yet.
    pub entries: u64,
    /// The size of the entries in bytes, as the storage counts it: the payloads, and the overhead that it includes.
    pub bytes: u64,
}

impl Usage {
    /// Creates a report.
    #[must_use]
    pub const fn new(entries: u64, bytes: u64) -> Self {
        Self { entries, bytes }
    }
}
