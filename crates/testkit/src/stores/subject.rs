//! [`StoreSubject`]: the record store under test, and its permitted differences.

use std::any::Any;
use std::fmt;
use std::sync::Arc;

use sessile_core::RecordStore;

/// A record store under test, created for each case.
///
/// ```
/// use sessile_testkit::{ModelStore, StoreSubject};
///
/// async fn subject() -> StoreSubject {
///     let store = ModelStore::new();
///     StoreSubject::new(store.clone()).with_second(store)
/// }
/// ```
///
/// No flag turns a promise of the contract off. A store must refuse an operation that it does not support with
/// [`Unsupported`](sessile_core::StorageErrorKind::Unsupported), and the kit checks that.
pub struct StoreSubject {
    pub(super) store: Arc<dyn RecordStore>,
    pub(super) second: Option<Arc<dyn RecordStore>>,
    pub(super) paused: bool,
    pub(super) renames: bool,
    pub(super) scans: bool,
    pub(super) takes_expired: bool,
    pub(super) keeps_expired: bool,
    guards: Vec<Box<dyn Any + Send + Sync>>,
}

impl StoreSubject {
    /// Creates a subject with this store, which must be empty and used by nothing else.
    ///
    /// Tokio's time is paused in all cases that need one thread. Blocking work is possible in
    /// [`tokio::task::spawn_blocking`]. Test a store that talks to a server [in real time](Self::in_real_time).
    pub fn new(store: impl RecordStore) -> Self {
        Self {
            store: Arc::new(store),
            second: None,
            paused: true,
            renames: true,
            scans: true,
            takes_expired: true,
            keeps_expired: true,
            guards: Vec::new(),
        }
    }

    /// Sets another handle on the same data, as a second process has it. If the store can be opened twice, the handle
    /// should share no memory with the first.
    #[must_use]
    pub fn with_second(mut self, store: impl RecordStore) -> Self {
        self.second = Some(Arc::new(store));
        self
    }

    /// Keeps a value until the end of the case, such as a temporary folder or a server.
    #[must_use]
    pub fn keeping(mut self, guard: impl Any + Send + Sync) -> Self {
        self.guards.push(Box::new(guard));
        self
    }

    /// Runs the cases in real time, for a store that waits for events outside tokio: a server, or its own threads.
    #[must_use]
    pub fn in_real_time(mut self) -> Self {
        self.paused = false;
        self
    }

    /// Declares that the store refuses to rename.
    #[must_use]
    pub fn without_rename(mut self) -> Self {
        self.renames = false;
        self
    }

    /// Declares that the store refuses to scan.
    #[must_use]
    pub fn without_scan(mut self) -> Self {
        self.scans = false;
        self
    }

    /// Declares that the store refuses to take expired entries.
    #[must_use]
    pub fn without_take_expired(mut self) -> Self {
        self.takes_expired = false;
        self
    }

    /// Declares that the backend has a clock and removes expired entries by itself.
    #[must_use]
    pub fn dropping_the_expired(mut self) -> Self {
        self.keeps_expired = false;
        self
    }
}

impl fmt::Debug for StoreSubject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoreSubject")
            .field("store", &self.store)
            .finish_non_exhaustive()
    }
}
