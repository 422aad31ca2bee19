//! The reference models of storages and record stores, and the parts to change them.
//!
//! A [`ModelStorage`] applies [`Rules`] to a [`ModelState`]. A test of tests replaces a rule, and so has a storage that
//! breaks one promise:
//!
//! ```
//! use std::sync::Arc;
//! use sessile_core::{Lookup, Meta, OsEntropy, Record, SessionId, SessionKey, Storage, Timestamp};
//! use sessile_testkit::ModelStorage;
//! use sessile_testkit::model::{ModelState, Rules};
//!
//! #[derive(Debug)]
//! struct DestroysNothing;
//!
//! impl Rules for DestroysNothing {
//!     fn destroy(&self, state: &mut ModelState, key: &SessionKey, now: Timestamp) -> Lookup<()> {
//!         state.find(key, now).map(drop)
//!     }
//! }
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), sessile_core::StorageError> {
//! let storage = ModelStorage::with_rules(DestroysNothing);
//! let key = SessionId::generate(&OsEntropy).key();
//! storage.create(&key, Record::new(Meta::new(storage.clock().now()), "cart")).await?;
//! assert!(storage.destroy(&key).await?.is_found());
//! assert!(storage.read(&key).await?.is_found()); // it ought not to be
//! # Ok(()) }
//! ```

mod operations;
mod queue;
mod rules;
mod state;
pub(crate) mod store;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use sessile_core::{
    Capabilities, Clock, Cursor, DEFAULT_LEASE, DEFAULT_MAX_WAITERS, Lock, LockId, Locked, Lookup, Page, Record,
    ReportUsage, SessionKey, Storage, StorageError, StorageErrorKind, Stored, Timestamp, TokioClock, Usage,
};
use tokio::sync::watch;

use self::queue::{Inner, Shared};
pub use self::rules::{Correct, Rules};
pub use self::state::{Attempt, Holder, ModelState, Move, Rotation};
pub use self::store::{Entries, ModelStore};
use crate::Operation;
use crate::locked;

/// The reference storage: one mutex, three maps, and a queue that notifies all waiters.
///
/// It keeps every promise of the contract and is not optimised. Clones are handles on the same data. Records do not
/// expire by themselves; only [`sweep`](Storage::sweep) removes them.
///
/// The default clock is a [`TokioClock`]. In a test with paused time, deadlines, leases and waits all follow
/// [`tokio::time`].
///
/// ```
/// use std::time::Duration;
/// use sessile_core::{Lookup, Meta, OsEntropy, Record, SessionId, Storage};
/// use sessile_testkit::ModelStorage;
///
/// # #[tokio::main(flavor = "current_thread", start_paused = true)] async fn main() {
/// let storage = ModelStorage::new().with_lease(Duration::from_secs(5));
/// let key = SessionId::generate(&OsEntropy).key();
/// storage.create(&key, Record::new(Meta::new(storage.clock().now()), "cart")).await.unwrap();
///
/// let held = storage.lock(&key, Duration::ZERO).await.unwrap().found().unwrap();
/// assert!(storage.lock(&key, Duration::from_secs(4)).await.is_err()); // held, and the wait is over
/// assert!(storage.lock(&key, Duration::from_secs(2)).await.is_ok()); // the lease is over
/// # drop(held);
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct ModelStorage {
    shared: Arc<Shared>,
}

impl ModelStorage {
    /// Creates an empty storage that keeps the contract.
    #[must_use]
    pub fn new() -> Self {
        Self::with_rules(Correct)
    }

    /// Creates an empty storage with other rules.
    #[must_use]
    pub fn with_rules(rules: impl Rules) -> Self {
        Self {
            shared: Arc::new(Shared {
                rules: Arc::new(rules),
                clock: Arc::new(TokioClock::start()),
                lease: DEFAULT_LEASE,
                tombstone: Duration::from_secs(60),
                max_waiters: DEFAULT_MAX_WAITERS,
                inner: Inner::default().into(),
                changes: watch::Sender::new(0),
            }),
        }
    }

    /// Returns an empty storage with another clock.
    #[must_use]
    pub fn with_clock(&self, clock: impl Clock) -> Self {
        self.like(|shared| shared.clock = Arc::new(clock))
    }

    /// Returns an empty storage with another lease. The default is 6 seconds.
    #[must_use]
    pub fn with_lease(&self, lease: Duration) -> Self {
        self.like(|shared| shared.lease = lease)
    }

    /// Returns an empty storage with another lifetime of tombstones. The default is 60 seconds.
    #[must_use]
    pub fn with_tombstone_ttl(&self, tombstone: Duration) -> Self {
        self.like(|shared| shared.tombstone = tombstone)
    }

    /// Returns an empty storage with another limit of waiters per session. The default is 1,024.
    #[must_use]
    pub fn with_max_waiters(&self, max_waiters: usize) -> Self {
        self.like(|shared| shared.max_waiters = max_waiters)
    }

    /// Returns the number of entries of any kind, live or not: records, locks, markers of moved sessions, queues.
    #[must_use]
    pub fn footprint(&self) -> usize {
        locked(&self.shared.inner).footprint()
    }

    /// Returns the usage, live or not: records and markers of moved sessions.
    fn count(&self) -> Usage {
        let inner = locked(&self.shared.inner);
        let payloads: usize = inner.state.records.values().map(|record| record.payload.len()).sum();
        let entries = inner.state.records.len() + inner.state.moves.len();
        Usage::new(entries as u64, payloads as u64)
    }

    /// Returns a copy of the state.
    #[must_use]
    pub fn state(&self) -> ModelState {
        locked(&self.shared.inner).state.clone()
    }

    fn like(&self, change: impl FnOnce(&mut Shared)) -> Self {
        let mut shared = Shared {
            rules: Arc::clone(&self.shared.rules),
            clock: Arc::clone(&self.shared.clock),
            lease: self.shared.lease,
            tombstone: self.shared.tombstone,
            max_waiters: self.shared.max_waiters,
            inner: Inner::default().into(),
            changes: watch::Sender::new(0),
        };
        change(&mut shared);
        Self {
            shared: Arc::new(shared),
        }
    }

    /// Runs one atomic step with the rules, on the state, at the current time. Waiters look at the state again after
    /// it.
    pub fn step<T>(&self, step: impl FnOnce(&dyn Rules, &mut ModelState, Timestamp) -> T) -> T {
        let Shared { rules, clock, .. } = &*self.shared;
        self.shared
            .change(|inner| step(&**rules, &mut inner.state, clock.now()))
    }

    fn error(operation: Operation) -> impl Fn(StorageErrorKind) -> StorageError {
        move |kind| StorageError::new(kind, operation.name(), "model")
    }
}

impl Default for ModelStorage {
    fn default() -> Self {
        Self::new()
    }
}

#[async_trait]
impl ReportUsage for ModelStorage {
    async fn usage(&self) -> Result<Usage, StorageError> {
        Ok(self.count())
    }
}

#[async_trait]
impl Storage for ModelStorage {
    fn name(&self) -> &'static str {
        "model"
    }

    fn clock(&self) -> &dyn Clock {
        &*self.shared.clock
    }

    fn capabilities(&self) -> Capabilities<'_> {
        Capabilities::none().with_usage(Some(self))
    }

    async fn read(&self, key: &SessionKey) -> Result<Lookup<Stored>, StorageError> {
        let inner = locked(&self.shared.inner);
        let now = self.shared.clock.now();
        Ok(self.shared.rules.read(&inner.state, key, now))
    }

    async fn lock(&self, key: &SessionKey, wait: Duration) -> Result<Lookup<Locked>, StorageError> {
        let found = self
            .shared
            .lock(key, wait)
            .await
            .map_err(Self::error(Operation::Lock))?;
        Ok(found.map(|(token, Stored { key, record, .. })| {
            let lock_id = LockId::new(key, token);
            let lock = Lock::new(lock_id, self.shared.lease, self.shared.clone());
            Locked::new(lock, record)
        }))
    }

    async fn create(&self, key: &SessionKey, record: Record) -> Result<(), StorageError> {
        self.step(|rules, state, now| rules.create(state, key, record, now))
            .map_err(Self::error(Operation::Create))
    }

    async fn commit(&self, lock: &mut Lock, record: Record) -> Result<(), StorageError> {
        self.step(|rules, state, now| rules.commit(state, &lock.id(), record, now))
            .map_err(Self::error(Operation::Commit))?;
        lock.disarm();
        Ok(())
    }

    async fn replace(&self, known: &Stored, record: Record) -> Result<bool, StorageError> {
        self.step(|rules, state, now| rules.replace(state, known, record, now))
            .map_err(Self::error(Operation::Replace))
    }

    async fn rotate(
        &self,
        lock: &mut Lock,
        new_key: &SessionKey,
        record: Record,
        grace: Duration,
    ) -> Result<(), StorageError> {
        let rotation = Rotation {
            to: *new_key,
            grace,
            tombstone: self.shared.tombstone,
        };
        self.step(|rules, state, now| rules.rotate(state, &lock.id(), rotation, record, now))
            .map_err(Self::error(Operation::Rotate))?;
        lock.disarm();
        Ok(())
    }

    async fn release(&self, mut lock: Lock) -> Result<(), StorageError> {
        self.step(|rules, state, _| rules.release(state, &lock.id()));
        lock.disarm();
        Ok(())
    }

    async fn renew(&self, lock: &LockId) -> Result<(), StorageError> {
        let lease = self.shared.lease;
        self.step(|rules, state, now| rules.renew(state, lock, lease, now))
            .map_err(Self::error(Operation::Renew))
    }

    async fn touch(
        &self,
        key: &SessionKey,
        version: u64,
        deadline: Option<Timestamp>,
        last_active: Timestamp,
    ) -> Result<bool, StorageError> {
        self.step(|rules, state, now| rules.touch(state, key, version, deadline, last_active, now))
            .map_err(Self::error(Operation::Touch))
    }

    async fn destroy(&self, key: &SessionKey) -> Result<Lookup<()>, StorageError> {
        Ok(self.step(|rules, state, now| rules.destroy(state, key, now)))
    }

    async fn scan(&self, cursor: Option<Cursor>, limit: usize) -> Result<Page, StorageError> {
        let corrupt = |_| Self::error(Operation::Scan)(StorageErrorKind::Corrupt);
        let after = cursor.map(|cursor| String::from_utf8_lossy(cursor.as_bytes()).parse());
        let after: Option<SessionKey> = after.transpose().map_err(corrupt)?;
        let sessions = self.step(|rules, state, now| rules.scan(state, after.as_ref(), limit, now));
        // A full page may be the last, so the next one may be empty.
        let last = sessions.last().filter(|_| sessions.len() >= limit);
        let next = last.map(|head| Cursor::from_bytes(head.key.to_string().into_bytes()));
        Ok(Page::new(sessions, next))
    }

    async fn sweep(&self, limit: usize) -> Result<Vec<Stored>, StorageError> {
        Ok(self.step(|rules, state, now| rules.sweep(state, limit, now)))
    }

    async fn drain(&self, patience: Duration) {
        self.shared.drain(patience).await;
    }
}
