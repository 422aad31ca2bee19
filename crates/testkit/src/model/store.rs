//! [`ModelStore`]: the reference model of a record store.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use sessile_core::{
    Applied, Capabilities, Cursor, Entry, EntryHead, EntryList, EntryVersion, RecordStore, ReportUsage, SessionKey,
    StorageError, StorageErrorKind, Timestamp, Usage,
};

use crate::locked;

/// The entries of a [`ModelStore`].
pub type Entries = BTreeMap<SessionKey, Entry>;

/// A record store in memory that implements the contract with a few lines per operation, under one mutex. Clones share
/// their entries.
///
/// ```
/// use sessile_core::{LocalLocks, LockedStore, Session};
/// use sessile_testkit::ModelStore;
///
/// let store = ModelStore::new();
/// let session: Session = Session::builder(LockedStore::new(store.clone(), LocalLocks::new())).build();
/// assert!(store.is_empty());
/// ```
#[derive(Clone, Default)]
pub struct ModelStore(Arc<Mutex<Entries>>);

impl ModelStore {
    /// Creates an empty store.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Returns the number of entries, expired ones and moved keys included.
    #[must_use]
    pub fn len(&self) -> usize {
        self.step(|entries| entries.len())
    }

    /// Returns whether the store has no entries.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Runs one atomic step on the entries.
    pub fn step<T>(&self, step: impl FnOnce(&mut Entries) -> T) -> T {
        step(&mut locked(&self.0))
    }
}

impl fmt::Debug for ModelStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ModelStore").field("entries", &self.len()).finish()
    }
}

/// Returns whether an entry is stored with this version.
#[must_use]
pub fn is(entries: &Entries, key: &SessionKey, version: EntryVersion) -> bool {
    entries.get(key).is_some_and(|entry| entry.head.version == version)
}

fn apply_if(condition: bool, write: impl FnOnce()) -> Applied {
    if !condition {
        return Applied::No;
    }
    write();
    Applied::Yes
}

/// Returns up to `limit` keys of entries that are due.
#[must_use]
pub fn due(entries: &Entries, now: Timestamp, limit: usize) -> Vec<SessionKey> {
    let is_due = |entry: &Entry| entry.head.deadline.is_some_and(|deadline| deadline <= now);
    let due = entries.iter().filter(|(_, entry)| is_due(entry));
    due.map(|(key, _)| *key).take(limit).collect()
}

/// Returns the page of a scan after this key.
#[must_use]
pub fn list(entries: &Entries, after: Option<SessionKey>, limit: usize) -> EntryList {
    let rest = entries
        .iter()
        .filter(|(key, _)| after.is_none_or(|after| **key > after));
    let listed: Vec<_> = rest
        .take(limit)
        .map(|(key, entry)| (*key, entry.head.clone()))
        .collect();
    let last = listed.last().filter(|_| listed.len() == limit);
    let next = last.map(|(key, _)| Cursor::from_bytes(key.to_string().into_bytes()));
    EntryList::new(listed, next)
}

/// Returns the key in a cursor of a scan.
///
/// # Errors
///
/// Fails if the store did not make the cursor.
pub fn key_in(cursor: &Cursor) -> Result<SessionKey, StorageError> {
    let key = std::str::from_utf8(cursor.as_bytes())
        .ok()
        .and_then(|text| text.parse().ok());
    key.ok_or_else(|| StorageError::new(StorageErrorKind::Other, "scan", "model").with_source("not a cursor of ours"))
}

#[async_trait]
impl ReportUsage for ModelStore {
    async fn usage(&self) -> Result<Usage, StorageError> {
        let size = |entry: &Entry| entry.head.meta.len() + entry.payload.len();
        Ok(self.step(|entries| Usage::new(entries.len() as u64, entries.values().map(size).sum::<usize>() as u64)))
    }
}

#[async_trait]
impl RecordStore for ModelStore {
    fn name(&self) -> &'static str {
        "model"
    }

    fn capabilities(&self) -> Capabilities<'_> {
        Capabilities::none().with_usage(Some(self))
    }

    async fn load(&self, key: &SessionKey) -> Result<Option<Entry>, StorageError> {
        Ok(self.step(|entries| entries.get(key).cloned()))
    }

    async fn head(&self, key: &SessionKey) -> Result<Option<EntryHead>, StorageError> {
        Ok(self.step(|entries| entries.get(key).map(|entry| entry.head.clone())))
    }

    async fn insert(&self, key: &SessionKey, entry: Entry) -> Result<Applied, StorageError> {
        Ok(self.step(|entries| apply_if(!entries.contains_key(key), || drop(entries.insert(*key, entry)))))
    }

    async fn replace(&self, key: &SessionKey, version: EntryVersion, entry: Entry) -> Result<Applied, StorageError> {
        Ok(self.step(|entries| apply_if(is(entries, key, version), || drop(entries.insert(*key, entry)))))
    }

    async fn touch(&self, key: &SessionKey, version: EntryVersion, head: EntryHead) -> Result<Applied, StorageError> {
        Ok(self.step(|entries| match entries.get_mut(key) {
            Some(entry) if entry.head.version == version => {
                entry.head = head;
                Applied::Yes
            }
            _ => Applied::No,
        }))
    }

    async fn rename(
        &self,
        from: &SessionKey,
        version: EntryVersion,
        left: Option<Entry>,
        to: &SessionKey,
        entry: Entry,
    ) -> Result<Applied, StorageError> {
        Ok(self.step(|entries| {
            apply_if(is(entries, from, version) && !entries.contains_key(to), || {
                entries.remove(from);
                entries.extend(left.map(|left| (*from, left)));
                entries.insert(*to, entry);
            })
        }))
    }

    async fn remove(&self, key: &SessionKey, version: EntryVersion) -> Result<Applied, StorageError> {
        Ok(self.step(|entries| apply_if(is(entries, key, version), || drop(entries.remove(key)))))
    }

    async fn scan(&self, cursor: Option<Cursor>, limit: usize) -> Result<EntryList, StorageError> {
        let after = cursor.as_ref().map(key_in).transpose()?;
        Ok(self.step(|entries| list(entries, after, limit)))
    }

    async fn take_expired(&self, now: Timestamp, limit: usize) -> Result<Vec<(SessionKey, Entry)>, StorageError> {
        Ok(self.step(|entries| {
            let due = due(entries, now, limit);
            due.into_iter().filter_map(|key| entries.remove_entry(&key)).collect()
        }))
    }
}
