//! A storage whose hints are not offered, are lost, or come twice.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use sessile_core::{
    Capabilities, Clock, Cursor, Lock, LockId, Locked, Lookup, Page, Record, Session, SessionKey, Storage,
    StorageError, Stored, Timestamp, Watch, WatchSessions, Watchers,
};

use crate::common::*;

#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum How {
    Missing,
    Lost,
    Doubled,
}

#[derive(Debug)]
pub(crate) struct Hinted {
    inner: Arc<Plain>,
    how: How,
    watchers: Watchers,
}

impl Fixture {
    /// Returns a session on the same storage with these hints, and the watchers of the storage.
    pub(crate) fn hinted(&self, how: How) -> (Session, Watchers) {
        let watchers = Watchers::new();
        let storage = Hinted {
            inner: Arc::clone(&self.storage),
            how,
            watchers: watchers.clone(),
        };
        let builder = Session::builder(storage).default_expiration(sessile_core::Expiration::Never);
        (builder.epochs(true).build(), watchers)
    }
}

impl Hinted {
    async fn wake(&self, key: &SessionKey) {
        if self.how == How::Doubled {
            self.watchers.wake(key);
            tokio::task::yield_now().await;
            self.watchers.wake(key);
        }
    }
}

impl WatchSessions for Hinted {
    fn watch(&self, key: &SessionKey) -> Watch {
        self.watchers.watch(key)
    }
}

#[async_trait]
impl Storage for Hinted {
    fn name(&self) -> &'static str {
        "hinted"
    }

    fn clock(&self) -> &dyn Clock {
        self.inner.clock()
    }

    fn capabilities(&self) -> Capabilities<'_> {
        Capabilities::none().with_watch((self.how != How::Missing).then_some(self))
    }

    async fn read(&self, key: &SessionKey) -> Result<Lookup<Stored>, StorageError> {
        self.inner.read(key).await
    }

    async fn lock(&self, key: &SessionKey, wait: Duration) -> Result<Lookup<Locked>, StorageError> {
        self.inner.lock(key, wait).await
    }

    async fn create(&self, key: &SessionKey, record: Record) -> Result<(), StorageError> {
        self.inner.create(key, record).await
    }

    async fn commit(&self, lock: &mut Lock, record: Record) -> Result<(), StorageError> {
        let key = lock.id().key;
        self.inner.commit(lock, record).await?;
        self.wake(&key).await;
        Ok(())
    }

    async fn replace(&self, known: &Stored, record: Record) -> Result<bool, StorageError> {
        let replaced = self.inner.replace(known, record).await?;
        self.wake(&known.key).await;
        Ok(replaced)
    }

    async fn rotate(
        &self,
        lock: &mut Lock,
        new_key: &SessionKey,
        record: Record,
        grace: Duration,
    ) -> Result<(), StorageError> {
        self.inner.rotate(lock, new_key, record, grace).await
    }

    async fn release(&self, lock: Lock) -> Result<(), StorageError> {
        self.inner.release(lock).await
    }

    async fn renew(&self, lock: &LockId) -> Result<(), StorageError> {
        self.inner.renew(lock).await
    }

    async fn touch(
        &self,
        key: &SessionKey,
        version: u64,
        deadline: Option<Timestamp>,
        last_active: Timestamp,
    ) -> Result<bool, StorageError> {
        self.inner.touch(key, version, deadline, last_active).await
    }

    async fn destroy(&self, key: &SessionKey) -> Result<Lookup<()>, StorageError> {
        self.inner.destroy(key).await
    }

    async fn scan(&self, cursor: Option<Cursor>, limit: usize) -> Result<Page, StorageError> {
        self.inner.scan(cursor, limit).await
    }

    async fn sweep(&self, limit: usize) -> Result<Vec<Stored>, StorageError> {
        self.inner.sweep(limit).await
    }
}
