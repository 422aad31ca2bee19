//! [`Slow`]: a storage with delays.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use sessile_core::{
    Capabilities, Clock, Cursor, ImmediateStorage, Lock, LockId, Locked, Lookup, Page, Record, SessionKey, Storage,
    StorageError, Stored, Timestamp,
};

use crate::locked;
use crate::operation::Operation;

/// A storage that delays calls before or after they take effect.
///
/// [`Delays`] sets the delays, also while calls are in progress: each call looks its delay up when it needs it. They
/// use [`tokio::time`], so that a test with paused time does not wait.
///
/// ```
/// use std::time::Duration;
/// use sessile_core::{OsEntropy, SessionId, Storage};
/// use sessile_testkit::{ModelStorage, Operation, Slow};
///
/// # #[tokio::main(flavor = "current_thread", start_paused = true)] async fn main() {
/// let storage = Slow::new(ModelStorage::new());
/// let delays = storage.delays();
/// delays.before(Operation::Read, Duration::from_secs(5));
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
    /// Wraps a storage. Calls are delayed once delays are set.
    pub fn new(inner: S) -> Self {
        Self::shared(Arc::new(inner))
    }
}

impl<S: Storage + ?Sized> Slow<S> {
    /// Wraps a shared storage. Delays only calls through this wrapper.
    pub fn shared(inner: Arc<S>) -> Self {
        Self {
            delays: Delays::default(),
            inner,
        }
    }

    /// Returns the delays, which can be set while the storage is in use elsewhere.
    #[must_use]
    pub fn delays(&self) -> Delays {
        self.delays.clone()
    }

    /// Returns the inner storage.
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

/// Without a delay there is no yield either: the storage behaves as without the wrapper.
async fn pause(delay: Duration) {
    if !delay.is_zero() {
        tokio::time::sleep(delay).await;
    }
}

/// The delays of a [`Slow`] storage. Clones share their data.
#[derive(Debug, Clone, Default)]
pub struct Delays(Arc<Mutex<[Delay; Operation::ALL.len()]>>);

#[derive(Debug, Clone, Copy, Default)]
struct Delay {
    before: Duration,
    after: Duration,
}

impl Delays {
    /// Delays this operation before it takes effect, like a slow request.
    pub fn before(&self, operation: Operation, delay: Duration) {
        locked(&self.0)[operation.index()].before = delay;
    }

    /// Delays this operation after it took effect, like a slow reply.
    pub fn after(&self, operation: Operation, delay: Duration) {
        locked(&self.0)[operation.index()].after = delay;
    }

    /// Delays every operation before it takes effect.
    pub fn before_all(&self, delay: Duration) {
        Operation::ALL
            .iter()
            .for_each(|operation| self.before(*operation, delay));
    }

    /// Removes all delays.
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

    /// Returns `None`: immediate functions cannot be delayed.
    fn immediate(&self) -> Option<&dyn ImmediateStorage> {
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

    async fn renew(&self, lock: &LockId) -> Result<(), StorageError> {
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
