//! [`Counting`]: a storage that counts its calls.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use sessile_core::{
    Capabilities, Clock, Cursor, ImmediateStorage, Lock, LockId, Locked, Lookup, Page, Record, SessionKey, Storage,
    StorageError, Stored, Timestamp,
};

use crate::operation::Operation;

/// A storage that counts its calls.
///
/// A call counts when its future is first polled, independent of its result. The release of a dropped lock is not a
/// call.
///
/// ```
/// use sessile_core::{Lookup, OsEntropy, SessionId, Storage};
/// use sessile_testkit::{Counting, ModelStorage, Operation};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// let storage = Counting::new(ModelStorage::new());
/// let calls = storage.calls();
/// calls.assert_none();
///
/// let key = SessionId::generate(&OsEntropy).key();
/// assert_eq!(storage.read(&key).await.unwrap(), Lookup::Missing);
/// assert_eq!(calls.of(Operation::Read), 1);
/// assert_eq!(calls.take(), [(Operation::Read, 1)]);
/// assert_eq!(calls.total(), 0);
/// # }
/// ```
#[derive(Debug)]
pub struct Counting<S: ?Sized> {
    calls: Calls,
    inner: Arc<S>,
}

impl<S: Storage> Counting<S> {
    /// Wraps a storage and counts its calls.
    pub fn new(inner: S) -> Self {
        Self::shared(Arc::new(inner))
    }
}

impl<S: Storage + ?Sized> Counting<S> {
    /// Wraps a shared storage. Counts only the calls through this wrapper.
    pub fn shared(inner: Arc<S>) -> Self {
        Self {
            calls: Calls::default(),
            inner,
        }
    }

    /// Returns the counts, which can be read while the storage is in use elsewhere.
    #[must_use]
    pub fn calls(&self) -> Calls {
        self.calls.clone()
    }

    /// Returns the inner storage.
    #[must_use]
    pub fn inner(&self) -> &Arc<S> {
        &self.inner
    }
}

/// The counts of a [`Counting`] storage. Clones share their data.
#[derive(Clone, Default)]
pub struct Calls(Arc<[AtomicU64; Operation::ALL.len()]>);

impl Calls {
    /// Returns the number of calls of this operation.
    #[must_use]
    pub fn of(&self, operation: Operation) -> u64 {
        self.0[operation.index()].load(Ordering::SeqCst)
    }

    /// Returns the number of all calls.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.counts().total()
    }

    /// Returns the current counts.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.collect(|count| count.load(Ordering::SeqCst))
    }

    /// Returns the current counts and resets them.
    #[must_use]
    pub fn take(&self) -> Counts {
        self.collect(|count| count.swap(0, Ordering::SeqCst))
    }

    /// Resets the counts to zero.
    pub fn reset(&self) {
        drop(self.take());
    }

    /// Asserts that the storage has not been called.
    ///
    /// # Panics
    ///
    /// Panics if there were calls, and names the operations.
    #[track_caller]
    pub fn assert_none(&self) {
        let counts = self.counts();
        assert!(counts.total() == 0, "the storage was called: {counts:?}");
    }

    fn collect(&self, value: impl Fn(&AtomicU64) -> u64) -> Counts {
        let pairs = Operation::ALL.map(|operation| (operation, value(&self.0[operation.index()])));
        pairs.into()
    }

    fn count(&self, operation: Operation) {
        self.0[operation.index()].fetch_add(1, Ordering::SeqCst);
    }
}

impl fmt::Debug for Calls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.counts().fmt(f)
    }
}

/// The number of calls per operation. Equal to an array of operations and counts, in any order.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Counts(BTreeMap<Operation, u64>);

impl Counts {
    /// Returns the number of calls of this operation.
    #[must_use]
    pub fn of(&self, operation: Operation) -> u64 {
        self.0.get(&operation).copied().unwrap_or_default()
    }

    /// Returns the number of all calls.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.0.values().sum()
    }
}

impl<const N: usize> From<[(Operation, u64); N]> for Counts {
    fn from(pairs: [(Operation, u64); N]) -> Self {
        Self(pairs.into_iter().filter(|(_, count)| *count > 0).collect())
    }
}

impl<const N: usize> PartialEq<[(Operation, u64); N]> for Counts {
    fn eq(&self, other: &[(Operation, u64); N]) -> bool {
        let other = Self::from(*other);
        self.0 == other.0
    }
}

impl fmt::Debug for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl<S: Storage + ?Sized> Storage for Counting<S> {
    fn name(&self) -> &'static str {
        self.inner.name()
    }

    fn clock(&self) -> &dyn Clock {
        self.inner.clock()
    }

    fn capabilities(&self) -> Capabilities<'_> {
        self.inner.capabilities()
    }

    /// Returns `None`: only the futures count their calls.
    fn immediate(&self) -> Option<&dyn ImmediateStorage> {
        None
    }

    async fn read(&self, key: &SessionKey) -> Result<Lookup<Stored>, StorageError> {
        self.calls.count(Operation::Read);
        self.inner.read(key).await
    }

    async fn lock(&self, key: &SessionKey, wait: Duration) -> Result<Lookup<Locked>, StorageError> {
        self.calls.count(Operation::Lock);
        self.inner.lock(key, wait).await
    }

    async fn create(&self, key: &SessionKey, record: Record) -> Result<(), StorageError> {
        self.calls.count(Operation::Create);
        self.inner.create(key, record).await
    }

    async fn commit(&self, lock: &mut Lock, record: Record) -> Result<(), StorageError> {
        self.calls.count(Operation::Commit);
        self.inner.commit(lock, record).await
    }

    async fn replace(&self, known: &Stored, record: Record) -> Result<bool, StorageError> {
        self.calls.count(Operation::Replace);
        self.inner.replace(known, record).await
    }

    async fn rotate(
        &self,
        lock: &mut Lock,
        new_key: &SessionKey,
        record: Record,
        grace: Duration,
    ) -> Result<(), StorageError> {
        self.calls.count(Operation::Rotate);
        self.inner.rotate(lock, new_key, record, grace).await
    }

    async fn release(&self, lock: Lock) -> Result<(), StorageError> {
        self.calls.count(Operation::Release);
        self.inner.release(lock).await
    }

    async fn renew(&self, lock: &LockId) -> Result<(), StorageError> {
        self.calls.count(Operation::Renew);
        self.inner.renew(lock).await
    }

    async fn touch(
        &self,
        key: &SessionKey,
        version: u64,
        deadline: Option<Timestamp>,
        last_active: Timestamp,
    ) -> Result<bool, StorageError> {
        self.calls.count(Operation::Touch);
        self.inner.touch(key, version, deadline, last_active).await
    }

    async fn destroy(&self, key: &SessionKey) -> Result<Lookup<()>, StorageError> {
        self.calls.count(Operation::Destroy);
        self.inner.destroy(key).await
    }

    async fn scan(&self, cursor: Option<Cursor>, limit: usize) -> Result<Page, StorageError> {
        self.calls.count(Operation::Scan);
        self.inner.scan(cursor, limit).await
    }

    async fn sweep(&self, limit: usize) -> Result<Vec<Stored>, StorageError> {
        self.calls.count(Operation::Sweep);
        self.inner.sweep(limit).await
    }

    async fn drain(&self, patience: Duration) {
        self.inner.drain(patience).await;
    }
}
