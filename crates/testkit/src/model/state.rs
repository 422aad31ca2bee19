//! [`ModelState`]: the contract as plain data and plain functions.

use std::collections::BTreeMap;
use std::time::Duration;

use sessile_core::{LockTicket, LockToken, Lookup, Meta, Record, SessionKey, StorageErrorKind, Stored, Timestamp};

/// What a storage holds, and what each verb does to it, when there is nobody to wait for and nothing to fail.
///
/// It is written to be read: three maps, one function a verb, no concurrency. [`ModelStorage`](crate::ModelStorage)
/// puts a mutex and a queue around it; a property test can ask it directly what the right answer is.
///
/// ```
/// use sessile_core::{Lookup, Meta, OsEntropy, Record, SessionId, Timestamp};
/// use sessile_testkit::ModelState;
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
    pub(crate) records: BTreeMap<SessionKey, Record>,
    pub(crate) locks: BTreeMap<SessionKey, Holder>,
    pub(crate) moves: BTreeMap<SessionKey, Move>,
}

/// Who holds a lock, and until when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Holder {
    pub(crate) token: LockToken,
    pub(crate) until: Timestamp,
}

/// Where a session has moved: an alias first, a tombstone then, nothing in the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Move {
    pub(crate) to: SessionKey,
    pub(crate) alias_until: Timestamp,
    pub(crate) tombstone_until: Timestamp,
}

/// What became of an attempt to take the lock of a live session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Attempt {
    /// It is held now, and this is the record it protects.
    Taken(Stored),
    /// Another holds it, until this moment at most.
    Busy(Timestamp),
}

/// How a session moves to another key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rotation {
    /// The key it moves to.
    pub to: SessionKey,
    /// How long the old key is an alias of the new one.
    pub grace: Duration,
    /// How long it is a tombstone afterwards.
    pub tombstone: Duration,
}

impl ModelState {
    /// The key of the live record that this key leads to, aliases followed.
    #[must_use]
    pub fn find(&self, key: &SessionKey, now: Timestamp) -> Lookup<SessionKey> {
        let mut key = *key;
        loop {
            if self
                .records
                .get(&key)
                .is_some_and(|record| !record.meta.has_expired(now))
            {
                return Lookup::Found(key);
            }
            match self.moves.get(&key) {
                Some(moved) if now < moved.alias_until => key = moved.to,
                Some(moved) if now < moved.tombstone_until => return Lookup::Superseded,
                _ => return Lookup::Missing,
            }
        }
    }

    /// See [`Storage::read`](sessile_core::Storage::read).
    #[must_use]
    pub fn read(&self, key: &SessionKey, now: Timestamp) -> Lookup<Stored> {
        self.find(key, now).map(|key| self.stored(key))
    }

    /// Takes the lock for `lease` if it is free. See [`Storage::lock`](sessile_core::Storage::lock).
    pub fn lock(&mut self, key: &SessionKey, token: LockToken, lease: Duration, now: Timestamp) -> Lookup<Attempt> {
        self.find(key, now).map(|key| match self.locks.get(&key) {
            Some(holder) if now < holder.until => Attempt::Busy(holder.until),
            _ => {
                let until = now + lease;
                self.locks.insert(key, Holder { token, until });
                Attempt::Taken(self.stored(key))
            }
        })
    }

    /// See [`Storage::create`](sessile_core::Storage::create).
    ///
    /// # Errors
    ///
    /// `Exists`.
    pub fn create(&mut self, key: &SessionKey, record: Record, now: Timestamp) -> Result<(), StorageErrorKind> {
        self.vacant(key, now)?;
        self.place(key, record);
        Ok(())
    }

    /// See [`Storage::commit`](sessile_core::Storage::commit).
    ///
    /// # Errors
    ///
    /// `LockLost`, `Gone`, `Superseded`.
    pub fn commit(&mut self, lock: &LockTicket, record: Record, now: Timestamp) -> Result<(), StorageErrorKind> {
        self.held(lock, now)?;
        self.place(&lock.key, record);
        Ok(())
    }

    /// See [`Storage::rotate`](sessile_core::Storage::rotate).
    ///
    /// # Errors
    ///
    /// `LockLost`, `Gone`, `Superseded`, `Exists`.
    pub fn rotate(
        &mut self,
        lock: &LockTicket,
        rotation: Rotation,
        record: Record,
        now: Timestamp,
    ) -> Result<(), StorageErrorKind> {
        self.held(lock, now)?;
        self.vacant(&rotation.to, now)?;
        self.leave_behind(&lock.key, rotation, record.meta.deadline, now);
        self.place(&rotation.to, record);
        Ok(())
    }

    /// See [`Storage::release`](sessile_core::Storage::release).
    pub fn release(&mut self, lock: &LockTicket) {
        if self
            .locks
            .get(&lock.key)
            .is_some_and(|holder| holder.token == lock.token)
        {
            self.locks.remove(&lock.key);
        }
    }

    /// See [`Storage::renew`](sessile_core::Storage::renew).
    ///
    /// # Errors
    ///
    /// `LockLost`, `Gone`, `Superseded`.
    pub fn renew(&mut self, lock: &LockTicket, lease: Duration, now: Timestamp) -> Result<(), StorageErrorKind> {
        self.held(lock, now)?;
        let (token, until) = (lock.token, now + lease);
        self.locks.insert(lock.key, Holder { token, until });
        Ok(())
    }

    /// See [`Storage::touch`](sessile_core::Storage::touch).
    ///
    /// # Errors
    ///
    /// `Gone`, `Superseded`.
    pub fn touch(
        &mut self,
        key: &SessionKey,
        deadline: Option<Timestamp>,
        last_active: Timestamp,
        now: Timestamp,
    ) -> Result<(), StorageErrorKind> {
        let key = self.needed(key, now)?;
        if let Some(record) = self.records.get_mut(&key) {
            record.meta.touch(deadline, last_active);
        }
        Ok(())
    }

    /// See [`Storage::destroy`](sessile_core::Storage::destroy).
    pub fn destroy(&mut self, key: &SessionKey, now: Timestamp) -> Lookup<()> {
        let found = self.find(key, now);
        if let Lookup::Found(key) = found {
            for alias in self.aliases(&key, now) {
                self.moves.remove(&alias);
            }
            self.records.remove(&key);
            self.locks.remove(&key);
        }
        found.map(drop)
    }

    /// Up to `limit` live sessions, from the one after `after`, in the order of their keys. There may be more when
    /// there are as many as the limit. See [`Storage::scan`](sessile_core::Storage::scan).
    #[must_use]
    pub fn scan(&self, after: Option<&SessionKey>, limit: usize, now: Timestamp) -> Vec<(SessionKey, Meta)> {
        self.records
            .iter()
            .filter(|(key, record)| after.is_none_or(|after| *key > after) && !record.meta.has_expired(now))
            .take(limit)
            .map(|(key, record)| (*key, record.meta.clone()))
            .collect()
    }

    /// See [`Storage::sweep`](sessile_core::Storage::sweep).
    pub fn sweep(&mut self, limit: usize, now: Timestamp) -> Vec<Stored> {
        self.moves
            .retain(|_, moved| now < moved.tombstone_until.max(moved.alias_until));
        let expired = |(key, record): (&SessionKey, &Record)| record.meta.has_expired(now).then_some(*key);
        let expired: Vec<_> = self.records.iter().filter_map(expired).take(limit).collect();
        expired.into_iter().map(|key| self.remove(key)).collect()
    }

    /// How many records, held locks and keys left behind there are, of use or not.
    #[must_use]
    pub fn footprint(&self) -> usize {
        self.records.len() + self.locks.len() + self.moves.len()
    }

    /// Every key that leads to this one.
    pub(crate) fn aliases(&self, key: &SessionKey, now: Timestamp) -> Vec<SessionKey> {
        let leads = |alias: &&SessionKey| self.find(alias, now) == Lookup::Found(*key);
        self.moves.keys().filter(leads).copied().collect()
    }

    /// The key of the live record, or why there is none.
    pub(crate) fn needed(&self, key: &SessionKey, now: Timestamp) -> Result<SessionKey, StorageErrorKind> {
        match self.find(key, now) {
            Lookup::Found(key) => Ok(key),
            Lookup::Missing => Err(StorageErrorKind::Gone),
            Lookup::Superseded => Err(StorageErrorKind::Superseded),
        }
    }

    pub(crate) fn held(&self, lock: &LockTicket, now: Timestamp) -> Result<(), StorageErrorKind> {
        let key = self.needed(&lock.key, now)?;
        let held = |holder: &Holder| holder.token == lock.token && now < holder.until;
        // Under another key than the lock's own there is an alias: the session has moved and left the lock behind.
        if key == lock.key && self.locks.get(&key).is_some_and(held) {
            Ok(())
        } else {
            Err(StorageErrorKind::LockLost)
        }
    }

    pub(crate) fn vacant(&self, key: &SessionKey, now: Timestamp) -> Result<(), StorageErrorKind> {
        match self.find(key, now) {
            Lookup::Missing => Ok(()),
            Lookup::Found(_) | Lookup::Superseded => Err(StorageErrorKind::Exists),
        }
    }

    /// Puts a record under this key, which nobody has locked any more.
    pub(crate) fn place(&mut self, key: &SessionKey, record: Record) {
        self.moves.remove(key);
        self.locks.remove(key);
        self.records.insert(*key, record);
    }

    pub(crate) fn leave_behind(
        &mut self,
        key: &SessionKey,
        rotation: Rotation,
        deadline: Option<Timestamp>,
        now: Timestamp,
    ) {
        let alias_until = now + rotation.grace;
        let tombstone_until = (alias_until + rotation.tombstone).min(deadline.unwrap_or(Timestamp::MAX));
        self.remove(*key);
        let to = rotation.to;
        self.moves.insert(
            *key,
            Move {
                to,
                alias_until,
                tombstone_until,
            },
        );
    }

    pub(crate) fn stored(&self, key: SessionKey) -> Stored {
        let record = self.records[&key].clone();
        Stored { key, record }
    }

    pub(crate) fn remove(&mut self, key: SessionKey) -> Stored {
        let stored = self.stored(key);
        self.locks.remove(&key);
        self.records.remove(&key);
        stored
    }
}
