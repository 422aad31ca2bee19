//! [`RecordStore`]: the operations that a database needs to keep sessions.

use std::fmt::Debug;
use std::sync::Arc;

use async_trait::async_trait;

use crate::clock::Timestamp;
use crate::id::SessionKey;
use crate::storage::{Capabilities, Cursor, StorageError};
use crate::store::{Applied, Entry, EntryHead, EntryList, EntryVersion};

/// Keeps [entries](Entry) by key, with conditional writes: all that [`LockedStore`](crate::LockedStore) needs of a
/// database to make it a [`Storage`](crate::Storage).
///
/// # The contract
///
/// **Each operation is one atomic step**, whatever other operations run at the same time, in this process or elsewhere.
/// An operation on two keys acts on both or on neither. If the future of an operation is dropped, the step is taken
/// completely or not at all; if it may still be running, later operations wait for it.
///
/// **The condition is a version.** An operation with a version acts only if there is an entry with exactly this
/// version, and returns [`Applied::No`] otherwise. Every entry that is written brings its own version. The store
/// compares versions and does nothing else with them.
///
/// **An entry stays until it is replaced, renamed, removed or taken out**, whether its deadline has come or not. The
/// store has no clock and bases no decision on the time: expired entries are loaded, replaced and counted as present
/// like any others. A backend may drop entries by itself, but only once they have expired.
///
/// **Acknowledged writes are kept**, as safely as the store promises: in memory, on disk, on several servers.
///
/// Keys are best stored by their [digest](SessionKey::digest) or as text. Stores look into neither meta nor payload.
///
/// # Evolution
///
/// Every store implements every operation, and none has a default. Features that only some backends have are
/// [capabilities](RecordStore::capabilities), and each store says which it has; [`LockedStore`](crate::LockedStore)
/// forwards them.
///
/// # Errors
///
/// A condition that does not hold and an entry that does not exist are results, not errors. An operation that a backend
/// does not have is [`Unsupported`](crate::StorageErrorKind::Unsupported), such as [`rename`](RecordStore::rename)
/// without transactions, in which case sessions cannot get new ids. It is never replaced by two steps. The
/// [operation](StorageError::operation) of an error is the name of the method here.
#[async_trait]
pub trait RecordStore: Debug + Send + Sync + 'static {
    /// Returns a short name for logs and errors, such as `"redb"`. It becomes the name of the storage.
    fn name(&self) -> &'static str;

    /// Returns the optional features of this store, or [`none`](Capabilities::none). The result is always the same.
    fn capabilities(&self) -> Capabilities<'_>;

    /// Returns the entry under this key.
    async fn load(&self, key: &SessionKey) -> Result<Option<Entry>, StorageError>;

    /// Returns the head of the entry under this key, without its payload.
    async fn head(&self, key: &SessionKey) -> Result<Option<EntryHead>, StorageError>;

    /// Inserts an entry if there is none under this key.
    async fn insert(&self, key: &SessionKey, entry: Entry) -> Result<Applied, StorageError>;

    /// Replaces the entry with this version.
    async fn replace(&self, key: &SessionKey, version: EntryVersion, entry: Entry) -> Result<Applied, StorageError>;

    /// Replaces the head of the entry with this version, and leaves its payload unchanged.
    async fn touch(&self, key: &SessionKey, version: EntryVersion, head: EntryHead) -> Result<Applied, StorageError>;

    /// Inserts `entry` under `to` and replaces the entry under `from` with `left`, or removes it without `left`.
    ///
    /// It is applied as a whole or not at all, on the condition that there is no entry under `to` and the entry under
    /// `from` has this version.
    async fn rename(
        &self,
        from: &SessionKey,
        version: EntryVersion,
        left: Option<Entry>,
        to: &SessionKey,
        entry: Entry,
    ) -> Result<Applied, StorageError>;

    /// Removes the entry with this version.
    async fn remove(&self, key: &SessionKey, version: EntryVersion) -> Result<Applied, StorageError>;

    /// Lists entries, up to `limit` at a time, from `cursor` or from the beginning.
    ///
    /// An entry that stays throughout a scan is listed at least once, whatever else is added or removed meanwhile.
    async fn scan(&self, cursor: Option<Cursor>, limit: usize) -> Result<EntryList, StorageError>;

    /// Removes up to `limit` entries whose deadline is `now` or earlier, and returns them, each to one caller. A result
    /// of fewer than `limit` entries means that there are no more.
    async fn take_expired(&self, now: Timestamp, limit: usize) -> Result<Vec<(SessionKey, Entry)>, StorageError>;
}

/// Forwards to the shared store.
#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl<R: RecordStore + ?Sized> RecordStore for Arc<R> {
    fn name(&self) -> &'static str {
        (**self).name()
    }

    fn capabilities(&self) -> Capabilities<'_> {
        (**self).capabilities()
    }

    async fn load(&self, key: &SessionKey) -> Result<Option<Entry>, StorageError> {
        (**self).load(key).await
    }

    async fn head(&self, key: &SessionKey) -> Result<Option<EntryHead>, StorageError> {
        (**self).head(key).await
    }

    async fn insert(&self, key: &SessionKey, entry: Entry) -> Result<Applied, StorageError> {
        (**self).insert(key, entry).await
    }

    async fn replace(&self, key: &SessionKey, version: EntryVersion, entry: Entry) -> Result<Applied, StorageError> {
        (**self).replace(key, version, entry).await
    }

    async fn touch(&self, key: &SessionKey, version: EntryVersion, head: EntryHead) -> Result<Applied, StorageError> {
        (**self).touch(key, version, head).await
    }

    async fn rename(
        &self,
        from: &SessionKey,
        version: EntryVersion,
        left: Option<Entry>,
        to: &SessionKey,
        entry: Entry,
    ) -> Result<Applied, StorageError> {
        (**self).rename(from, version, left, to, entry).await
    }

    async fn remove(&self, key: &SessionKey, version: EntryVersion) -> Result<Applied, StorageError> {
        (**self).remove(key, version).await
    }

    async fn scan(&self, cursor: Option<Cursor>, limit: usize) -> Result<EntryList, StorageError> {
        (**self).scan(cursor, limit).await
    }

    async fn take_expired(&self, now: Timestamp, limit: usize) -> Result<Vec<(SessionKey, Entry)>, StorageError> {
        (**self).take_expired(now, limit).await
    }
}
