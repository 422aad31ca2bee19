//! A minimal custom storage: entries in a map behind a mutex.
//!
//! [`MapStore`] implements [`RecordStore`], the contract of a database with conditional writes. With locks it becomes
//! a storage:
//!
//! ```
//! use custom_storage::MapStore;
//! use sessile_core::{LocalLocks, LockedStore, Session};
//!
//! let storage = LockedStore::new(MapStore::default(), LocalLocks::new());
//! let session: Session = Session::builder(storage).build();
//! ```

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use sessile_core::{
    Applied, Capabilities, Cursor, Entry, EntryHead, EntryList, EntryVersion, RecordStore, SessionKey, StorageError,
    StorageErrorKind, Timestamp,
};

type Map = BTreeMap<SessionKey, Entry>;

/// Entries in a map. Clones share the map.
#[derive(Debug, Clone, Default)]
pub struct MapStore(Arc<Mutex<Map>>);

impl MapStore {
    /// Locks the map. Each change is a single step, so the map stays intact even if a thread panics with the mutex.
    fn map(&self) -> MutexGuard<'_, Map> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Applies a change if the condition holds. The mutex makes both one atomic step, of which every write consists.
    fn write_if(&self, condition: impl FnOnce(&Map) -> bool, change: impl FnOnce(&mut Map)) -> Applied {
        let mut map = self.map();
        if !condition(&map) {
            return Applied::No;
        }
        change(&mut map);
        Applied::Yes
    }
}

/// Returns whether there is an entry with this version. All writes but `insert` depend on it.
fn has_version(map: &Map, key: &SessionKey, version: EntryVersion) -> bool {
    map.get(key).is_some_and(|entry| entry.head.version == version)
}

#[async_trait]
impl RecordStore for MapStore {
    fn name(&self) -> &'static str {
        "map"
    }

    fn capabilities(&self) -> Capabilities<'_> {
        Capabilities::none()
    }

    async fn load(&self, key: &SessionKey) -> Result<Option<Entry>, StorageError> {
        Ok(self.map().get(key).cloned())
    }

    async fn head(&self, key: &SessionKey) -> Result<Option<EntryHead>, StorageError> {
        Ok(self.map().get(key).map(|entry| entry.head.clone()))
    }

    async fn insert(&self, key: &SessionKey, entry: Entry) -> Result<Applied, StorageError> {
        Ok(self.write_if(|map| !map.contains_key(key), |map| drop(map.insert(*key, entry))))
    }

    async fn replace(&self, key: &SessionKey, version: EntryVersion, entry: Entry) -> Result<Applied, StorageError> {
        Ok(self.write_if(
            |map| has_version(map, key, version),
            |map| drop(map.insert(*key, entry)),
        ))
    }

    async fn touch(&self, key: &SessionKey, version: EntryVersion, head: EntryHead) -> Result<Applied, StorageError> {
        let change = |map: &mut Map| {
            if let Some(entry) = map.get_mut(key) {
                entry.head = head;
            }
        };
        Ok(self.write_if(|map| has_version(map, key, version), change))
    }

    async fn rename(
        &self,
        from: &SessionKey,
        version: EntryVersion,
        left: Option<Entry>,
        to: &SessionKey,
        entry: Entry,
    ) -> Result<Applied, StorageError> {
        Ok(self.write_if(
            |map| has_version(map, from, version) && !map.contains_key(to),
            |map| {
                map.remove(from);
                map.extend(left.map(|left| (*from, left)));
                map.insert(*to, entry);
            },
        ))
    }

    async fn remove(&self, key: &SessionKey, version: EntryVersion) -> Result<Applied, StorageError> {
        Ok(self.write_if(|map| has_version(map, key, version), |map| drop(map.remove(key))))
    }

    async fn scan(&self, cursor: Option<Cursor>, limit: usize) -> Result<EntryList, StorageError> {
        let after = cursor.map(|cursor| key_in(&cursor)).transpose()?;
        let map = self.map();
        let rest = map.iter().filter(|(key, _)| after.is_none_or(|after| **key > after));
        let entries: Vec<_> = rest
            .take(limit)
            .map(|(key, entry)| (*key, entry.head.clone()))
            .collect();
        // The order of keys never changes, so the scan continues after the last key.
        let last = entries.last().filter(|_| entries.len() == limit);
        let next = last.map(|(key, _)| Cursor::from_bytes(key.to_string().into_bytes()));
        Ok(EntryList::new(entries, next))
    }

    async fn take_expired(&self, now: Timestamp, limit: usize) -> Result<Vec<(SessionKey, Entry)>, StorageError> {
        let mut map = self.map();
        let is_expired = |entry: &Entry| entry.head.deadline.is_some_and(|deadline| deadline <= now);
        let expired = map.iter().filter(|(_, entry)| is_expired(entry));
        let keys: Vec<_> = expired.map(|(key, _)| *key).take(limit).collect();
        Ok(keys.into_iter().filter_map(|key| map.remove_entry(&key)).collect())
    }
}

fn key_in(cursor: &Cursor) -> Result<SessionKey, StorageError> {
    let key = std::str::from_utf8(cursor.as_bytes())
        .ok()
        .and_then(|text| text.parse().ok());
    key.ok_or_else(|| StorageError::new(StorageErrorKind::Other, "scan", "map").with_source("the cursor is not a key"))
}
