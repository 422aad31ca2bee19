//! [`Intercept`]: storages that do the same around every operation of another.

use std::fmt;
use std::pin::Pin;
use std::time::Duration;

use async_trait::async_trait;

use super::OperationOutput;
use crate::clock::{Clock, Timestamp};
use crate::id::SessionKey;
use crate::storage::{
    Capabilities, Cursor, ImmediateStorage, Lock, LockId, Locked, Lookup, Operation, Page, Record, Storage,
    StorageError, Stored,
};

/// A wrapper that does the same around every operation of a storage. It is a [`Storage`] itself.
///
/// [`around`](Intercept::around) receives each call and [runs](StorageCall::run) it. It can delay a call, observe its
/// result, limit its duration, or refuse it. [`Timeout`](crate::Timeout) and other wrappers of this crate are made in
/// this way.
///
/// The name, the clock and, by default, the capabilities are those of the wrapped storage. There are no
/// [immediate](Storage::immediate) functions, as these would bypass the wrapper. A wrapper that differs in one of
/// these, repeats calls, or does something else for each operation, implements `Storage`.
///
/// # Example
///
/// A wrapper that logs slow calls:
///
/// ```
/// use std::time::{Duration, Instant};
/// use sessile_core::{Intercept, OperationOutput, Storage, StorageCall, StorageError};
///
/// #[derive(Debug)]
/// struct LogSlow<S> {
///     inner: S,
///     limit: Duration,
/// }
///
/// impl<S: Storage> Intercept for LogSlow<S> {
///     type Inner = S;
///
///     fn inner(&self) -> &S {
///         &self.inner
///     }
///
///     async fn around<T: OperationOutput>(&self, call: StorageCall<'_, T>) -> Result<T, StorageError> {
///         let (operation, start) = (call.operation(), Instant::now());
///         let result = call.run().await;
///         if start.elapsed() >= self.limit {
///             eprintln!("{}: {operation} took {:?}", self.inner.name(), start.elapsed());
///         }
///         result
///     }
/// }
///
/// # use sessile_core::{Lookup, OsEntropy, Session, SessionId, TokioClock, Visit};
/// # use sessile_memory::MemoryStorage;
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let storage = LogSlow { inner: MemoryStorage::new(), limit: Duration::from_millis(50) };
/// let session: Session = Session::builder(storage).build();
/// # session.enter(Visit::new(), async { session.set("colour", "red") }).await?;
/// # Ok(()) }
/// ```
pub trait Intercept: fmt::Debug + Send + Sync + 'static {
    /// The wrapped storage.
    type Inner: Storage + ?Sized;

    /// Returns the wrapped storage.
    fn inner(&self) -> &Self::Inner;

    /// Makes a call to the wrapped storage.
    ///
    /// The result has to keep the contract of [`Storage`]: an error with the kind
    /// [`Unavailable`](crate::StorageErrorKind::Unavailable) or [`Timeout`](crate::StorageErrorKind::Timeout) if the
    /// call may have taken effect, another one if it was not run.
    fn around<T: OperationOutput>(
        &self,
        call: StorageCall<'_, T>,
    ) -> impl Future<Output = Result<T, StorageError>> + Send;

    /// Returns the [capabilities](Storage::capabilities) of the wrapper: by default those of the wrapped storage.
    fn around_capabilities(&self) -> Capabilities<'_> {
        self.inner().capabilities()
    }

    /// [Drains](Storage::drain) the wrapped storage. `drain` is no operation on sessions and cannot fail, so it does
    /// not pass through [`around`](Intercept::around).
    fn around_drain(&self, patience: Duration) -> impl Future<Output = ()> + Send {
        self.inner().drain(patience)
    }
}

/// A call to the storage that an [`Intercept`] wraps.
#[must_use = "the storage is called by `run`"]
pub struct StorageCall<'a, T> {
    operation: Operation,
    key: Option<&'a SessionKey>,
    wait: Duration,
    future: CallFuture<'a, T>,
}

/// The type of the futures that `async_trait` makes.
type CallFuture<'a, T> = Pin<Box<dyn Future<Output = Result<T, StorageError>> + Send + 'a>>;

impl<'a, T> StorageCall<'a, T> {
    fn new(operation: Operation, key: impl Into<Option<&'a SessionKey>>, future: CallFuture<'a, T>) -> Self {
        Self {
            operation,
            key: key.into(),
            wait: Duration::ZERO,
            future,
        }
    }

    /// Returns the operation that is called.
    #[must_use]
    pub fn operation(&self) -> Operation {
        self.operation
    }

    /// Returns the key that is passed to the operation, or the key of the lock or the record. `None` for `scan` and
    /// `sweep`.
    #[must_use]
    pub fn key(&self) -> Option<&'a SessionKey> {
        self.key
    }

    /// Returns how long the call may wait for a lock to be free. Zero for all operations but `lock`.
    #[must_use]
    pub fn wait(&self) -> Duration {
        self.wait
    }

    /// Runs the operation. If the call or the future is dropped instead, the arguments are dropped with it: a lock that
    /// was to be released is then released in the background.
    ///
    /// # Errors
    ///
    /// The errors of the operation.
    pub fn run(self) -> impl Future<Output = Result<T, StorageError>> + Send {
        self.future
    }
}

impl<T> fmt::Debug for StorageCall<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StorageCall")
            .field("operation", &self.operation)
            .field("key", &self.key)
            .field("wait", &self.wait)
            .finish_non_exhaustive()
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
// Without it, the compiler would ask authors of storages for `Intercept`.
#[diagnostic::do_not_recommend]
impl<I: Intercept> Storage for I {
    fn name(&self) -> &'static str {
        self.inner().name()
    }

    fn clock(&self) -> &dyn Clock {
        self.inner().clock()
    }

    fn capabilities(&self) -> Capabilities<'_> {
        self.around_capabilities()
    }

    fn immediate(&self) -> Option<&dyn ImmediateStorage> {
        None
    }

    async fn read(&self, key: &SessionKey) -> Result<Lookup<Stored>, StorageError> {
        let call = StorageCall::new(Operation::Read, key, self.inner().read(key));
        self.around(call).await
    }

    async fn lock(&self, key: &SessionKey, wait: Duration) -> Result<Lookup<Locked>, StorageError> {
        let call = StorageCall::new(Operation::Lock, key, self.inner().lock(key, wait));
        self.around(StorageCall { wait, ..call }).await
    }

    async fn create(&self, key: &SessionKey, record: Record) -> Result<(), StorageError> {
        let call = StorageCall::new(Operation::Create, key, self.inner().create(key, record));
        self.around(call).await
    }

    async fn commit(&self, lock: &mut Lock, record: Record) -> Result<(), StorageError> {
        let key = *lock.key();
        let call = StorageCall::new(Operation::Commit, &key, self.inner().commit(lock, record));
        self.around(call).await
    }

    async fn replace(&self, known: &Stored, record: Record) -> Result<bool, StorageError> {
        let call = StorageCall::new(Operation::Replace, &known.key, self.inner().replace(known, record));
        self.around(call).await
    }

    async fn rotate(
        &self,
        lock: &mut Lock,
        new_key: &SessionKey,
        record: Record,
        grace: Duration,
    ) -> Result<(), StorageError> {
        let (key, rotate) = (*lock.key(), self.inner().rotate(lock, new_key, record, grace));
        self.around(StorageCall::new(Operation::Rotate, &key, rotate)).await
    }

    async fn release(&self, lock: Lock) -> Result<(), StorageError> {
        let key = *lock.key();
        let call = StorageCall::new(Operation::Release, &key, self.inner().release(lock));
        self.around(call).await
    }

    async fn renew(&self, lock: &LockId) -> Result<(), StorageError> {
        let call = StorageCall::new(Operation::Renew, &lock.key, self.inner().renew(lock));
        self.around(call).await
    }

    async fn touch(
        &self,
        key: &SessionKey,
        version: u64,
        deadline: Option<Timestamp>,
        last_active: Timestamp,
    ) -> Result<bool, StorageError> {
        let touch = self.inner().touch(key, version, deadline, last_active);
        self.around(StorageCall::new(Operation::Touch, key, touch)).await
    }

    async fn destroy(&self, key: &SessionKey) -> Result<Lookup<()>, StorageError> {
        let call = StorageCall::new(Operation::Destroy, key, self.inner().destroy(key));
        self.around(call).await
    }

    async fn scan(&self, cursor: Option<Cursor>, limit: usize) -> Result<Page, StorageError> {
        let call = StorageCall::new(Operation::Scan, None, self.inner().scan(cursor, limit));
        self.around(call).await
    }

    async fn sweep(&self, limit: usize) -> Result<Vec<Stored>, StorageError> {
        let call = StorageCall::new(Operation::Sweep, None, self.inner().sweep(limit));
        self.around(call).await
    }

    async fn drain(&self, patience: Duration) {
        self.around_drain(patience).await;
    }
}
