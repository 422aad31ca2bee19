//! Operations that write to the store.

use std::time::Duration;

use bytes::Bytes;

use super::key_state::{KeyState, Live, Moved};
use super::lock_table::KnownVersion;
use super::lookup::Part;
use super::{Failure, LockedStore};
use crate::clock::Timestamp;
use crate::id::SessionKey;
use crate::storage::{Lock, LockId, Lookup, Record, StorageErrorKind};
use crate::store::{Applied, Entry, Locks, RecordStore};

/// The number of attempts at a step that fails because the entry has changed. Each failure means that another step
/// succeeded, so a store that reaches this limit is more likely broken than busy.
const MAX_ATTEMPTS: usize = 10_000;

/// Returns whether the record expires earlier than the state that it replaces. Waiters have set their timers to the end
/// of the latter, and must be notified.
fn ends_earlier(record: &Record, known: &KnownVersion) -> bool {
    let end = |deadline: Option<Timestamp>| deadline.unwrap_or(Timestamp::MAX);
    end(record.meta.deadline) < end(known.deadline)
}

impl<R: RecordStore + ?Sized, L: Locks + ?Sized> LockedStore<R, L> {
    pub(super) async fn create_record(&self, key: &SessionKey, record: Record) -> Result<(), Failure> {
        for _ in 0..MAX_ATTEMPTS {
            let entry = self.live_entry(&record);
            if self.store.insert(key, entry).await? == Applied::Yes {
                return Ok(());
            }
            self.remove_expired(key).await?;
        }
        Err(StorageErrorKind::Other.into())
    }

    pub(super) async fn commit_record(&self, lock: &mut Lock, record: Record) -> Result<(), Failure> {
        let id = lock.id();
        let mut known = self.known_version(&id).await?;
        for _ in 0..MAX_ATTEMPTS {
            let entry = self.live_entry(&record);
            if self.store.replace(&id.key, known.version, entry).await? == Applied::Yes {
                self.release_written(lock, ends_earlier(&record, &known)).await;
                return Ok(());
            }
            // Another version is stored: try again after a touch, fail after a write.
            known = self.reload_version(&id).await?;
        }
        Err(StorageErrorKind::Other.into())
    }

    /// Replaces the record under a lock that was just taken, unless the store has another entry by now. The lock is
    /// released in any case.
    pub(super) async fn replace_record(&self, mut lock: Lock, record: Record) -> Result<bool, Failure> {
        let id = lock.id();
        let Some(known) = self.shared.held_locks.known_version(&id, self.now()) else {
            return Ok(false);
        };
        let entry = self.live_entry(&record);
        let replaced = self.store.replace(&id.key, known.version, entry).await? == Applied::Yes;
        self.release_written(&mut lock, replaced && ends_earlier(&record, &known))
            .await;
        Ok(replaced)
    }

    pub(super) async fn rotate_record(
        &self,
        lock: &mut Lock,
        new_key: &SessionKey,
        record: Record,
        grace: Duration,
    ) -> Result<(), Failure> {
        let id = lock.id();
        let mut known = self.known_version(&id).await?;
        for _ in 0..MAX_ATTEMPTS {
            let moved = self.moved_entry(new_key, grace);
            let entry = self.live_entry(&record);
            let renamed = self.store.rename(&id.key, known.version, moved, new_key, entry).await?;
            if renamed == Applied::Yes {
                self.release_written(lock, true).await;
                return Ok(());
            }
            let current = self.reload_version(&id).await?;
            if current.version == known.version {
                // The old entry is unchanged, so there is an entry under the new key.
                self.remove_expired(new_key).await?;
            }
            known = current;
        }
        Err(StorageErrorKind::Other.into())
    }

    pub(super) async fn touch_record(
        &self,
        key: &SessionKey,
        version: u64,
        deadline: Option<Timestamp>,
        last_active: Timestamp,
    ) -> Result<bool, Failure> {
        for _ in 0..MAX_ATTEMPTS {
            let found = self.require_live(key).await?;
            if found.live.meta.version != version {
                return Ok(false);
            }
            let mut live = found.live.clone();
            live.meta.touch(deadline, last_active);
            if live == found.live {
                return Ok(true);
            }
            let deadline = live.meta.deadline;
            let head = KeyState::Live(live).head(self.new_version(), deadline);
            // The version of the entry implies the version of its record, so this one step compares both.
            if self.store.touch(&found.key, found.version, head).await? == Applied::Yes {
                return Ok(true);
            }
        }
        Err(StorageErrorKind::Other.into())
    }

    pub(super) async fn destroy_record(&self, key: &SessionKey) -> Result<Lookup<()>, Failure> {
        for _ in 0..MAX_ATTEMPTS {
            let found = match self.find_moved(key).await? {
                Lookup::Found(found) => found,
                Lookup::Missing => return Ok(Lookup::Missing),
                Lookup::Superseded => return Ok(Lookup::Superseded),
            };
            // If the session has moved on meanwhile, the next attempt follows it.
            if self.store.remove(&found.key, found.version).await? == Applied::Yes {
                self.release_ended(&found.key);
                return Ok(Lookup::Found(()));
            }
        }
        Err(StorageErrorKind::Other.into())
    }

    /// Returns the state that the holder of a lock may replace, from the table if it cannot have expired.
    async fn known_version(&self, id: &LockId) -> Result<KnownVersion, Failure> {
        let now = self.now();
        match self.shared.held_locks.known_version(id, now) {
            Some(known) if known.deadline.is_none_or(|deadline| now < deadline) => Ok(known),
            _ => self.reload_version(id).await,
        }
    }

    /// Returns the stored state if the holder of a lock may replace it, and fails otherwise.
    pub(super) async fn reload_version(&self, id: &LockId) -> Result<KnownVersion, Failure> {
        let found = self.require_live(&id.key).await?;
        let current = found.known_version();
        // A session under another key has moved and left the lock behind.
        if found.key == id.key && self.shared.held_locks.update_version(id, current, self.now()) {
            Ok(current)
        } else {
            Err(StorageErrorKind::LockLost.into())
        }
    }

    /// Releases and disarms the lock after a write. An error does not undo the write; the lock then ends with its
    /// lease.
    async fn release_written(&self, lock: &mut Lock, may_have_ended: bool) {
        // The lock leaves the table before the await, so dropping this future releases it, too.
        let held = self.shared.held_locks.remove(&lock.id());
        lock.disarm();
        if may_have_ended {
            self.shared.notifiers.notify(lock.key());
        }
        if let Some(held) = held {
            drop(self.locks.release(held.lock).await);
        }
    }

    /// Removes the expired entry under a key, and fails if there is one that has not expired.
    async fn remove_expired(&self, key: &SessionKey) -> Result<(), Failure> {
        if !matches!(self.find(key, Part::Head).await?, Lookup::Missing) {
            return Err(StorageErrorKind::Exists.into());
        }
        if let Some(head) = self.store.head(key).await? {
            let _ = self.store.remove(key, head.version).await?;
        }
        Ok(())
    }

    /// Creates the entry of a session.
    fn live_entry(&self, record: &Record) -> Entry {
        let version = self.new_version();
        let live = Live {
            meta: record.meta.clone(),
            written: version,
            payload_len: Some(record.payload.len() as u64),
        };
        let head = KeyState::Live(live).head(version, record.meta.deadline);
        Entry::new(head, record.payload.clone())
    }

    /// Creates the entry that a session leaves under its old key, unless it would expire immediately.
    fn moved_entry(&self, to: &SessionKey, grace: Duration) -> Option<Entry> {
        let now = self.now();
        let alias_until = now + grace;
        let until = alias_until + self.shared.tombstone_ttl;
        if until <= now {
            return None;
        }
        // Without a grace it is no alias by any clock, not even by one that is slow.
        let alias_until = if grace.is_zero() { Timestamp::MIN } else { alias_until };
        let moved = KeyState::Moved(Moved { to: *to, alias_until });
        let head = moved.head(self.new_version(), Some(until));
        Some(Entry::new(head, Bytes::new()))
    }
}
