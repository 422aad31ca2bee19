//! [`Retry`]: repeats failed calls to a storage if that is safe.

mod ambiguous;
mod attempts;
mod backoff;
mod leases;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::time::Instant;

use self::attempts::{Attempts, placeholder_lock, retry};
pub use self::backoff::{Backoff, Exponential};
use self::leases::{Leases, Moment};
use crate::clock::{Clock, Timestamp};
use crate::id::SessionKey;
use crate::storage::{
    Capabilities, Cursor, ImmediateStorage, Lock, LockId, Locked, Lookup, Page, Record, Storage, StorageError,
    StorageErrorKind, Stored,
};

/// Repeats calls that fail because the storage cannot be reached or does not reply in time.
///
/// After [`Unavailable`](StorageErrorKind::Unavailable) and [`Timeout`](StorageErrorKind::Timeout) the outcome is
/// ambiguous: the step may or may not have been taken. A [`Backoff`] decides whether and when the call is repeated; the
/// meaning of the second result depends on the operation:
///
/// | operation | is repeated, because | second result after an ambiguous outcome |
/// |---|---|---|
/// | `read`, `scan` | it changes nothing | |
/// | `renew`, `release` | it is idempotent | |
/// | `touch` | it is idempotent | `false` can mean that the first attempt succeeded and the record was written since |
/// | `destroy` | it is idempotent | `Missing` and `Superseded` can mean that the first attempt succeeded |
/// | `sweep` | it continues where the first has stopped | records that the first has swept are returned to no caller |
/// | `lock` | the rest of its wait limits it | a lock that the first has taken stays held until its lease is over |
/// | `create` | the key is new | `Exists`: it has succeeded if its record is stored |
/// | `commit` | the lock protects it | `LockLost`: it has succeeded if its record is stored and the lease still runs |
/// | `rotate` | the new key is new | it has succeeded if the session is stored under the new key |
///
/// `replace` is never repeated.
///
/// If the ambiguity cannot be resolved, the call fails with the error that caused it, never with one that says that
/// nothing was written. Other errors, such as [`LockTimeout`](StorageErrorKind::LockTimeout) and
/// [`TooManyWaiters`](StorageErrorKind::TooManyWaiters), are returned as they are.
///
/// A lost request may still arrive late. Late commits and rotations are refused, as their lock is gone by then. A late
/// `create` would bring a session back if it arrived after the second attempt created the session *and* another call
/// destroyed it; do not repeat calls to a storage that delays requests for that long.
///
/// An inner [`Timeout`](crate::Timeout) limits each attempt. An outer one may end the call between two attempts.
///
/// ```
/// use std::time::Duration;
/// use sessile_core::{Exponential, Retry, Session, Timeout};
/// use sessile_memory::MemoryStorage;
///
/// let storage = Timeout::new(MemoryStorage::new(), Duration::from_millis(500));
/// let storage = Retry::new(storage, Exponential::default().attempts(3));
/// let session: Session = Session::builder(storage).build();
/// ```
#[derive(Debug)]
pub struct Retry<S: ?Sized> {
    backoff: Arc<dyn Backoff>,
    leases: Leases,
    inner: Arc<S>,
}

impl<S: Storage> Retry<S> {
    /// Wraps a storage.
    pub fn new(inner: S, backoff: impl Backoff) -> Self {
        Self::shared(Arc::new(inner), backoff)
    }
}

impl<S: Storage + ?Sized> Retry<S> {
    /// Wraps a shared storage. Calls that bypass the wrapper are not repeated, and must not [drain](Storage::drain) the
    /// storage: the wrapper might take a lock for held that was released without its knowledge.
    pub fn shared(inner: Arc<S>, backoff: impl Backoff) -> Self {
        Self {
            backoff: Arc::new(backoff),
            leases: Leases::default(),
            inner,
        }
    }

    /// Returns the wrapped storage.
    #[must_use]
    pub fn inner(&self) -> &S {
        &self.inner
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl<S: Storage + ?Sized> Storage for Retry<S> {
    fn name(&self) -> &'static str {
        self.inner.name()
    }

    fn clock(&self) -> &dyn Clock {
        self.inner.clock()
    }

    fn capabilities(&self) -> Capabilities<'_> {
        self.inner.capabilities()
    }

    /// Returns `None`: repeating waits.
    fn immediate(&self) -> Option<&dyn ImmediateStorage> {
        None
    }

    async fn read(&self, key: &SessionKey) -> Result<Lookup<Stored>, StorageError> {
        retry!(self, self.inner.read(key))
    }

    async fn lock(&self, key: &SessionKey, wait: Duration) -> Result<Lookup<Locked>, StorageError> {
        let start = Instant::now();
        let mut request;
        let locked = retry!(self, {
            request = self.leases.request(self.clock());
            self.inner.lock(key, wait.saturating_sub(start.elapsed()))
        });
        locked.inspect(|found| {
            if let Lookup::Found(Locked { lock, .. }) = found {
                self.leases.start(&lock.id(), request, lock.lease());
            }
        })
    }

    async fn create(&self, key: &SessionKey, record: Record) -> Result<(), StorageError> {
        let mut attempts = Attempts::new(&*self.backoff);
        loop {
            match self.inner.create(key, record.clone()).await {
                Err(error) if attempts.retry_after(&error).await => {}
                Err(error) if attempts.ambiguity.is_some() && error.kind() == StorageErrorKind::Exists => {
                    return self.resolve_create(key, &record, error).await;
                }
                result => return result,
            }
        }
    }

    async fn commit(&self, lock: &mut Lock, record: Record) -> Result<(), StorageError> {
        let (id, mut attempts) = (lock.id(), Attempts::new(&*self.backoff));
        let result = loop {
            match self.inner.commit(lock, record.clone()).await {
                Err(error) if attempts.retry_after(&error).await => {}
                Err(error) => match attempts.ambiguity {
                    Some(ambiguity) => break self.resolve_commit(lock, &record, error, ambiguity).await,
                    None => break Err(error),
                },
                Ok(()) => break Ok(()),
            }
        };
        result.inspect(|()| self.leases.remove(&id))
    }

    async fn replace(&self, known: &Stored, record: Record) -> Result<bool, StorageError> {
        // Not repeated: if the reply to the first call is lost, it may have written, and a second call would report a
        // conflict with that write.
        self.inner.replace(known, record).await
    }

    async fn rotate(
        &self,
        lock: &mut Lock,
        new_key: &SessionKey,
        record: Record,
        grace: Duration,
    ) -> Result<(), StorageError> {
        let (id, mut attempts) = (lock.id(), Attempts::new(&*self.backoff));
        let result = loop {
            match self.inner.rotate(lock, new_key, record.clone(), grace).await {
                Err(error) if attempts.retry_after(&error).await => {}
                Err(error) if attempts.ambiguity.is_some() => {
                    break self.resolve_rotate(lock, new_key, &record, error).await;
                }
                result => break result,
            }
        };
        result.inspect(|()| self.leases.remove(&id))
    }

    async fn release(&self, lock: Lock) -> Result<(), StorageError> {
        let (id, lease) = (lock.id(), lock.lease());
        self.leases.remove(&id);
        let mut lock = Some(lock);
        retry!(self, {
            let lock = lock.take().unwrap_or_else(|| placeholder_lock(id, lease));
            self.inner.release(lock)
        })
    }

    async fn renew(&self, id: &LockId) -> Result<(), StorageError> {
        let mut requested_at;
        let renewed = retry!(self, {
            requested_at = Moment::now(self.clock());
            self.inner.renew(id)
        });
        renewed.inspect(|()| self.leases.renew(id, requested_at))
    }

    async fn touch(
        &self,
        key: &SessionKey,
        version: u64,
        deadline: Option<Timestamp>,
        last_active: Timestamp,
    ) -> Result<bool, StorageError> {
        retry!(self, self.inner.touch(key, version, deadline, last_active))
    }

    async fn destroy(&self, key: &SessionKey) -> Result<Lookup<()>, StorageError> {
        retry!(self, self.inner.destroy(key))
    }

    async fn scan(&self, cursor: Option<Cursor>, limit: usize) -> Result<Page, StorageError> {
        retry!(self, self.inner.scan(cursor.clone(), limit))
    }

    async fn sweep(&self, limit: usize) -> Result<Vec<Stored>, StorageError> {
        retry!(self, self.inner.sweep(limit))
    }

    /// A drain releases locks before their leases are over, so leases prove nothing while it runs.
    async fn drain(&self, patience: Duration) {
        let _drain = self.leases.begin_drain();
        self.inner.drain(patience).await;
    }
}
