//! A store in memory, and helpers.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use async_trait::async_trait;
use sessile_core::{
    Applied, Capabilities, Clock, Cursor, Entry, EntryHead, EntryList, EntryVersion, LocalLocks, Locked, LockedStore,
    Lookup, Meta, OsEntropy, Record, RecordStore, SessionId, SessionKey, Storage, StorageError, StorageErrorKind,
    Timestamp, TokioClock,
};

/// A store that keeps its entries in a map, one mutex for all. Clones share it.
#[derive(Clone, Default)]
pub(crate) struct MapStore {
    entries: Arc<Mutex<BTreeMap<SessionKey, Entry>>>,
    calls: Arc<Mutex<Vec<&'static str>>>,
    hooks: Arc<Mutex<VecDeque<Hook>>>,
    lost: Arc<Mutex<VecDeque<&'static str>>>,
    yields: bool,
}

/// An action that runs just before the next call of an operation takes effect.
struct Hook {
    operation: &'static str,
    action: Box<dyn FnOnce() + Send>,
}

impl MapStore {
    /// Creates a store whose operations yield once before they take effect, and once before they return.
    pub(crate) fn yielding() -> Self {
        Self {
            yields: true,
            ..Self::default()
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.entries.lock().unwrap().len()
    }

    pub(crate) fn entry(&self, key: &SessionKey) -> Option<Entry> {
        self.entries.lock().unwrap().get(key).cloned()
    }

    /// Inserts or replaces an entry unconditionally.
    pub(crate) fn force(&self, key: SessionKey, entry: Entry) {
        self.entries.lock().unwrap().insert(key, entry);
    }

    /// Takes the calls since the last time.
    pub(crate) fn calls(&self) -> Vec<&'static str> {
        std::mem::take(&mut self.calls.lock().unwrap())
    }

    /// Runs `action` between the next call of the operation and its effect.
    pub(crate) fn just_before(&self, operation: &'static str, action: impl FnOnce() + Send + 'static) {
        let action = Box::new(action);
        self.hooks.lock().unwrap().push_back(Hook { operation, action });
    }

    /// Lets the next call of the operation take effect and lose its reply.
    pub(crate) fn lose_reply_of(&self, operation: &'static str) {
        self.lost.lock().unwrap().push_back(operation);
    }

    async fn step<T>(
        &self,
        operation: &'static str,
        step: impl FnOnce(&mut BTreeMap<SessionKey, Entry>) -> T,
    ) -> Result<T, StorageError> {
        self.pause().await;
        self.calls.lock().unwrap().push(operation);
        let hook = {
            let mut hooks = self.hooks.lock().unwrap();
            let due = hooks.front().is_some_and(|hook| hook.operation == operation);
            due.then(|| hooks.pop_front().unwrap())
        };
        if let Some(hook) = hook {
            (hook.action)();
        }
        let result = step(&mut self.entries.lock().unwrap());
        self.pause().await;
        let mut lost = self.lost.lock().unwrap();
        if lost.front() == Some(&operation) {
            lost.pop_front();
            return Err(StorageError::new(StorageErrorKind::Unavailable, operation, "map"));
        }
        Ok(result)
    }

    async fn pause(&self) {
        if self.yields {
            tokio::task::yield_now().await;
        }
    }
}

impl fmt::Debug for MapStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MapStore").field("entries", &self.len()).finish()
    }
}

type Entries = BTreeMap<SessionKey, Entry>;

fn is(entries: &Entries, key: &SessionKey, version: EntryVersion) -> bool {
    entries.get(key).is_some_and(|entry| entry.head.version == version)
}

fn applied(condition: bool, write: impl FnOnce()) -> Applied {
    if condition {
        write();
        Applied::Yes
    } else {
        Applied::No
    }
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
        self.step("load", |entries| entries.get(key).cloned()).await
    }

    async fn head(&self, key: &SessionKey) -> Result<Option<EntryHead>, StorageError> {
        let head = |entries: &mut Entries| entries.get(key).map(|entry| entry.head.clone());
        self.step("head", head).await
    }

    async fn insert(&self, key: &SessionKey, entry: Entry) -> Result<Applied, StorageError> {
        let insert = |entries: &mut Entries| {
            applied(!entries.contains_key(key), || {
                entries.insert(*key, entry);
            })
        };
        self.step("insert", insert).await
    }

    async fn replace(&self, key: &SessionKey, version: EntryVersion, entry: Entry) -> Result<Applied, StorageError> {
        let replace = |entries: &mut Entries| {
            applied(is(entries, key, version), || {
                entries.insert(*key, entry);
            })
        };
        self.step("replace", replace).await
    }

    async fn touch(&self, key: &SessionKey, version: EntryVersion, head: EntryHead) -> Result<Applied, StorageError> {
        let touch = |entries: &mut Entries| {
            applied(is(entries, key, version), || {
                entries.get_mut(key).unwrap().head = head;
            })
        };
        self.step("touch", touch).await
    }

    async fn rename(
        &self,
        from: &SessionKey,
        version: EntryVersion,
        left: Option<Entry>,
        to: &SessionKey,
        entry: Entry,
    ) -> Result<Applied, StorageError> {
        let rename = |entries: &mut Entries| {
            applied(is(entries, from, version) && !entries.contains_key(to), || {
                entries.remove(from);
                entries.extend(left.map(|left| (*from, left)));
                entries.insert(*to, entry);
            })
        };
        self.step("rename", rename).await
    }

    async fn remove(&self, key: &SessionKey, version: EntryVersion) -> Result<Applied, StorageError> {
        let remove = |entries: &mut Entries| {
            applied(is(entries, key, version), || {
                entries.remove(key);
            })
        };
        self.step("remove", remove).await
    }

    async fn scan(&self, cursor: Option<Cursor>, limit: usize) -> Result<EntryList, StorageError> {
        let after: Option<SessionKey> = cursor.map(|at| std::str::from_utf8(at.as_bytes()).unwrap().parse().unwrap());
        let scan = |entries: &mut Entries| {
            let listed = entries
                .iter()
                .filter(|(key, _)| after.is_none_or(|after| **key > after))
                .take(limit);
            let entries: Vec<_> = listed.map(|(key, entry)| (*key, entry.head.clone())).collect();
            let last = entries.last().filter(|_| entries.len() == limit);
            let next = last.map(|(key, _)| Cursor::from_bytes(key.to_string().into_bytes()));
            EntryList::new(entries, next)
        };
        self.step("scan", scan).await
    }

    async fn take_expired(&self, now: Timestamp, limit: usize) -> Result<Vec<(SessionKey, Entry)>, StorageError> {
        let take = |entries: &mut Entries| {
            let over = |entry: &Entry| entry.head.deadline.is_some_and(|deadline| deadline <= now);
            let over = entries.iter().filter(|(_, entry)| over(entry));
            let keys: Vec<_> = over.map(|(key, _)| *key).take(limit).collect();
            keys.into_iter()
                .map(|key| (key, entries.remove(&key).unwrap()))
                .collect()
        };
        self.step("take_expired", take).await
    }
}

/// A storage in memory, and its two parts.
#[derive(Clone)]
pub(crate) struct Setup {
    pub(crate) storage: LockedStore<MapStore, LocalLocks>,
    pub(crate) store: MapStore,
    pub(crate) locks: LocalLocks,
}

impl Setup {
    /// Uses tokio's clock.
    pub(crate) fn new() -> Self {
        Self::with(MapStore::default(), TokioClock::start())
    }

    pub(crate) fn with(store: MapStore, clock: impl Clock) -> Self {
        let locks = LocalLocks::builder().clock(clock).max_waiters(8).build();
        let storage = LockedStore::new(store.clone(), locks.clone());
        Self { storage, store, locks }
    }

    /// Returns the number of entries and locks, expired ones included.
    pub(crate) fn footprint(&self) -> usize {
        self.store.len() + self.locks.in_use() + self.storage.locks_held()
    }

    pub(crate) fn record(&self, payload: &'static str) -> Record {
        let now = self.storage.clock().now();
        Record::new(Meta::new(now).with_deadline(Some(now + HOUR)), payload)
    }

    pub(crate) async fn created(&self, payload: &'static str) -> SessionKey {
        let key = key();
        self.storage.create(&key, self.record(payload)).await.unwrap();
        key
    }

    pub(crate) async fn locked(&self, key: &SessionKey) -> Locked {
        locked(&self.storage, key).await
    }

    pub(crate) async fn payload(&self, key: &SessionKey) -> Lookup<bytes::Bytes> {
        self.storage
            .read(key)
            .await
            .unwrap()
            .map(|stored| stored.record.payload)
    }
}

pub(crate) const HOUR: Duration = Duration::from_secs(3_600);

pub(crate) fn key() -> SessionKey {
    SessionId::generate(&OsEntropy).key()
}

/// Generates keys of one shard.
pub(crate) fn keys<const N: usize>() -> [SessionKey; N] {
    let id = SessionId::generate(&OsEntropy);
    std::array::from_fn(|_| id.rotated(&OsEntropy).key())
}

pub(crate) async fn locked(storage: &dyn Storage, key: &SessionKey) -> Locked {
    let locked = storage.lock(key, Duration::ZERO).await.expect("the lock is free");
    locked.found().expect("the session is live")
}

/// Creates the record that follows this one.
pub(crate) fn next(record: &Record, payload: &'static str) -> Record {
    let mut next = Record::new(record.meta.clone(), payload);
    next.meta.version += 1;
    next
}

/// Returns the result of a future that is ready on its first poll.
pub(crate) fn expect_ready<F: Future>(future: F) -> F::Output {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("the future waits"),
    }
}
