//! Records in a map: a store that needs locks.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

use async_trait::async_trait;
use sessile_core::{
    Applied, Capabilities, Cursor, Entry, EntryHead, EntryList, EntryVersion, RecordStore, SessionKey, StorageError,
    Timestamp,
};

type Result<T> = std::result::Result<T, StorageError>;

/// Clones share the map.
#[derive(Debug, Clone, Default)]
pub(crate) struct MapStore(Arc<Mutex<BTreeMap<SessionKey, Entry>>>);

impl MapStore {
    fn map(&self) -> MutexGuard<'_, BTreeMap<SessionKey, Entry>> {
        self.0.lock().expect("no step panics")
    }

    pub(crate) fn len(&self) -> usize {
        self.map().len()
    }
}

fn stands(map: &BTreeMap<SessionKey, Entry>, key: &SessionKey, version: EntryVersion) -> bool {
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

    async fn load(&self, key: &SessionKey) -> Result<Option<Entry>> {
        Ok(self.map().get(key).cloned())
    }

    async fn head(&self, key: &SessionKey) -> Result<Option<EntryHead>> {
        Ok(self.map().get(key).map(|entry| entry.head.clone()))
    }

    async fn insert(&self, key: &SessionKey, entry: Entry) -> Result<Applied> {
        let mut map = self.map();
        if map.contains_key(key) {
            return Ok(Applied::No);
        }
        map.insert(*key, entry);
        Ok(Applied::Yes)
    }

    async fn replace(&self, key: &SessionKey, version: EntryVersion, entry: Entry) -> Result<Applied> {
        let mut map = self.map();
        if !stands(&map, key, version) {
            return Ok(Applied::No);
        }
        map.insert(*key, entry);
        Ok(Applied::Yes)
    }

    async fn touch(&self, key: &SessionKey, version: EntryVersion, head: EntryHead) -> Result<Applied> {
        match self.map().get_mut(key) {
            Some(entry) if entry.head.version == version => {
                entry.head = head;
                Ok(Applied::Yes)
            }
            _ => Ok(Applied::No),
        }
    }

    async fn rename(
        &self,
        from: &SessionKey,
        version: EntryVersion,
        left: Option<Entry>,
        to: &SessionKey,
        entry: Entry,
    ) -> Result<Applied> {
        let mut map = self.map();
        if !stands(&map, from, version) || map.contains_key(to) {
            return Ok(Applied::No);
        }
        map.remove(from);
        map.extend(left.map(|left| (*from, left)));
        map.insert(*to, entry);
        Ok(Applied::Yes)
    }

    async fn remove(&self, key: &SessionKey, version: EntryVersion) -> Result<Applied> {
        let mut map = self.map();
        if !stands(&map, key, version) {
            return Ok(Applied::No);
        }
        map.remove(key);
        Ok(Applied::Yes)
    }

    async fn scan(&self, cursor: Option<Cursor>, limit: usize) -> Result<EntryList> {
        let after: Option<SessionKey> =
            cursor.map(|cursor| String::from_utf8_lossy(cursor.as_bytes()).parse().expect("a key"));
        let map = self.map();
        let listed = map.iter().filter(|(key, _)| after.is_none_or(|after| **key > after));
        let entries: Vec<_> = listed
            .map(|(key, entry)| (*key, entry.head.clone()))
            .take(limit)
            .collect();
        let next = entries.last().filter(|_| entries.len() >= limit);
        let next = next.map(|(key, _)| Cursor::from_bytes(key.to_string().into_bytes()));
        Ok(EntryList::new(entries, next))
    }

    async fn take_expired(&self, now: Timestamp, limit: usize) -> Result<Vec<(SessionKey, Entry)>> {
        let mut map = self.map();
        let over = |entry: &Entry| entry.head.deadline.is_some_and(|deadline| deadline <= now);
        let keys: Vec<_> = map
            .iter()
            .filter(|(_, entry)| over(entry))
            .map(|(key, _)| *key)
            .take(limit)
            .collect();
        Ok(keys.into_iter().filter_map(|key| map.remove_entry(&key)).collect())
    }
}
