//! [`Slow`]: a storage that takes its time.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use sessile_core::{
    AtOnce, Capabilities, Clock, Cursor, Lock, LockTicket, Locked, Lookup, Page, Record, SessionKey, Storage,
    StorageError, Stored, Timestamp,
};

use crate::locked;
use crate::operation::Operation;

/// A storage that waits before it does something, or before it says that it has done it.
///
/// The delays belong to [`Delays`], can be changed while calls are under way (a call looks its delay up when it comes
/// to it) and run on [`tokio::time`], so that in a test with paused time they take none.
///
/// ```
/// use std::time::Duration;
/// use sessile_core::{OsEntropy, SessionId, Storage};
/// use sessile_testkit::{ModelStorage, Slow, Verb};
///
/// # #[tokio::main(flavor = "current_thread", start_paused = true)] async fn main() {
/// let storage = Slow::new(ModelStorage::new());
/// let delays = storage.delays();
/// delays.before(Verb::Read, Duration::from_secs(5));
///
/// let key = SessionId::generate(&OsEntropy).key();
/// let reading = storage.read(&key);
/// assert!(tokio::time::timeout(Duration::from_secs(4), reading).await.is_err());
/// # }
/// ```
#[derive(Debug)]
pub struct Slow<S: ?Sized> {
    delays: Delays,
    inner: Arc<S>,
}

impl<S: Storage> Slow<S> {
    /// Slows this storage down, once told how.
    pub fn new(inner: S) -> Self {
        Self::shared(Arc::new(inner))
    }
}

impl<S: Storage + ?Sized> Slow<S> {
    /// Slows the calls down that are made through here to a storage that others may use as well.
    pub fn shared(inner: Arc<S>) -> Self {
        Self {
            delays: Delays::default(),
            inner,
        }
    }

    /// The delays, to be set while the storage is in use elsewhere.
    #[must_use]
    pub fn delays(&self) -> Delays {
        self.delays.clone()
    }

    /// The storage that is slowed down.
    #[must_use]
    pub fn inner(&self) -> &Arc<S> {
        &self.inner
    }

    async fn around<T>(
        &self,
        operation: Operation,
        call: impl Future<Output = Result<T, StorageError>>,
    ) -> Result<T, StorageError> {
        pause(self.delays.of(operation).before).await;
        let result = call.await;
        pause(self.delays.of(operation).after).await;
        result
    }
}

/// Not even a yield when there is no delay: a storage that is not slowed down behaves as if it stood alone.
async fn pause(delay: Duration) {
    if !delay.is_zero() {
        tokio::time::sleep(delay).await;
    }
}

/// The delays of a [`Slow`] storage. Clones share them.
#[derive(Debug, Clone, Default)]
pub struct Delays(Arc<Mutex<[Delay; Operation::ALL.len()]>>);

#[derive(Debug, Clone, Copy, Default)]
struct Delay {
    before: Duration,
    after: Duration,
}

impl Delays {
    /// From now on this verb waits before it does anything: the request is slow.
    pub fn before(&self, operation: Operation, delay: Duration) {
        locked(&self.0)[operation.index()].before = delay;
    }

    /// From now on this verb waits after it has taken effect: the answer is slow.
    pub fn after(&self, operation: Operation, delay: Duration) {
        locked(&self.0)[operation.index()].after = delay;
    }

    /// From now on every verb waits before it does anything.
    pub fn before_all(&self, delay: Duration) {
        Operation::ALL
            .iter()
            .for_each(|operation| self.before(*operation, delay));
    }

    /// From now on nothing waits.
    pub fn clear(&self) {
        *locked(&self.0) = Default::default();
    }

    fn of(&self, operation: Operation) -> Delay {
        locked(&self.0)[operation.index()]
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl<S: Storage + ?Sized> Storage for Slow<S> {
    fn name(&self) -> &'static str {
        self.inner.name()
    }

    fn clock(&self) -> &dyn Clock {
        self.inner.clock()
    }

    fn capabilities(&self) -> Capabilities<'_> {
        self.inner.capabilities()
    }

    /// None: what takes its time does not answer at once.
    fn at_once(&self) -> Option<&dyn AtOnce> {
        None
    }

    async fn read(&self, key: &SessionKey) -> Result<Lookup<Stored>, StorageError> {
        self.around(Operation::Read, self.inner.read(key)).await
    }

    async fn lock(&self, key: &SessionKey, wait: Duration) -> Result<Lookup<Locked>, StorageError> {
        self.around(Operation::Lock, self.inner.lock(key, wait)).await
    }

    async fn create(&self, key: &SessionKey, record: Record) -> Result<(), StorageError> {
        self.around(Operation::Create, self.inner.create(key, record)).await
    }

    async fn commit(&self, lock: &mut Lock, record: Record) -> Result<(), StorageError> {
        self.around(Operation::Commit, self.inner.commit(lock, record)).await
    }

    async fn replace(&self, known: &Stored, record: Record) -> Result<bool, StorageError> {
        self.around(Operation::Replace, self.inner.replace(known, record)).await
    }

    async fn rotate(
        &self,
        lock: &mut Lock,
        new_key: &SessionKey,
        record: Record,
        grace: Duration,
    ) -> Result<(), StorageError> {
        self.around(Operation::Rotate, self.inner.rotate(lock, new_key, record, grace))
            .await
    }

    async fn release(&self, lock: Lock) -> Result<(), StorageError> {
        self.around(Operation::Release, self.inner.release(lock)).await
    }

    async fn renew(&self, lock: &LockTicket) -> Result<(), StorageError> {
        self.around(Operation::Renew, self.inner.renew(lock)).await
    }

    async fn touch(
        &self,
        key: &SessionKey,
        version: u64,
        deadline: Option<Timestamp>,
        last_active: Timestamp,
    ) -> Result<bool, StorageError> {
        self.around(Operation::Touch, self.inner.touch(key, version, deadline, last_active))
            .await
    }

    async fn destroy(&self, key: &SessionKey) -> Result<Lookup<()>, StorageError> {
        self.around(Operation::Destroy, self.inner.destroy(key)).await
    }

    async fn scan(&self, cursor: Option<Cursor>, limit: usize) -> Result<Page, StorageError> {
        self.around(Operation::Scan, self.inner.scan(cursor, limit)).await
    }

    async fn sweep(&self, limit: usize) -> Result<Vec<Stored>, StorageError> {
        self.around(Operation::Sweep, self.inner.sweep(limit)).await
    }

    async fn drain(&self, patience: Duration) {
        self.inner.drain(patience).await;
    }
}
