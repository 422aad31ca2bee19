//! [`RecordStore`]: what a database has to do to keep sessions.

use std::fmt::Debug;
use std::sync::Arc;

use async_trait::async_trait;

use crate::clock::Timestamp;
use crate::id::SessionKey;
use crate::storage::{Capabilities, Cursor, StorageError};
use crate::store::{Applied, Entry, EntryHead, EntryList, EntryVersion};

/// Keeps [entries](Entry) by key, and writes under a condition: all that [`Paired`](crate::Paired) needs of a
/// database to make a [`Storage`](crate::Storage) of it.
///
/// # The contract
///
/// **Each verb is one atomic step**, whichever other verbs run at the same time, in this process or elsewhere. A
/// verb that names two keys acts on both of them or on none. When the future of a verb is dropped, the step is taken as
/// a whole or not at all; if it can still be under way, verbs that are called afterwards wait for it.
///
/// **A condition is a version.** A verb that is given a version acts only if an entry is there and has exactly this
/// version, and answers [`Applied::No`] otherwise. Every entry that is written brings the version it has from then
/// on. The store compares versions and does nothing else with them.
///
/// **An entry stays until it is replaced, renamed, removed or taken out**, whether its deadline has come or not. The
/// store has no clock and decides nothing by the time: what has expired is loaded, replaced and counted as present
/// like anything else. A backend that drops what has expired by itself may do so, once it is.
///
/// **What is acknowledged is kept**, as safely as the store promises: in memory, on disk, on several servers.
///
/// A key is stored best by its [digest](SessionKey::digest) or as text. Stores look into neither meta nor payload.
///
/// # How it grows
///
/// Every verb is owed by every store, and none has a default. What only some backends can do is a capability, which the
/// store is [asked for](RecordStore::capabilities) and has or has not; [`Paired`](crate::Paired) hands it on.
///
/// # Errors
///
/// That a condition does not hold, or that nothing is there, is an answer and not an error. What a backend cannot
/// do at all is [`Unsupported`](crate::StorageErrorKind::Unsupported): [`rename`](RecordStore::rename) without
/// transactions, for instance, in which case sessions cannot get new ids. It is never done in two steps instead.
/// The [operation](StorageError::operation) of an error is the name of the verb here.
#[async_trait]
pub trait RecordStore: Debug + Send + Sync + 'static {
    /// A short name for logs and errors, such as `"redb"`. It becomes the name of the storage.
    fn name(&self) -> &'static str;

    /// What this store can do beyond the verbs here: [`none`](Capabilities::none), if there is no more to it. The answer
    /// is always the same.
    fn capabilities(&self) -> Capabilities<'_>;

    /// Returns the entry under this key.
    async fn load(&self, key: &SessionKey) -> Result<Option<Entry>, StorageError>;

    /// Returns the head of the entry under this key, and leaves the payload where it is.
    async fn head(&self, key: &SessionKey) -> Result<Option<EntryHead>, StorageError>;

    /// Puts an entry under a key under which there is none.
    async fn insert(&self, key: &SessionKey, entry: Entry) -> Result<Applied, StorageError>;

    /// Puts another entry in the place of the one with this version.
    async fn replace(&self, key: &SessionKey, version: EntryVersion, entry: Entry) -> Result<Applied, StorageError>;

    /// Gives the entry with this version another head, and leaves its payload as it is.
    async fn touch(&self, key: &SessionKey, version: EntryVersion, head: EntryHead) -> Result<Applied, StorageError>;

    /// Puts `entry` under `to`, where nothing is, and `left` in the place of the entry under `from`, if that has this
    /// version. Without `left`, nothing stays under `from`. It is applied as a whole or not at all.
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

    /// Lists entries, up to `limit` at a time, from where `cursor` points, or from the beginning.
    ///
    /// An entry that stays throughout a scan is listed at least once, whatever else is added or removed meanwhile.
    async fn scan(&self, cursor: Option<Cursor>, limit: usize) -> Result<EntryList, StorageError>;

    /// Removes up to `limit` entries whose deadline is `now` or earlier, and returns them, each to one caller. Fewer
    /// than `limit` means that there are no more.
    async fn take_expired(&self, now: Timestamp, limit: usize) -> Result<Vec<(SessionKey, Entry)>, StorageError>;
}

/// A store that is shared.
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
