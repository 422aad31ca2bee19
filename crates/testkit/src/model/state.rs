//! [`ModelState`]: the contract as plain data and functions.

use std::collections::BTreeMap;
use std::time::Duration;

use sessile_core::{LockId, LockToken, Lookup, MAX_ALIASES, Record, SessionKey, StorageErrorKind, Stored, Timestamp};

/// The data of a storage, and the effect of each operation without waiting and failures.
///
/// The state is written for readers: three maps, one function per operation, no concurrency.
/// [`ModelStorage`](crate::ModelStorage) adds a mutex and queues. A property test can use the state as its oracle.
///
/// ```
/// use sessile_core::{Lookup, Meta, OsEntropy, Record, SessionId, Timestamp};
/// use sessile_testkit::model::ModelState;
///
/// let key = SessionId::generate(&OsEntropy).key();
/// let born = Timestamp::from_millis(1_000);
/// let dies = Timestamp::from_millis(2_000);
/// let mut state = ModelState::default();
/// state.create(&key, Record::new(Meta::new(born).with_deadline(Some(dies)), "cart"), born).unwrap();
///
/// assert!(state.read(&key, Timestamp::from_millis(1_999)).is_found());
/// assert_eq!(state.read(&key, dies), Lookup::Missing);
/// ```
#[derive(Debug, Clone, Default)]
pub struct ModelState {
    /// The records by their keys, live or not.
    pub records: BTreeMap<SessionKey, Record>,
    /// The locks that were not released. A lease may have ended.
    pub locks: BTreeMap<SessionKey, Holder>,
    /// The markers of moved sessions by their old keys, live or not.
    pub moves: BTreeMap<SessionKey, Move>,
}

/// The holder of a lock, and the end of its lease.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Holder {
    /// The token of the lock.
    pub token: LockToken,
    /// The end of the lease.
    pub until: Timestamp,
}

/// The marker of a moved session: an alias during the grace, then a tombstone, then expired.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Move {
    /// The next key of the session.
    pub to: SessionKey,
    /// The end of the grace.
    pub alias_until: Timestamp,
    /// The end of the tombstone.
    pub tombstone_until: Timestamp,
}

/// The result of an attempt to lock a live session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Attempt {
    /// The lock was taken. It protects this record.
    Taken(Stored),
    /// The lock is held until this time at most.
    Busy(Timestamp),
}

/// The parameters of a rotation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rotation {
    /// The new key.
    pub to: SessionKey,
    /// The time for which the old key is an alias of the new one.
    pub grace: Duration,
    /// The time for which it is a tombstone after that.
    pub tombstone: Duration,
}

impl ModelState {
    /// Returns the key of the live record to which this key leads. Follows aliases.
    #[must_use]
    pub fn find(&self, key: &SessionKey, now: Timestamp) -> Lookup<SessionKey> {
        self.find_within(MAX_ALIASES, key, now)
    }

    fn find_within(&self, aliases: usize, key: &SessionKey, now: Timestamp) -> Lookup<SessionKey> {
        if let Some(record) = self.records.get(key) {
            return match record.meta.has_expired(now) {
                true => Lookup::Missing,
                false => Lookup::Found(*key),
            };
        }
        match self.moves.get(key) {
            Some(moved) if aliases > 0 && now < moved.alias_until => {
                match self.find_within(aliases - 1, &moved.to, now) {
                    Lookup::Missing => Lookup::Superseded,
                    found => found,
                }
            }
            Some(moved) if now < moved.tombstone_until => Lookup::Superseded,
            _ => Lookup::Missing,
        }
    }

    /// Returns the key of the live record of the session that had this key. Follows aliases and tombstones.
    #[must_use]
    pub fn trace(&self, key: &SessionKey, now: Timestamp) -> Lookup<SessionKey> {
        match (self.find(key, now), self.moves.get(key)) {
            (Lookup::Superseded, Some(moved)) => match self.trace(&moved.to, now) {
                Lookup::Found(key) => Lookup::Found(key),
                Lookup::Missing | Lookup::Superseded => Lookup::Superseded,
            },
            (found, _) => found,
        }
    }

    /// Returns the number of records, held locks and markers, live or not.
    #[must_use]
    pub fn footprint(&self) -> usize {
        self.records.len() + self.locks.len() + self.moves.len()
    }

    /// Returns the key of the live record, or the reason why there is none.
    ///
    /// # Errors
    ///
    /// `Gone`, `Superseded`.
    pub fn require_live(&self, key: &SessionKey, now: Timestamp) -> Result<SessionKey, StorageErrorKind> {
        match self.find(key, now) {
            Lookup::Found(key) => Ok(key),
            Lookup::Missing => Err(StorageErrorKind::Gone),
            Lookup::Superseded => Err(StorageErrorKind::Superseded),
        }
    }

    /// Checks that the lock is held.
    ///
    /// # Errors
    ///
    /// `LockLost`, `Gone`, `Superseded`.
    pub fn require_lock(&self, lock: &LockId, now: Timestamp) -> Result<(), StorageErrorKind> {
        let held = |holder: &Holder| holder.token == lock.token && now < holder.until;
        let key = self.require_live(&lock.key, now)?;
        // Under another key than the lock's own there is an alias: the session moved and left the lock behind.
        if key == lock.key && self.locks.get(&key).is_some_and(held) {
            Ok(())
        } else {
            Err(StorageErrorKind::LockLost)
        }
    }

    /// Checks that a session can be created under the key.
    ///
    /// # Errors
    ///
    /// `Exists`.
    pub fn require_vacant(&self, key: &SessionKey, now: Timestamp) -> Result<(), StorageErrorKind> {
        match self.find(key, now) {
            Lookup::Missing => Ok(()),
            Lookup::Found(_) | Lookup::Superseded => Err(StorageErrorKind::Exists),
        }
    }

    /// Removes the remains of a missing session.
    pub fn clear(&mut self, key: &SessionKey) {
        self.moves.remove(key);
        if self.records.contains_key(key) {
            self.remove(*key);
        }
    }

    /// Stores a record under an unlocked key.
    pub fn put(&mut self, key: &SessionKey, record: Record) {
        self.moves.remove(key);
        self.locks.remove(key);
        self.records.insert(*key, record);
    }

    /// Replaces a record by the marker of a moved session.
    ///
    /// # Panics
    ///
    /// Panics if there is no record under the key.
    pub fn add_marker(&mut self, key: &SessionKey, rotation: Rotation, now: Timestamp) {
        let alias_until = now + rotation.grace;
        let moved = Move {
            to: rotation.to,
            alias_until,
            tombstone_until: alias_until + rotation.tombstone,
        };
        self.remove(*key);
        self.moves.insert(*key, moved);
    }

    /// Returns the record under the key, live or not.
    ///
    /// # Panics
    ///
    /// Panics if there is none.
    #[must_use]
    pub fn stored(&self, key: SessionKey) -> Stored {
        let record = self.records[&key].clone();
        Stored::new(key, record)
    }

    /// Removes the record under the key and its lock.
    ///
    /// # Panics
    ///
    /// Panics if there is no record under the key.
    pub fn remove(&mut self, key: SessionKey) -> Stored {
        let stored = self.stored(key);
        self.locks.remove(&key);
        self.records.remove(&key);
        stored
    }
}
