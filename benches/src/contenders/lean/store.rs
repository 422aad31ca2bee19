//! [`Store`]: the table of sessions, and its locks.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use sessile::SessionKey;
use sessile::time::{Clock as _, SystemClock, Timestamp};

/// The number of shards, large enough that two threads rarely contend for one.
const SHARDS: usize = 128;

/// The duration of a lease.
const LEASE: Duration = Duration::from_secs(30);

pub(super) struct Store {
    shards: Box<[Mutex<Shard>]>,
    lifetime: Duration,
}

#[derive(Default)]
struct Shard {
    records: HashMap<[u8; 32], Record, BuildHasherDefault<First>>,
    /// The last lock id that was issued. There is no lock id 0.
    last_lock_id: u64,
}

struct Record {
    deadline: Timestamp,
    version: u64,
    lock: Option<Lock>,
    payload: Vec<u8>,
}

struct Lock {
    lock_id: u64,
    lease: Timestamp,
}

/// The part of a record that a visit holds.
pub(super) struct Loaded {
    pub(super) deadline: Timestamp,
    /// The version that a commit must find. No other visit can change it while the lock id is valid.
    pub(super) version: u64,
    /// The id of the lock; 0 for readers.
    pub(super) lock_id: u64,
    pub(super) payload: Vec<u8>,
}

/// The result of an attempt to lock.
pub(super) enum Locked {
    Loaded(Loaded),
    /// Another visit holds the lock.
    Taken,
    /// The session does not exist or has expired.
    Missing,
}

/// The spare capacity of a payload, so that a small change needs no reallocation.
const ROOM: usize = 32;

impl Store {
    pub(super) fn new(lifetime: Duration) -> Self {
        Self {
            shards: (0..SHARDS).map(|_| Mutex::default()).collect(),
            lifetime,
        }
    }

    /// Copies the record.
    pub(super) fn read(&self, key: &SessionKey) -> Option<Loaded> {
        let shard = self.shard(key);
        let now = SystemClock.now();
        let record = shard.records.get(key.digest())?;
        (now < record.deadline).then(|| record.load(0, 0))
    }

    /// Copies the record and locks the session.
    pub(super) fn lock(&self, key: &SessionKey) -> Locked {
        let mut shard = self.shard(key);
        let now = SystemClock.now();
        let Shard { records, last_lock_id } = &mut *shard;
        let Some(record) = records.get_mut(key.digest()).filter(|record| now < record.deadline) else {
            return Locked::Missing;
        };
        if record.lock.as_ref().is_some_and(|lock| now < lock.lease) {
            return Locked::Taken;
        }
        *last_lock_id += 1;
        record.lock = Some(Lock {
            lock_id: *last_lock_id,
            lease: now + LEASE,
        });
        Locked::Loaded(record.load(*last_lock_id, ROOM))
    }

    /// Writes the payload and releases the lock. Returns whether it did: the lock, its lease and the session must still
    /// be valid.
    pub(super) fn commit(&self, key: &SessionKey, loaded: &Loaded) -> bool {
        let mut shard = self.shard(key);
        let now = SystemClock.now();
        let Some(record) = shard.records.get_mut(key.digest()) else {
            return false;
        };
        if now >= record.deadline || record.version != loaded.version || !record.is_held(loaded.lock_id, now) {
            return false;
        }
        record.payload.clear();
        record.payload.extend_from_slice(&loaded.payload);
        record.version += 1;
        record.lock = None;
        true
    }

    /// Releases the lock without a change.
    pub(super) fn release(&self, key: &SessionKey, lock_id: u64) {
        let mut shard = self.shard(key);
        let record = shard.records.get_mut(key.digest());
        if let Some(record) = record.filter(|record| record.lock.as_ref().is_some_and(|lock| lock.lock_id == lock_id)) {
            record.lock = None;
        }
    }

    /// Stores a new session. Returns whether its key was free.
    pub(super) fn create(&self, key: &SessionKey, mut payload: Vec<u8>) -> bool {
        payload.shrink_to_fit();
        let mut shard = self.shard(key);
        let record = Record {
            deadline: SystemClock.now() + self.lifetime,
            version: 1,
            lock: None,
            payload,
        };
        shard.records.insert(*key.digest(), record).is_none()
    }

    /// Returns the lifetime of sessions.
    pub(super) fn lifetime(&self) -> Duration {
        self.lifetime
    }

    fn shard(&self, key: &SessionKey) -> MutexGuard<'_, Shard> {
        // The table uses the first bytes of the digest, and the shard is selected by its last.
        let index = usize::from(key.digest()[31]) % SHARDS;
        self.shards[index].lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Record {
    fn load(&self, lock_id: u64, room: usize) -> Loaded {
        let mut payload = Vec::with_capacity(self.payload.len() + room);
        payload.extend_from_slice(&self.payload);
        Loaded {
            deadline: self.deadline,
            version: self.version,
            lock_id,
            payload,
        }
    }

    fn is_held(&self, lock_id: u64, now: Timestamp) -> bool {
        let lock = self.lock.as_ref();
        lock.is_some_and(|lock| lock.lock_id == lock_id && now < lock.lease)
    }
}

/// A hasher that returns the first bytes of a digest, which are already uniformly distributed.
#[derive(Default)]
struct First(u64);

impl Hasher for First {
    fn write(&mut self, bytes: &[u8]) {
        if let Some(first) = bytes.first_chunk() {
            self.0 = u64::from_le_bytes(*first);
        }
    }

    /// Ignores the length, which is always the same.
    fn write_usize(&mut self, _: usize) {}

    fn finish(&self) -> u64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sessile::SessionId;
    use sessile::entropy::OsEntropy;

    fn created(lifetime: Duration) -> (Store, SessionKey) {
        let (store, key) = (Store::new(lifetime), SessionId::generate(&OsEntropy).key());
        assert!(store.create(&key, b"old".to_vec()));
        (store, key)
    }

    fn locked(store: &Store, key: &SessionKey) -> Loaded {
        match store.lock(key) {
            Locked::Loaded(loaded) => loaded,
            _ => panic!("it is free"),
        }
    }

    #[test]
    fn only_one_has_the_lock_and_what_it_commits_is_there() {
        let (store, key) = created(Duration::from_secs(60));
        let mut loaded = locked(&store, &key);
        assert!(matches!(store.lock(&key), Locked::Taken));
        loaded.payload = b"new".to_vec();
        assert!(store.commit(&key, &loaded));
        assert_eq!(store.read(&key).expect("it is there").payload, b"new");
        assert!(!store.commit(&key, &loaded), "a lock id is good for one commit");
    }

    #[test]
    fn who_read_only_cannot_commit() {
        let (store, key) = created(Duration::from_secs(60));
        let read = store.read(&key).expect("it is there");
        let _locked = locked(&store, &key);
        assert!(!store.commit(&key, &read));
    }

    #[test]
    fn what_was_released_can_be_locked_and_not_committed() {
        let (store, key) = created(Duration::from_secs(60));
        let first = locked(&store, &key);
        store.release(&key, first.lock_id);
        let second = locked(&store, &key);
        assert!(!store.commit(&key, &first));
        assert!(store.commit(&key, &second));
    }

    #[test]
    fn what_has_expired_is_not_there() {
        let (store, key) = created(Duration::ZERO);
        assert!(store.read(&key).is_none());
        assert!(matches!(store.lock(&key), Locked::Missing));
    }
}
