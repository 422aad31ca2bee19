//! [`Locks`]: exclusive locks by key, independent of the data that they protect.

use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use crate::clock::Clock;
use crate::id::SessionKey;
use crate::storage::{Lock, LockId, StorageError};

/// Grants one [`Lock`] per key, to one holder at a time.
///
/// Locks know nothing of the data they protect: any key can be locked, and a key that is not locked takes no space.
///
/// # The contract
///
/// **A lock is a lease.** It is exclusively its holder's from the moment at which [`acquire`](Locks::acquire) returns
/// it until it is released or its [lease](Lock::lease) is over, by the [clock](Locks::clock). A renewed lease starts
/// anew. When it is over, others can take the lock; the former holder can no longer renew it, and releasing it does not
/// affect the next holder.
///
/// **Nothing stays behind.** A lock that is dropped is released in the background. If the future of an operation is
/// dropped, the lock that it was about to return, or was given, is released as well.
///
/// **Waiters are bounded**: in number by the implementation (1,024 per process is the usual limit), and in time by the
/// wait of each call. Waiters in one process are served in the order of their arrival; a call that comes while the lock
/// is free but has waiters is served after them.
///
/// Code built on locks must not rely on them alone: a holder can be cut off from its peers for longer than its lease
/// without noticing. [`LockedStore`](crate::LockedStore) compares a version with each write.
#[async_trait]
pub trait Locks: Debug + Send + Sync + 'static {
    /// Returns the clock by which leases are judged, as well as this process can know it. A
    /// [`LockedStore`](crate::LockedStore) storage judges deadlines by it, too.
    fn clock(&self) -> &dyn Clock;

    /// Takes the lock of this key, and waits for it at most for `wait`; a `wait` of zero does not wait.
    ///
    /// # Errors
    ///
    /// [`LockTimeout`](crate::StorageErrorKind::LockTimeout) when `wait` is over;
    /// [`TooManyWaiters`](crate::StorageErrorKind::TooManyWaiters), immediately, if too many are waiting already.
    async fn acquire(&self, key: &SessionKey, wait: Duration) -> Result<Lock, StorageError>;

    /// Extends the lease of a lock that is still held: it starts anew from now.
    ///
    /// # Errors
    ///
    /// [`LockLost`](crate::StorageErrorKind::LockLost) if it is no longer held.
    async fn renew(&self, id: &LockId) -> Result<(), StorageError>;

    /// Releases the lock: when this returns, the next waiter can have it. Releasing a lock that is no longer held is no
    /// error.
    async fn release(&self, lock: Lock) -> Result<(), StorageError>;

    /// Leaves no lock behind, for a process that is about to end, under the contract of
    /// [`Storage::drain`](crate::Storage::drain). Locks that end with the process need not implement it; the default
    /// does nothing.
    async fn drain(&self, patience: Duration) {
        let _ = patience;
    }
}

/// Forwards to the shared locks.
#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl<L: Locks + ?Sized> Locks for Arc<L> {
    fn clock(&self) -> &dyn Clock {
        (**self).clock()
    }

    async fn acquire(&self, key: &SessionKey, wait: Duration) -> Result<Lock, StorageError> {
        (**self).acquire(key, wait).await
    }

    async fn renew(&self, id: &LockId) -> Result<(), StorageError> {
        (**self).renew(id).await
    }

    async fn release(&self, lock: Lock) -> Result<(), StorageError> {
        (**self).release(lock).await
    }

    async fn drain(&self, patience: Duration) {
        (**self).drain(patience).await;
    }
}
