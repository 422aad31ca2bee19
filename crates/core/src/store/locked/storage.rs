//! Implements [`Storage`] for [`LockedStore`].

use std::time::Duration;

use async_trait::async_trait;

use super::LockedStore;
use super::key_state::KeyState;
use super::lookup::Part;
use crate::clock::{Clock, Timestamp};
use crate::id::SessionKey;
use crate::storage::{
    Capabilities, Cursor, ImmediateStorage, Lock, LockId, Locked, Lookup, Page, Record, SessionHead, Storage,
    StorageError, Stored, into_replace_error, lock_if_unchanged,
};
use crate::store::{Locks, RecordStore};

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl<R: RecordStore + ?Sized, L: Locks + ?Sized> Storage for LockedStore<R, L> {
    /// Returns the name of the store.
    fn name(&self) -> &'static str {
        self.store.name()
    }

    /// Returns the clock of the locks.
    fn clock(&self) -> &dyn Clock {
        self.locks.clock()
    }

    fn capabilities(&self) -> Capabilities<'_> {
        Capabilities::none().with_usage(self.store.capabilities().usage())
    }

    /// Returns `None`: the store and the locks are asynchronous.
    fn immediate(&self) -> Option<&dyn ImmediateStorage> {
        None
    }

    async fn read(&self, key: &SessionKey) -> Result<Lookup<Stored>, StorageError> {
        let found = self
            .find(key, Part::Whole)
            .await
            .map_err(|failure| self.error("read", failure))?;
        Ok(found.map(|found| Stored::new(found.key, found.into_record())))
    }

    async fn lock(&self, key: &SessionKey, wait: Duration) -> Result<Lookup<Locked>, StorageError> {
        let locked = self.lock_session(key, wait).await;
        locked.map_err(|failure| self.error("lock", failure))
    }

    async fn create(&self, key: &SessionKey, record: Record) -> Result<(), StorageError> {
        let created = self.create_record(key, record).await;
        created.map_err(|failure| self.error("create", failure))
    }

    async fn commit(&self, lock: &mut Lock, record: Record) -> Result<(), StorageError> {
        let committed = self.commit_record(lock, record).await;
        committed.map_err(|failure| self.error("commit", failure))
    }

    async fn replace(&self, known: &Stored, record: Record) -> Result<bool, StorageError> {
        let Some(lock) = lock_if_unchanged(self, known).await.map_err(into_replace_error)? else {
            return Ok(false);
        };
        let replaced = self.replace_record(lock, record).await;
        replaced.map_err(|failure| self.error("replace", failure))
    }

    async fn rotate(
        &self,
        lock: &mut Lock,
        new_key: &SessionKey,
        record: Record,
        grace: Duration,
    ) -> Result<(), StorageError> {
        let rotated = self.rotate_record(lock, new_key, record, grace).await;
        rotated.map_err(|failure| self.error("rotate", failure))
    }

    async fn release(&self, lock: Lock) -> Result<(), StorageError> {
        let released = self.release_lock(lock).await;
        released.map_err(|error| self.error("release", error.into()))
    }

    async fn renew(&self, id: &LockId) -> Result<(), StorageError> {
        let renewed = self.renew_lease(id).await;
        renewed.map_err(|failure| self.error("renew", failure))
    }

    async fn touch(
        &self,
        key: &SessionKey,
        version: u64,
        deadline: Option<Timestamp>,
        last_active: Timestamp,
    ) -> Result<bool, StorageError> {
        let touched = self.touch_record(key, version, deadline, last_active).await;
        touched.map_err(|failure| self.error("touch", failure))
    }

    async fn destroy(&self, key: &SessionKey) -> Result<Lookup<()>, StorageError> {
        let destroyed = self.destroy_record(key).await;
        destroyed.map_err(|failure| self.error("destroy", failure))
    }

    /// Lists the live sessions that the store lists. If the store lists keys in an order, a session that gets a new id
    /// during the scan may be missed, as its new key may come before the current position.
    ///
    /// The lengths of payloads are known of sessions with facts only.
    async fn scan(&self, cursor: Option<Cursor>, limit: usize) -> Result<Page, StorageError> {
        let list = self.store.scan(cursor, limit).await;
        let list = list.map_err(|error| self.error("scan", error.into()))?;
        let now = self.now();
        let live = list
            .entries
            .into_iter()
            .filter_map(|(key, head)| match KeyState::read(&head) {
                Some(KeyState::Live(live)) if !live.meta.has_expired(now) => {
                    let mut head = SessionHead::new(key, live.meta);
                    head.payload_len = live.payload_len.and_then(|length| usize::try_from(length).ok());
                    Some(head)
                }
                _ => None,
            });
        Ok(Page::new(live.collect(), list.next))
    }

    async fn sweep(&self, limit: usize) -> Result<Vec<Stored>, StorageError> {
        let mut swept = Vec::new();
        let now = self.now();
        // Expired aliases and tombstones are removed without being returned. The call ends as soon as it has sessions
        // to return: dropping it at another await would lose them.
        let mut more = limit > 0;
        while more {
            let taken = self.store.take_expired(now, limit).await;
            let taken = taken.map_err(|error| self.error("sweep", error.into()))?;
            more = taken.len() >= limit;
            for (key, entry) in taken {
                self.release_ended(&key);
                if let Some(KeyState::Live(live)) = KeyState::read(&entry.head) {
                    let record = Record::new(live.meta, entry.payload);
                    swept.push(Stored::new(key, record));
                }
            }
            more &= swept.is_empty();
        }
        Ok(swept)
    }

    /// Releases the locks and drains them. A holder whose lock was released can no longer write.
    async fn drain(&self, patience: Duration) {
        self.drain_locks(patience).await;
    }
}
