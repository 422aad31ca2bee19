//! [`Slow`]: a storage with delays.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use sessile_core::{Intercept, OperationOutput, Storage, StorageCall, StorageError};

use crate::Operation;
use crate::locked;

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
        locked(&self.0)[operation as usize].before = delay;
    }

    /// Delays this operation after it took effect, like a slow reply.
    pub fn after(&self, operation: Operation, delay: Duration) {
        locked(&self.0)[operation as usize].after = delay;
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
        locked(&self.0)[operation as usize]
    }
}

impl<S: Storage + ?Sized> Intercept for Slow<S> {
    type Inner = S;

    fn inner(&self) -> &S {
        &self.inner
    }

    async fn around<T: OperationOutput>(&self, call: StorageCall<'_, T>) -> Result<T, StorageError> {
        let operation = call.operation();
        pause(self.delays.of(operation).before).await;
        let result = call.run().await;
        pause(self.delays.of(operation).after).await;
        result
    }
}
