//! [`LockedStore`]: a storage that combines a store and locks.

mod builder;
#[cfg(any(test, feature = "__fuzzing"))]
pub(crate) mod fuzzing;
mod key_state;
mod lock_table;
mod locking;
mod lookup;
mod notifiers;
mod storage;
mod writing;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

pub use self::builder::LockedStoreBuilder;
use self::lock_table::LockTable;
use self::notifiers::Notifiers;
use crate::clock::Timestamp;
use crate::entropy::Entropy;
use crate::id::SessionKey;
use crate::storage::{StorageError, StorageErrorKind};
use crate::store::{EntryVersion, Locks, RecordStore};

/// A [`Storage`](crate::Storage) that combines a [`RecordStore`] and [`Locks`]. Clones share both.
///
/// It keeps the whole contract of storages, provided that each part keeps its own. The parts determine the rest:
///
/// - **Durability** is that of the store.
/// - **Mutual exclusion** reaches as far as the locks: with [`LocalLocks`](crate::LocalLocks), the visits of this
///   process. A write from elsewhere is detected nevertheless, as every write names the version that it replaces, and
///   the later of two writers is refused with [`LockLost`](crate::StorageErrorKind::LockLost).
/// - **Time** is that of the [clock of the locks](Locks::clock).
/// - **Unsupported operations** are those that the store does not support.
///
/// A lookup costs one call to the store, and one more for each alias that is followed. Locking costs two lookups and
/// the call to the locks; a commit costs one call to the store, and two more only if the record was touched while it
/// was locked.
///
/// ```
/// # use sessile_core::{LocalLocks, LockedStore, RecordStore, Session};
/// # fn pair(store: impl RecordStore) {
/// let session: Session = Session::builder(LockedStore::new(store, LocalLocks::new())).build();
/// # }
/// ```
///
/// The chapter "Write a storage" of the guide explains how to write a store.
pub struct LockedStore<R: ?Sized, L: ?Sized> {
    shared: Arc<Shared>,
    locks: Arc<L>,
    store: Arc<R>,
}

/// The state that clones share and that does not depend on the types of the parts.
struct Shared {
    entropy: Arc<dyn Entropy>,
    tombstone_ttl: Duration,
    held_locks: LockTable,
    notifiers: Notifiers,
}

/// The reason for which an operation failed, before the error has the name of the operation.
enum Failure {
    /// The contract requires the error.
    Refused(StorageErrorKind),
    /// The store or the locks failed.
    PartFailed(StorageError),
}

impl From<StorageError> for Failure {
    fn from(error: StorageError) -> Self {
        Self::PartFailed(error)
    }
}

impl From<StorageErrorKind> for Failure {
    fn from(kind: StorageErrorKind) -> Self {
        Self::Refused(kind)
    }
}

impl<R: RecordStore, L: Locks> LockedStore<R, L> {
    /// Creates a storage with the defaults of its [builder](LockedStoreBuilder).
    pub fn new(store: R, locks: L) -> Self {
        Self::builder(store, locks).build()
    }

    /// Returns a builder.
    pub fn builder(store: R, locks: L) -> LockedStoreBuilder<R, L> {
        LockedStoreBuilder::new(store, locks)
    }
}

impl<R: RecordStore + ?Sized, L: Locks + ?Sized> LockedStore<R, L> {
    /// Returns the store.
    #[must_use]
    pub fn store(&self) -> &R {
        &self.store
    }

    /// Returns the locks.
    #[must_use]
    pub fn locks(&self) -> &L {
        &self.locks
    }

    /// Returns the number of locks that are held through this storage and its clones, including those whose lease is
    /// over and whose holders have not released them yet.
    #[must_use]
    pub fn locks_held(&self) -> usize {
        self.shared.held_locks.len()
    }

    fn now(&self) -> Timestamp {
        self.locks.clock().now()
    }

    fn new_version(&self) -> EntryVersion {
        EntryVersion::generate(&*self.shared.entropy)
    }

    /// Releases the locks on a key whose session has ended, and notifies its waiters.
    fn release_ended(&self, key: &SessionKey) {
        drop(self.shared.held_locks.remove_key(key));
        self.shared.notifiers.notify(key);
    }

    fn error(&self, operation: &'static str, failure: Failure) -> StorageError {
        let kind = match &failure {
            Failure::Refused(kind) => *kind,
            Failure::PartFailed(error) => error.kind(),
        };
        let error = StorageError::new(kind, operation, self.store.name());
        match failure {
            Failure::Refused(_) => error,
            Failure::PartFailed(cause) => error.with_source(cause),
        }
    }
}

impl<R: ?Sized, L: ?Sized> Clone for LockedStore<R, L> {
    fn clone(&self) -> Self {
        Self {
            shared: Arc::clone(&self.shared),
            locks: Arc::clone(&self.locks),
            store: Arc::clone(&self.store),
        }
    }
}

impl<R: fmt::Debug + ?Sized, L: fmt::Debug + ?Sized> fmt::Debug for LockedStore<R, L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LockedStore")
            .field("store", &&*self.store)
            .field("locks", &&*self.locks)
            .field("tombstone_ttl", &self.shared.tombstone_ttl)
            .finish_non_exhaustive()
    }
}
