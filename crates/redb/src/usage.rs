//! The capability of reporting usage.

use async_trait::async_trait;
use sessile_core::{ReportUsage, StorageError, Usage};

use crate::RedbStore;
use crate::tables;

/// Reads everything in one transaction, so the figures are of one moment. redb walks through its pages for them.
#[async_trait]
impl ReportUsage for RedbStore {
    async fn usage(&self) -> Result<Usage, StorageError> {
        self.transactions.read("usage", tables::usage).await
    }
}
