//! [`Locks`]: exclusive rights by key, whatever it is that they protect.

use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use crate::clock::Clock;
use crate::id::SessionKey;
use crate::storage::{Lock, LockTicket, StorageError};

/// Gives out one [`Lock`] a key, to one holder at a time.
///
/// Locks know nothing of what they protect: any key can be locked, and one that is not locked takes no room.
///
/// # The contract
///
/// **A lock is a lease.** It is its holder's from the moment at which [`acquire`](Locks::acquire) returns it until its
/// [lease](Lock::lease) is over, by the [clock](Locks::clock), or until it is released, and nobody else's meanwhile.
/// Renewed, the lease runs anew. When it is over, the lock is anybody's; whoever held it cannot renew it any more, and
/// releases nothing of the next holder's.
///
/// **Nothing stays behind.** A lock that is dropped goes back in the background. When the future of a verb is dropped,
/// so does the lock it was about to return, or was given.
///
/// **Those who wait are bounded**: in number by the implementation (1,024 in a process is the usual limit), and in
/// time by what each asks for. Those of one process are served in the order in which they came; who comes when the
/// lock is free but others wait for it comes after them.
///
/// What is built on locks must not rely on them alone: a holder can be cut off from the world for longer than its
/// lease and not know. [`Paired`](crate::Paired) checks a version with each write.
#[async_trait]
pub trait Locks: Debug + Send + Sync + 'static {
    /// The clock by which leases are judged, as well as this process can know it. It is also the clock of the
    /// deadlines in a [`Paired`](crate::Paired) storage.
    fn clock(&self) -> &dyn Clock;

    /// Takes the lock of this key, and waits for it at most for `wait`: not at all, if that is zero.
    ///
    /// # Errors
    ///
    /// [`LockTimeout`](crate::StorageErrorKind::LockTimeout) when `wait` is over;
    /// [`TooManyWaiters`](crate::StorageErrorKind::TooManyWaiters), at once, when too many are waiting already.
    async fn acquire(&self, key: &SessionKey, wait: Duration) -> Result<Lock, StorageError>;

    /// Extends the lease of a lock that is still held: it runs anew from now.
    ///
    /// # Errors
    ///
    /// [`LockLost`](crate::StorageErrorKind::LockLost) when it is not held any more.
    async fn renew(&self, ticket: &LockTicket) -> Result<(), StorageError>;

    /// Gives the lock up: when this returns, the next can have it. One that is no longer held is no error.
    async fn release(&self, lock: Lock) -> Result<(), StorageError>;

    /// Sees to it that no lock is left behind, for a process that is about to end: see
    /// [`Storage::drain`](crate::Storage::drain), which says what holds. Locks that end with the process need not
    /// implement it; the default does nothing.
    async fn drain(&self, patience: Duration) {
        let _ = patience;
    }
}

/// Locks that are shared.
#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl<L: Locks + ?Sized> Locks for Arc<L> {
    fn clock(&self) -> &dyn Clock {
        (**self).clock()
    }

    async fn acquire(&self, key: &SessionKey, wait: Duration) -> Result<Lock, StorageError> {
        (**self).acquire(key, wait).await
    }

    async fn renew(&self, ticket: &LockTicket) -> Result<(), StorageError> {
        (**self).renew(ticket).await
    }

    async fn release(&self, lock: Lock) -> Result<(), StorageError> {
        (**self).release(lock).await
    }

    async fn drain(&self, patience: Duration) {
        (**self).drain(patience).await;
    }
}
