//! [`Probe`]: what is stored, without the payload.

use std::sync::Arc;

use async_trait::async_trait;
use sessile_core::{Locks, Lookup, Meta, Paired, RecordStore, SessionKey, Storage, StorageError};

/// A storage that can tell the metadata of a record without sending the record.
///
/// With that, what is kept in memory can be [validated](crate::MemoizedStorageBuilder::validated) each time it is
/// asked for. It rests on the [version](Meta::version): whoever writes a record counts it, as the contract says.
#[async_trait]
pub trait Probe: Storage {
    /// What [`read`](Storage::read) would answer now, without the payload.
    ///
    /// # Errors
    ///
    /// Those of `read`.
    async fn probe(&self, key: &SessionKey) -> Result<Lookup<Probed>, StorageError>;
}

/// What is known of a live record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Probed {
    /// The key the record is stored under, which may be other than the one asked for if that is an alias.
    pub key: SessionKey,
    /// Its metadata.
    pub meta: Meta,
}

#[async_trait]
impl<R: RecordStore + ?Sized, L: Locks + ?Sized> Probe for Paired<R, L> {
    async fn probe(&self, key: &SessionKey) -> Result<Lookup<Probed>, StorageError> {
        let found = self.read_meta(key).await?;
        Ok(found.map(|(key, meta)| Probed { key, meta }))
    }
}

/// The probe of a storage, if it is to be used.
pub(crate) type Validate = Option<Arc<dyn Probe>>;
