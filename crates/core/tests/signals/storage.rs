//! A storage, a clock and a source of random bits that signal whenever they are called.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use sessile_core::{
    Capabilities, Clock, Cursor, Entropy, Lock, LockTicket, Locked, Lookup, OsEntropy, Page, Record, SessionKey,
    Storage, StorageError, Stored, Timestamp, Unlock,
};

use crate::bell::{Bell, Source};

/// Rings when it is dropped.
#[derive(Debug)]
pub(crate) struct RingsDropped(pub(crate) Arc<Bell>, pub(crate) Source);

impl Drop for RingsDropped {
    fn drop(&mut self) {
        self.0.ring(self.1);
    }
}

#[derive(Debug)]
pub(crate) struct RingingClock<C>(pub(crate) C, pub(crate) Arc<Bell>);

impl<C: Clock> Clock for RingingClock<C> {
    fn now(&self) -> Timestamp {
        self.1.ring(Source::Clock);
        self.0.now()
    }
}

#[derive(Debug)]
pub(crate) struct RingingEntropy(pub(crate) Arc<Bell>);

impl Entropy for RingingEntropy {
    fn fill(&self, bytes: &mut [u8]) {
        self.0.ring(Source::Entropy);
        OsEntropy.fill(bytes);
    }
}

/// Takes a lock back.
struct RingingUnlock(Arc<Bell>, std::sync::Mutex<Option<Lock>>);

impl Unlock for RingingUnlock {
    fn unlock(&self, _: LockTicket) {
        self.0.ring(Source::Unlock);
        let lock = self.1.lock().expect("nobody panics with it").take();
        drop(lock);
    }
}

/// A storage that signals.
#[derive(Debug)]
pub(crate) struct RingingStorage<C> {
    inner: Arc<dyn Storage>,
    clock: RingingClock<C>,
    bell: Arc<Bell>,
}

impl<C: Clock> RingingStorage<C> {
    pub(crate) fn new(inner: Arc<dyn Storage>, clock: C, bell: Arc<Bell>) -> Self {
        Self {
            inner,
            clock: RingingClock(clock, Arc::clone(&bell)),
            bell,
        }
    }

    async fn call<T>(&self, verb: impl Future<Output = T>) -> T {
        let _dropped = RingsDropped(Arc::clone(&self.bell), Source::VerbDropped);
        self.bell.ring(Source::Asked);
        let answer = verb.await;
        self.bell.ring(Source::Answering);
        answer
    }
}

#[async_trait]
impl<C: Clock> Storage for RingingStorage<C> {
    fn name(&self) -> &'static str {
        self.bell.ring(Source::Name);
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
            let (ticket, lease) = (lock.ticket(), lock.lease());
            let unlock = RingingUnlock(Arc::clone(&self.bell), Some(lock).into());
            Locked::new(Lock::new(ticket, lease, Arc::new(unlock)), record)
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

    async fn renew(&self, lock: &LockTicket) -> Result<(), StorageError> {
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
