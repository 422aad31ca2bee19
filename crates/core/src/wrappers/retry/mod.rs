//! [`Retry`]: again, where that is safe.

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
    AtOnce, Capabilities, Cursor, Lock, LockTicket, Locked, Lookup, Page, Record, Storage, StorageError,
    StorageErrorKind, Stored,
};

/// A storage whose calls are made again when it could not be reached, or did not answer in time.
///
/// After [`Unavailable`](StorageErrorKind::Unavailable) and [`Timeout`](StorageErrorKind::Timeout) nobody knows whether
/// the step was taken. A [`Backoff`] says whether and when the call is made again; what the second answer means
/// depends on the verb:
///
/// | verb | made again, because | and after doubt |
/// |---|---|---|
/// | `read`, `scan` | it changes nothing | |
/// | `renew`, `release` | twice is the same as once | |
/// | `touch` | twice is the same as once | `false` can mean that it was done, and that the record was written after |
/// | `destroy` | twice is the same as once | `Missing` and `Superseded` can mean that the first attempt has done it |
/// | `sweep` | it goes on where the first has stopped | what that had swept is told to nobody |
/// | `lock` | the wait that is left bounds it | a lock that nobody knows of is held until its lease is over |
/// | `create` | the key is new | `Exists`: if what is stored is what was to be created, it was |
/// | `commit` | the lock protects it | `LockLost`: if what is stored is what was to be written, and the lease cannot have been over, it was |
/// | `rotate` | the new key is new | if the session is stored under the new key, it has moved |
///
/// Where the doubt cannot be resolved, the call fails with the error that brought it, and never with one that says that
/// nothing was written. Any other error is an answer and is passed on, [`LockTimeout`](StorageErrorKind::LockTimeout)
/// and [`TooManyWaiters`](StorageErrorKind::TooManyWaiters) among them.
///
/// A request that is lost on the way may arrive late. Commits and rotations that come late are refused, as their lock
/// is gone by then. A `create` that arrives only after the session was created by the second attempt *and* destroyed
/// would bring it back; a storage that holds requests back for that long should not be asked twice.
///
/// The limit for a single attempt is set by a [`Timeout`](crate::Timeout) inside. What cuts a call off from outside may
/// do so between two attempts.
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
    /// Repeats calls to this storage.
    pub fn new(inner: S, backoff: impl Backoff) -> Self {
        Self::shared(Arc::new(inner), backoff)
    }
}

impl<S: Storage + ?Sized> Retry<S> {
    /// Repeats calls that are made through here to a storage that others may use as well. Those do not
    /// [drain](Storage::drain) it: a lock that is given up behind its back, this wrapper may take for held.
    pub fn shared(inner: Arc<S>, backoff: impl Backoff) -> Self {
        Self {
            backoff: Arc::new(backoff),
            leases: Leases::default(),
            inner,
        }
    }

    /// The storage inside.
    #[must_use]
    pub fn inner(&self) -> &S {
        &self.inner
    }

    fn attempts(&self) -> Attempts<'_> {
        Attempts::new(&*self.backoff)
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

    /// Attempts take their time.
    fn at_once(&self) -> Option<&dyn AtOnce> {
        None
    }

    async fn read(&self, key: &SessionKey) -> Result<Lookup<Stored>, StorageError> {
        retry!(self, self.inner.read(key))
    }

    async fn lock(&self, key: &SessionKey, wait: Duration) -> Result<Lookup<Locked>, StorageError> {
        let start = Instant::now();
        let mut asked;
        let locked = retry!(self, {
            asked = self.leases.asking(self.clock());
            self.inner.lock(key, wait.saturating_sub(start.elapsed()))
        });
        locked.inspect(|found| {
            if let Lookup::Found(Locked { lock, .. }) = found {
                self.leases.began(&lock.ticket(), asked, lock.lease());
            }
        })
    }

    async fn create(&self, key: &SessionKey, record: Record) -> Result<(), StorageError> {
        let mut attempts = self.attempts();
        loop {
            match self.inner.create(key, record.clone()).await {
                Err(error) if attempts.again(&error).await => {}
                Err(error) if attempts.ambiguity().is_some() && error.kind() == StorageErrorKind::Exists => {
                    return self.was_created(key, &record, error).await;
                }
                answer => return answer,
            }
        }
    }

    async fn commit(&self, lock: &mut Lock, record: Record) -> Result<(), StorageError> {
        let (ticket, mut attempts) = (lock.ticket(), self.attempts());
        let answer = loop {
            match self.inner.commit(lock, record.clone()).await {
                Err(error) if attempts.again(&error).await => {}
                Err(error) => match attempts.ambiguity() {
                    Some(ambiguity) => break self.was_committed(lock, &record, error, ambiguity).await,
                    None => break Err(error),
                },
                Ok(()) => break Ok(()),
            }
        };
        answer.inspect(|()| self.leases.ended(&ticket))
    }

    async fn replace(&self, known: &Stored, record: Record) -> Result<bool, StorageError> {
        // Never again: a first call whose answer was lost may have written, and a second would say that somebody else did.
        self.inner.replace(known, record).await
    }

    async fn rotate(
        &self,
        lock: &mut Lock,
        new_key: &SessionKey,
        record: Record,
        grace: Duration,
    ) -> Result<(), StorageError> {
        let (ticket, mut attempts) = (lock.ticket(), self.attempts());
        let answer = loop {
            match self.inner.rotate(lock, new_key, record.clone(), grace).await {
                Err(error) if attempts.again(&error).await => {}
                Err(error) if attempts.ambiguity().is_some() => {
                    break self.was_rotated(lock, new_key, &record, error).await;
                }
                answer => break answer,
            }
        };
        answer.inspect(|()| self.leases.ended(&ticket))
    }

    async fn release(&self, lock: Lock) -> Result<(), StorageError> {
        let (ticket, lease) = (lock.ticket(), lock.lease());
        self.leases.ended(&ticket);
        let mut lock = Some(lock);
        retry!(self, {
            let lock = lock.take().unwrap_or_else(|| placeholder_lock(ticket, lease));
            self.inner.release(lock)
        })
    }

    async fn renew(&self, lock: &LockTicket) -> Result<(), StorageError> {
        let mut asked;
        let renewed = retry!(self, {
            asked = Moment::now(self.clock());
            self.inner.renew(lock)
        });
        renewed.inspect(|()| self.leases.renewed(lock, asked))
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

    /// A lock that is given up is lost before its lease is over: what is known of leases proves nothing any more.
    async fn drain(&self, patience: Duration) {
        let _ambiguity = self.leases.ambiguity();
        self.inner.drain(patience).await;
    }
}
