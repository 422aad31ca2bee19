//! [`Counting`]: a storage that counts its calls.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use sessile_core::{Intercept, OperationOutput, Storage, StorageCall, StorageError};

use crate::Operation;

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
        self.0[operation as usize].load(Ordering::SeqCst)
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
        let pairs = Operation::ALL.map(|operation| (operation, value(&self.0[operation as usize])));
        pairs.into()
    }

    fn count(&self, operation: Operation) {
        self.0[operation as usize].fetch_add(1, Ordering::SeqCst);
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

impl<S: Storage + ?Sized> Intercept for Counting<S> {
    type Inner = S;

    fn inner(&self) -> &S {
        &self.inner
    }

    async fn around<T: OperationOutput>(&self, call: StorageCall<'_, T>) -> Result<T, StorageError> {
        self.calls.count(call.operation());
        call.run().await
    }
}
