//! [`LocalLocks`]: locks in the memory of this process.

mod builder;
mod queues;
mod shared;
mod waiter;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::runtime::Handle;
use tokio::time::{Instant, sleep};

pub use self::builder::LocalLocksBuilder;
use self::queues::LockQueues;
use self::shared::SharedLocks;
use self::waiter::LockWaiter;
use crate::clock::Clock;
use crate::id::SessionKey;
use crate::storage::{Lock, LockId, StorageError, StorageErrorKind, Unlock as _};
use crate::store::Locks;

/// The first and the longest pause between two checks of a drain.
const PAUSES: (Duration, Duration) = (Duration::from_millis(1), Duration::from_millis(50));

/// Locks for the visits of one process. Clones share them.
///
/// Waiters are served in the order of their arrival, and are notified rather than polling. A lock that is dropped is
/// released immediately. When a lease is over, the lock passes to the first waiter. Keys without holder and waiters
/// take no memory.
///
/// Other processes know nothing of these locks. If several processes [combine](crate::LockedStore) them with a store
/// that they share, each serialises its own visits, and if two processes write one session at the same time, one is
/// refused with [`LockLost`](StorageErrorKind::LockLost): correct, but less convenient than waiting.
///
/// ```
/// use std::time::Duration;
/// use sessile_core::{LocalLocks, Locks, OsEntropy, SessionId};
///
/// # #[tokio::main(flavor = "current_thread", start_paused = true)] async fn main() {
/// let locks = LocalLocks::new();
/// let key = SessionId::generate(&OsEntropy).key();
///
/// let lock = locks.acquire(&key, Duration::ZERO).await.unwrap();
/// assert!(locks.acquire(&key, Duration::from_secs(1)).await.is_err());
/// drop(lock);
/// assert!(locks.acquire(&key, Duration::ZERO).await.is_ok());
/// assert_eq!(locks.in_use(), 0);
/// # }
/// ```
#[derive(Clone)]
pub struct LocalLocks {
    shared: Arc<SharedLocks>,
}

impl LocalLocks {
    /// Creates locks with the defaults of their [builder](LocalLocksBuilder).
    #[must_use]
    pub fn new() -> Self {
        Self::builder().build()
    }

    /// Returns a builder.
    pub fn builder() -> LocalLocksBuilder {
        LocalLocksBuilder::new()
    }

    /// Returns the number of keys that are locked or waited for, including those whose lease is over and that were not
    /// requested since.
    #[must_use]
    pub fn in_use(&self) -> usize {
        self.shared.queues().len()
    }
}

impl Default for LocalLocks {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for LocalLocks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LocalLocks")
            .field("clock", &self.shared.clock)
            .field("lease", &self.shared.lease)
            .field("max_waiters", &self.shared.max_waiters)
            .finish_non_exhaustive()
    }
}

fn failed(kind: StorageErrorKind, operation: &'static str) -> StorageError {
    StorageError::new(kind, operation, "local locks")
}

#[async_trait]
impl Locks for LocalLocks {
    fn clock(&self) -> &dyn Clock {
        &*self.shared.clock
    }

    async fn acquire(&self, key: &SessionKey, wait: Duration) -> Result<Lock, StorageError> {
        let id = LockWaiter::new(&self.shared, key).wait(wait).await;
        let id = id.map_err(|kind| failed(kind, "acquire"))?;
        Ok(Lock::new(id, self.shared.lease, Arc::clone(&self.shared) as _))
    }

    async fn renew(&self, id: &LockId) -> Result<(), StorageError> {
        let renew = |queues: &mut LockQueues, now| queues.renew(id, now, now + self.shared.lease);
        if self.shared.step(renew) {
            Ok(())
        } else {
            Err(failed(StorageErrorKind::LockLost, "renew"))
        }
    }

    async fn release(&self, mut lock: Lock) -> Result<(), StorageError> {
        lock.disarm();
        self.shared.unlock(lock.id());
        Ok(())
    }

    /// Waits until no lock is held, at most for `patience`, and releases those that still are.
    async fn drain(&self, patience: Duration) {
        let start = Instant::now();
        // Without a runtime there is no timer.
        let patience = Handle::try_current().map_or(Duration::ZERO, |_| patience);
        let (mut pause, longest) = PAUSES;
        while self.shared.step(|queues, now| queues.holders(now)) > 0 {
            let remaining = patience.saturating_sub(start.elapsed());
            if remaining.is_zero() {
                break;
            }
            sleep(pause.min(remaining)).await;
            pause = longest.min(pause * 2);
        }
        // One step without an await, so a dropped drain has released all locks or none.
        self.shared
            .step(|queues, now| queues.release_all(now + self.shared.lease));
    }
}
