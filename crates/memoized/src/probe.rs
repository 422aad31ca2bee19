//! [`Probe`]: reading metadata without the payload.

use async_trait::async_trait;
use sessile_core::{LockedStore, Locks, Lookup, Meta, Record, RecordStore, SessionKey, Storage, StorageError};

/// A storage that can read the metadata of a record without its payload.
///
/// It allows to [validate](crate::MemoizedStorageBuilder::validated) a cached record with each read. Validation relies
/// on the [version](Meta::version), which every writer of a record increments, as the contract says.
#[async_trait]
pub trait Probe: Storage {
    /// Returns what [`read`](Storage::read) would return now, without the payload.
    ///
    /// # Errors
    ///
    /// Those of `read`.
    async fn probe(&self, key: &SessionKey) -> Result<Lookup<Probed>, StorageError>;
}

/// The metadata of a live record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Probed {
    /// The key the record is stored under. It differs from the key that was asked for if that is an alias.
    pub key: SessionKey,
    /// The metadata of the record.
    pub meta: Meta,
}

impl Probed {
    /// Returns whether these are the metadata of this record, which may have been touched since.
    pub(crate) fn describes(&self, record: &Record) -> bool {
        record.meta.version == self.meta.version && record.meta.created_at == self.meta.created_at
    }
}

#[async_trait]
impl<R: RecordStore + ?Sized, L: Locks + ?Sized> Probe for LockedStore<R, L> {
    async fn probe(&self, key: &SessionKey) -> Result<Lookup<Probed>, StorageError> {
        let found = self.read_meta(key).await?;
        Ok(found.map(|(key, meta)| Probed { key, meta }))
    }
}
