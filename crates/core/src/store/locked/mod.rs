//! [`Paired`]: a storage made of a store and locks.

mod builder;
mod drain;
mod failure;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzzing;
mod key_state;
mod lock_table;
mod locking;
mod lookup;
mod storage;
mod watch;
mod writing;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

pub use self::builder::PairedBuilder;
use self::failure::Failure;
use self::lock_table::LockTable;
use self::watch::Watches;
use crate::clock::Timestamp;
use crate::entropy::Entropy;
use crate::id::SessionKey;
use crate::storage::StorageError;
use crate::store::{EntryVersion, Locks, RecordStore};

/// A [`Storage`](crate::Storage) made of a [`RecordStore`] and [`Locks`]. Clones share both.
///
/// It keeps the whole contract, whatever the two are, as long as each keeps its own. What the parts bring with them
/// decides the rest:
///
/// - **How safe data is** against crashes is what the store promises.
/// - **Who waits for whom** is what the locks reach: with [`LocalLocks`](crate::LocalLocks), the visits of this process.
///   A write from elsewhere is noticed all the same, as every write names the version it replaces, and of two writers
///   the later is refused with [`LockLost`](StorageErrorKind::LockLost).
/// - **What time it is** is said by the [clock of the locks](Locks::clock).
/// - **What cannot be done** is what the store does not support.
///
/// A look at a record costs one call to the store, and one more for each alias on the way. A lock costs a look, the
/// lock and a look; a commit one call, and two more only if the record was touched while it was locked.
///
/// ```
/// # use sessile_core::{LocalLocks, Paired, RecordStore, Session};
/// # fn pair(store: impl RecordStore) {
/// let session: Session = Session::builder(Paired::new(store, LocalLocks::new())).build();
/// # }
/// ```
///
/// How to write a store is told in the guide, in the chapter "Write a storage".
pub struct Paired<R: ?Sized, L: ?Sized> {
    parts: Arc<Parts>,
    locks: Arc<L>,
    store: Arc<R>,
}

/// What does not depend on the types.
struct Parts {
    entropy: Arc<dyn Entropy>,
    tombstone_ttl: Duration,
    held: LockTable,
    watches: Watches,
}

impl<R: RecordStore, L: Locks> Paired<R, L> {
    /// The storage with the defaults of its [builder](PairedBuilder).
    pub fn new(store: R, locks: L) -> Self {
        Self::builder(store, locks).build()
    }

    /// Sets the storage up.
    pub fn builder(store: R, locks: L) -> PairedBuilder<R, L> {
        PairedBuilder::new(store, locks)
    }
}

impl<R: RecordStore + ?Sized, L: Locks + ?Sized> Paired<R, L> {
    /// The store.
    #[must_use]
    pub fn store(&self) -> &R {
        &self.store
    }

    /// The locks.
    #[must_use]
    pub fn locks(&self) -> &L {
        &self.locks
    }

    /// How many locks are held through this storage and its clones, those included whose lease is over and whose
    /// holders have not come back yet.
    #[must_use]
    pub fn locks_held(&self) -> usize {
        self.parts.held.len()
    }

    fn now(&self) -> Timestamp {
        self.locks.clock().now()
    }

    fn new_version(&self) -> EntryVersion {
        EntryVersion::generate(&*self.parts.entropy)
    }

    /// The session is gone from this key, or has moved: its lock is nobody's, and those who wait have to look.
    fn end(&self, key: &SessionKey) {
        drop(self.parts.held.take_all(key));
        self.parts.watches.wake(key);
    }

    fn error(&self, operation: &'static str, failure: Failure) -> StorageError {
        let kind = match &failure {
            Failure::Refused(kind) => *kind,
            Failure::Broken(error) => error.kind(),
        };
        let error = StorageError::new(kind, operation, self.store.name());
        match failure {
            Failure::Refused(_) => error,
            Failure::Broken(cause) => error.with_source(cause),
        }
    }
}

impl<R: ?Sized, L: ?Sized> Clone for Paired<R, L> {
    fn clone(&self) -> Self {
        Self {
            parts: Arc::clone(&self.parts),
            locks: Arc::clone(&self.locks),
            store: Arc::clone(&self.store),
        }
    }
}

impl<R: fmt::Debug + ?Sized, L: fmt::Debug + ?Sized> fmt::Debug for Paired<R, L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Paired")
            .field("store", &&*self.store)
            .field("locks", &&*self.locks)
            .field("tombstone_ttl", &self.parts.tombstone_ttl)
            .finish_non_exhaustive()
    }
}
