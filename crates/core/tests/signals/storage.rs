//! A storage, a clock and an entropy source that trigger the callback whenever they are called.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use sessile_core::{
    Capabilities, Clock, Cursor, Entropy, Lock, LockId, Locked, Lookup, OsEntropy, Page, Record, SessionKey, Storage,
    StorageError, Stored, Timestamp, Unlock,
};

use crate::callback::{Callback, Source};

/// Triggers the callback when it is dropped.
#[derive(Debug)]
pub(crate) struct CallbackOnDrop(pub(crate) Arc<Callback>, pub(crate) Source);

impl Drop for CallbackOnDrop {
    fn drop(&mut self) {
        self.0.trigger(self.1);
    }
}

#[derive(Debug)]
pub(crate) struct CallbackClock<C>(pub(crate) C, pub(crate) Arc<Callback>);

impl<C: Clock> Clock for CallbackClock<C> {
    fn now(&self) -> Timestamp {
        self.1.trigger(Source::Clock);
        self.0.now()
    }
}

#[derive(Debug)]
pub(crate) struct CallbackEntropy(pub(crate) Arc<Callback>);

impl Entropy for CallbackEntropy {
    fn fill(&self, bytes: &mut [u8]) {
        self.0.trigger(Source::Entropy);
        OsEntropy.fill(bytes);
    }
}

/// Returns a dropped lock to the inner storage.
struct CallbackUnlock(Arc<Callback>, std::sync::Mutex<Option<Lock>>);

impl Unlock for CallbackUnlock {
    fn unlock(&self, _: LockId) {
        self.0.trigger(Source::Unlock);
        let lock = self.1.lock().expect("the mutex is never poisoned").take();
        drop(lock);
    }
}

/// A storage that triggers the callback.
#[derive(Debug)]
pub(crate) struct CallbackStorage<C> {
    inner: Arc<dyn Storage>,
    clock: CallbackClock<C>,
    callback: Arc<Callback>,
}

impl<C: Clock> CallbackStorage<C> {
    pub(crate) fn new(inner: Arc<dyn Storage>, clock: C, callback: Arc<Callback>) -> Self {
        Self {
            inner,
            clock: CallbackClock(clock, Arc::clone(&callback)),
            callback,
        }
    }

    async fn call<T>(&self, operation: impl Future<Output = T>) -> T {
        let _dropped = CallbackOnDrop(Arc::clone(&self.callback), Source::OperationDropped);
        self.callback.trigger(Source::BeforeOperation);
        let reply = operation.await;
        self.callback.trigger(Source::AfterOperation);
        reply
    }
}

#[async_trait]
impl<C: Clock> Storage for CallbackStorage<C> {
    fn name(&self) -> &'static str {
        self.callback.trigger(Source::Name);
        self.inner.name()
    }

    fn clock(&self) -> &dyn Clock {
        &self.clock
    }

    fn capabilities(&self) -> Capabilities<'_> {
        self.inner.capabilities()
    }

    async fn read(&self, key: &SessionKey) -> Result<Lookup<Stored>, StorageError> {
        self.call(self.inner.read(key)).await
    }

    async fn lock(&self, key: &SessionKey, wait: Duration) -> Result<Lookup<Locked>, StorageError> {
        let found = self.call(self.inner.lock(key, wait)).await?;
        Ok(found.map(|Locked { lock, record, .. }| {
            let (id, lease) = (lock.id(), lock.lease());
            let unlock = CallbackUnlock(Arc::clone(&self.callback), Some(lock).into());
            Locked::new(Lock::new(id, lease, Arc::new(unlock)), record)
        }))
    }

    async fn create(&self, key: &SessionKey, record: Record) -> Result<(), StorageError> {
        self.call(self.inner.create(key, record)).await
    }

    async fn commit(&self, lock: &mut Lock, record: Record) -> Result<(), StorageError> {
        self.call(self.inner.commit(lock, record)).await
    }

    async fn replace(&self, known: &Stored, record: Record) -> Result<bool, StorageError> {
        self.call(self.inner.replace(known, record)).await
    }

    async fn rotate(
        &self,
        lock: &mut Lock,
        new_key: &SessionKey,
        record: Record,
        grace: Duration,
    ) -> Result<(), StorageError> {
        let rotate = self.inner.rotate(lock, new_key, record, grace);
        self.call(rotate).await
    }

    async fn release(&self, lock: Lock) -> Result<(), StorageError> {
        self.call(self.inner.release(lock)).await
    }

    async fn renew(&self, lock: &LockId) -> Result<(), StorageError> {
        self.call(self.inner.renew(lock)).await
    }

    async fn touch(
        &self,
        key: &SessionKey,
        version: u64,
        deadline: Option<Timestamp>,
        last_active: Timestamp,
    ) -> Result<bool, StorageError> {
        self.call(self.inner.touch(key, version, deadline, last_active)).await
    }

    async fn destroy(&self, key: &SessionKey) -> Result<Lookup<()>, StorageError> {
        self.call(self.inner.destroy(key)).await
    }

    async fn scan(&self, cursor: Option<Cursor>, limit: usize) -> Result<Page, StorageError> {
        self.inner.scan(cursor, limit).await
    }

    async fn sweep(&self, limit: usize) -> Result<Vec<Stored>, StorageError> {
        self.inner.sweep(limit).await
    }

    async fn drain(&self, patience: Duration) {
        self.inner.drain(patience).await;
    }
}
