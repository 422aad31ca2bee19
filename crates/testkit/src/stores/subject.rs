//! [`StoreSubject`]: the record store under test, and what it may do differently.

use std::any::Any;
use std::fmt;
use std::sync::Arc;

use sessile_core::RecordStore;

/// A record store to be tested, made anew for each case.
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
/// There is no flag for a promise of the contract. What a store does not do it must refuse with
/// [`Unsupported`](sessile_core::StorageErrorKind::Unsupported), and the kit checks that it does.
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
    /// This store, which must be empty and which nobody else uses.
    ///
    /// Tokio's time stands still in all cases that need one thread. Blocking work is welcome if it is done in
    /// [`tokio::task::spawn_blocking`]; a store that talks to a server is tested [in real time](Self::in_real_time).
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

    /// With another handle on the same data, as a second process would have it: one that shares nothing in memory
    /// with the first, if the store can be opened twice.
    #[must_use]
    pub fn with_second(mut self, store: impl RecordStore) -> Self {
        self.second = Some(Arc::new(store));
        self
    }

    /// With something to be dropped after the case: a temporary folder, a server.
    #[must_use]
    pub fn keeping(mut self, guard: impl Any + Send + Sync) -> Self {
        self.guards.push(Box::new(guard));
        self
    }

    /// The store waits for what tokio knows nothing of: a server, threads of its own.
    #[must_use]
    pub fn in_real_time(mut self) -> Self {
        self.paused = false;
        self
    }

    /// The store refuses to rename.
    #[must_use]
    pub fn without_rename(mut self) -> Self {
        self.renames = false;
        self
    }

    /// The store refuses to scan.
    #[must_use]
    pub fn without_scan(mut self) -> Self {
        self.scans = false;
        self
    }

    /// The store refuses to take out what has expired.
    #[must_use]
    pub fn without_take_expired(mut self) -> Self {
        self.takes_expired = false;
        self
    }

    /// The backend has a clock and drops by itself what has expired by that.
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
