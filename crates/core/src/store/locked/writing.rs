//! The steps that change what is stored.

use std::time::Duration;

use bytes::Bytes;

use super::Paired;
use super::failure::Failure;
use super::key_state::{KeyState, Live, Moved};
use super::lock_table::KnownVersion;
use super::lookup::Part;
use crate::clock::Timestamp;
use crate::id::SessionKey;
use crate::storage::{Lock, LockTicket, Lookup, Record, StorageErrorKind};
use crate::store::{Applied, Entry, Locks, RecordStore};

/// How often a step is tried anew because the entry has changed. Each time another one's step was taken, so a store
/// that comes to this end is more likely to be broken than to be busy.
const ROUNDS: usize = 10_000;

impl<R: RecordStore + ?Sized, L: Locks + ?Sized> Paired<R, L> {
    pub(super) async fn create_record(&self, key: &SessionKey, record: Record) -> Result<(), Failure> {
        for _ in 0..ROUNDS {
            let entry = self.entry(&record);
            if self.store.insert(key, entry).await? == Applied::Yes {
                return Ok(());
            }
            self.make_room(key).await?;
        }
        Err(StorageErrorKind::Other.into())
    }

    pub(super) async fn commit_record(&self, lock: &mut Lock, record: Record) -> Result<(), Failure> {
        let ticket = lock.ticket();
        let mut base = self.base(&ticket).await?;
        for _ in 0..ROUNDS {
            let entry = self.entry(&record);
            if self.store.replace(&ticket.key, base.version, entry).await? == Applied::Yes {
                let end = |deadline: Option<Timestamp>| deadline.unwrap_or(Timestamp::MAX);
                // Those who wait have set their timers to the end that the session had.
                let look = end(record.meta.deadline) < end(base.deadline);
                self.given_up(lock, look).await;
                return Ok(());
            }
            base = self.reload(&ticket).await?;
        }
        Err(StorageErrorKind::Other.into())
    }

    /// Replaces the record under a lock that was just taken, unless the store has another entry by now. The lock is given
    /// up in any case.
    pub(super) async fn replace_record(&self, mut lock: Lock, record: Record) -> Result<bool, Failure> {
        let ticket = lock.ticket();
        let Some(base) = self.parts.held.base(&ticket, self.now()) else {
            return Ok(false);
        };
        let entry = self.entry(&record);
        let replaced = self.store.replace(&ticket.key, base.version, entry).await? == Applied::Yes;
        let end = |deadline: Option<Timestamp>| deadline.unwrap_or(Timestamp::MAX);
        let look = replaced && end(record.meta.deadline) < end(base.deadline);
        self.given_up(&mut lock, look).await;
        Ok(replaced)
    }

    pub(super) async fn rotate_record(
        &self,
        lock: &mut Lock,
        new_key: &SessionKey,
        record: Record,
        grace: Duration,
    ) -> Result<(), Failure> {
        let ticket = lock.ticket();
        let mut base = self.base(&ticket).await?;
        for _ in 0..ROUNDS {
            let left = self.left_behind(new_key, grace);
            let entry = self.entry(&record);
            let renamed = self
                .store
                .rename(&ticket.key, base.version, left, new_key, entry)
                .await?;
            if renamed == Applied::Yes {
                self.given_up(lock, true).await;
                return Ok(());
            }
            let current = self.reload(&ticket).await?;
            if current.version == base.version {
                self.make_room(new_key).await?;
            }
            base = current;
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
        for _ in 0..ROUNDS {
            let found = self.need(key).await?;
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
            // The entry with this version is of the record that was looked at, so the two are compared in one step.
            if self.store.touch(&found.key, found.version, head).await? == Applied::Yes {
                return Ok(true);
            }
        }
        Err(StorageErrorKind::Other.into())
    }

    pub(super) async fn destroy_record(&self, key: &SessionKey) -> Result<Lookup<()>, Failure> {
        for _ in 0..ROUNDS {
            let found = match self.trace(key).await? {
                Lookup::Found(found) => found,
                Lookup::Missing => return Ok(Lookup::Missing),
                Lookup::Superseded => return Ok(Lookup::Superseded),
            };
            // Where it has moved on meanwhile, it is followed anew.
            if self.store.remove(&found.key, found.version).await? == Applied::Yes {
                self.end(&found.key);
                return Ok(Lookup::Found(()));
            }
        }
        Err(StorageErrorKind::Other.into())
    }

    /// What the holder of a lock may replace, as far as is known here.
    async fn base(&self, ticket: &LockTicket) -> Result<KnownVersion, Failure> {
        let now = self.now();
        match self.parts.held.base(ticket, now) {
            Some(base) if base.deadline.is_none_or(|deadline| now < deadline) => Ok(base),
            _ => self.reload(ticket).await,
        }
    }

    /// What the holder of a lock may replace, as it stands in the store, or why he may not.
    pub(super) async fn reload(&self, ticket: &LockTicket) -> Result<KnownVersion, Failure> {
        let found = self.need(&ticket.key).await?;
        let base = found.known_version();
        // Under another key the session has moved and left the lock behind.
        if found.key == ticket.key && self.parts.held.follow(ticket, base, self.now()) {
            Ok(base)
        } else {
            Err(StorageErrorKind::LockLost.into())
        }
    }

    /// The write is done: spends the lock and frees the session. A failure of that does not undo the write; the lock
    /// then ends with its lease.
    async fn given_up(&self, lock: &mut Lock, look: bool) {
        let held = self.parts.held.take(&lock.ticket());
        lock.spend();
        if look {
            self.parts.watches.wake(lock.key());
        }
        if let Some(held) = held {
            drop(self.locks.release(held.lock).await);
        }
    }

    /// Removes what is still stored under a key that is missing.
    async fn make_room(&self, key: &SessionKey) -> Result<(), Failure> {
        if !matches!(self.find(key, Part::Head).await?, Lookup::Missing) {
            return Err(StorageErrorKind::Exists.into());
        }
        if let Some(head) = self.store.head(key).await? {
            let _ = self.store.remove(key, head.version).await?;
        }
        Ok(())
    }

    /// The entry of a session.
    fn entry(&self, record: &Record) -> Entry {
        let version = self.new_version();
        let live = Live {
            meta: record.meta.clone(),
            written: version,
        };
        Entry {
            head: KeyState::Live(live).head(version, record.meta.deadline),
            payload: record.payload.clone(),
        }
    }

    /// The entry that stays where a session has been, if any.
    fn left_behind(&self, to: &SessionKey, grace: Duration) -> Option<Entry> {
        let now = self.now();
        let alias_until = now + grace;
        let until = alias_until + self.parts.tombstone_ttl;
        if until <= now {
            return None;
        }
        // Without a grace it is no alias by anybody's clock.
        let alias_until = if grace.is_zero() { Timestamp::MIN } else { alias_until };
        let moved = KeyState::Moved(Moved { to: *to, alias_until });
        Some(Entry {
            head: moved.head(self.new_version(), Some(until)),
            payload: Bytes::new(),
        })
    }
}
