//! [`Faulty`]: a storage with injected faults.

mod faults;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use sessile_core::{
    Capabilities, Clock, Cursor, ImmediateStorage, Lock, LockId, Locked, Lookup, Page, Record, SessionKey, Storage,
    StorageError, Stored, Timestamp, Unlock,
};

use self::faults::When;
pub use self::faults::{Fault, Faults};
use crate::Operation;

/// A storage on which calls fail by a script, or at random from a seed.
///
/// A call can fail before or after it takes effect. The second case is the lost acknowledgement, which every storage on
/// a network must expect and most tests omit.
///
/// ```
/// use std::time::Duration;
/// use sessile_core::{Meta, OsEntropy, Record, SessionId, Storage, StorageErrorKind};
/// use sessile_testkit::{Fault, Faulty, ModelStorage, Operation};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// let storage = Faulty::new(ModelStorage::new());
/// let faults = storage.faults();
/// faults.fail_next(Operation::Create, Fault::after(StorageErrorKind::Timeout));
///
/// let key = SessionId::generate(&OsEntropy).key();
/// let record = Record::new(Meta::new(storage.clock().now()), "cart");
/// let error = storage.create(&key, record).await.unwrap_err();
/// assert_eq!(error.kind(), StorageErrorKind::Timeout);
/// assert!(storage.read(&key).await.unwrap().is_found()); // it was created all the same
/// # }
/// ```
#[derive(Debug)]
pub struct Faulty<S: ?Sized> {
    faults: Faults,
    inner: Arc<S>,
}

impl<S: Storage> Faulty<S> {
    /// Wraps a storage. Calls fail once faults are set.
    pub fn new(inner: S) -> Self {
        Self::shared(Arc::new(inner))
    }
}

impl<S: Storage + ?Sized> Faulty<S> {
    /// Wraps a shared storage. Only calls through this wrapper fail.
    pub fn shared(inner: Arc<S>) -> Self {
        Self {
            faults: Faults::default(),
            inner,
        }
    }

    /// Returns the faults, which can be set while the storage is in use elsewhere.
    #[must_use]
    pub fn faults(&self) -> Faults {
        self.faults.clone()
    }

    /// Returns the inner storage.
    #[must_use]
    pub fn inner(&self) -> &Arc<S> {
        &self.inner
    }

    async fn call<T>(
        &self,
        operation: Operation,
        call: impl Future<Output = Result<T, StorageError>>,
    ) -> Result<T, StorageError> {
        match self.faults.next(operation) {
            None => call.await,
            Some(fault) => self.fail(fault, operation, call).await,
        }
    }

    async fn fail<T>(&self, fault: Fault, operation: Operation, call: impl Future) -> Result<T, StorageError> {
        if fault.when == When::After {
            call.await;
        }
        Err(fault.strike(operation, self.inner.name()).await)
    }
}

/// Returns a placeholder for a lock, for a call whose outcome its holder must not learn. The holder's own lock stays
/// unchanged.
fn placeholder_lock(lock: &Lock) -> Lock {
    #[derive(Debug)]
    struct NoUnlock;

    impl Unlock for NoUnlock {
        fn unlock(&self, _: LockId) {}
    }

    Lock::new(lock.id(), lock.lease(), Arc::new(NoUnlock))
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl<S: Storage + ?Sized> Storage for Faulty<S> {
    fn name(&self) -> &'static str {
        self.inner.name()
    }

    fn clock(&self) -> &dyn Clock {
        self.inner.clock()
    }

    fn capabilities(&self) -> Capabilities<'_> {
        self.inner.capabilities()
    }

    /// Returns `None`: faults that hang, or that apply after a call, need futures.
    fn immediate(&self) -> Option<&dyn ImmediateStorage> {
        None
    }

    async fn read(&self, key: &SessionKey) -> Result<Lookup<Stored>, StorageError> {
        self.call(Operation::Read, self.inner.read(key)).await
    }

    async fn lock(&self, key: &SessionKey, wait: Duration) -> Result<Lookup<Locked>, StorageError> {
        let Some(fault) = self.faults.next(Operation::Lock) else {
            return self.inner.lock(key, wait).await;
        };
        let mut unseen = None;
        if fault.when == When::After {
            unseen = self.inner.lock(key, wait).await.ok().and_then(Lookup::found);
        }
        // The caller does not learn of the lock, so nothing releases it before its lease ends. If the fault hangs, the
        // lock is kept with the call and released when the caller drops that.
        if let Some(locked) = unseen.as_mut().filter(|_| !fault.hangs()) {
            locked.lock.disarm();
        }
        let error = fault.strike(Operation::Lock, self.inner.name()).await;
        drop(unseen);
        Err(error)
    }

    async fn create(&self, key: &SessionKey, record: Record) -> Result<(), StorageError> {
        self.call(Operation::Create, self.inner.create(key, record)).await
    }

    async fn commit(&self, lock: &mut Lock, record: Record) -> Result<(), StorageError> {
        let Some(fault) = self.faults.next(Operation::Commit) else {
            return self.inner.commit(lock, record).await;
        };
        let mut lock = placeholder_lock(lock);
        self.fail(fault, Operation::Commit, self.inner.commit(&mut lock, record))
            .await
    }

    async fn replace(&self, known: &Stored, record: Record) -> Result<bool, StorageError> {
        let Some(fault) = self.faults.next(Operation::Replace) else {
            return self.inner.replace(known, record).await;
        };
        self.fail(fault, Operation::Replace, self.inner.replace(known, record))
            .await
    }

    async fn rotate(
        &self,
        lock: &mut Lock,
        new_key: &SessionKey,
        record: Record,
        grace: Duration,
    ) -> Result<(), StorageError> {
        let Some(fault) = self.faults.next(Operation::Rotate) else {
            return self.inner.rotate(lock, new_key, record, grace).await;
        };
        let mut lock = placeholder_lock(lock);
        self.fail(
            fault,
            Operation::Rotate,
            self.inner.rotate(&mut lock, new_key, record, grace),
        )
        .await
    }

    async fn release(&self, mut lock: Lock) -> Result<(), StorageError> {
        let Some(fault) = self.faults.next(Operation::Release) else {
            return self.inner.release(lock).await;
        };
        // The storage never receives the release, so the lock is held until its lease ends.
        let unheard = placeholder_lock(&lock);
        lock.disarm();
        self.fail(fault, Operation::Release, self.inner.release(unheard)).await
    }

    async fn renew(&self, lock: &LockId) -> Result<(), StorageError> {
        self.call(Operation::Renew, self.inner.renew(lock)).await
    }

    async fn touch(
        &self,
        key: &SessionKey,
        version: u64,
        deadline: Option<Timestamp>,
        last_active: Timestamp,
    ) -> Result<bool, StorageError> {
        self.call(Operation::Touch, self.inner.touch(key, version, deadline, last_active))
            .await
    }

    async fn destroy(&self, key: &SessionKey) -> Result<Lookup<()>, StorageError> {
        self.call(Operation::Destroy, self.inner.destroy(key)).await
    }

    async fn scan(&self, cursor: Option<Cursor>, limit: usize) -> Result<Page, StorageError> {
        self.call(Operation::Scan, self.inner.scan(cursor, limit)).await
    }

    async fn sweep(&self, limit: usize) -> Result<Vec<Stored>, StorageError> {
        self.call(Operation::Sweep, self.inner.sweep(limit)).await
    }

    async fn drain(&self, patience: Duration) {
        self.inner.drain(patience).await;
    }
}
