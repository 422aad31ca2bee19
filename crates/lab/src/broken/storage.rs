//! [`Broken`]: a storage with one bug, and the bugs of time and waiting.

use std::collections::BTreeMap;
use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use sessile_core::{
    Capabilities, Clock, Cursor, ImmediateStorage, Lock, LockId, Locked, Lookup, Page, Record, SessionKey, Storage,
    StorageError, Stored, Timestamp, Unlock, Usage,
};
use sessile_testkit::ModelStorage;
use tokio::task::yield_now;

use super::watch::Hints;
use super::{Bug, MOMENT};

/// A [`ModelStorage`] with one [`Bug`].
///
/// ```
/// use sessile_core::{Meta, OsEntropy, Record, SessionId, Storage};
/// use sessile_lab::{Broken, Bug};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// let storage = Broken::new(Bug::CreateOverwrites);
/// let key = SessionId::generate(&OsEntropy).key();
/// let meta = Meta::new(storage.clock().now());
/// storage.create(&key, Record::new(meta.clone(), "one")).await.unwrap();
/// storage.create(&key, Record::new(meta, "two")).await.unwrap(); // must be refused
/// # }
/// ```
#[derive(Debug)]
pub struct Broken {
    pub(super) bug: Bug,
    pub(super) model: ModelStorage,
    /// The number of this handle.
    pub(super) handle: usize,
    pub(super) waiting: Arc<AtomicUsize>,
    /// The largest number of bytes so far.
    pub(super) taken: Arc<AtomicUsize>,
    pub(super) cache: Mutex<BTreeMap<SessionKey, Lookup<Stored>>>,
    /// The handle that last read each session.
    pub(super) readers: Arc<Mutex<BTreeMap<SessionKey, usize>>>,
    /// The deadlines of touched records before the touch.
    pub(super) timers: Arc<Mutex<BTreeMap<SessionKey, Timestamp>>>,
    /// The largest usage so far.
    pub(super) most: Mutex<Usage>,
    pub(super) hints: Hints,
}

impl Broken {
    /// Creates an empty storage with this bug. Otherwise it equals a default [`ModelStorage`] with at most eight
    /// waiters per session.
    #[must_use]
    pub fn new(bug: Bug) -> Self {
        Self {
            bug,
            model: ModelStorage::with_rules(bug).with_max_waiters(8),
            handle: 0,
            waiting: Arc::default(),
            taken: Arc::default(),
            cache: Mutex::default(),
            readers: Arc::default(),
            timers: Arc::default(),
            most: Mutex::default(),
            hints: Hints::default(),
        }
    }

    /// Returns an empty storage with another lease. The default is 6 seconds.
    #[must_use]
    pub fn with_lease(&self, lease: Duration) -> Self {
        Self {
            model: self.model.with_lease(lease),
            ..Self::new(self.bug)
        }
    }

    /// Returns another handle on the same data.
    #[must_use]
    pub fn second(&self) -> Self {
        Self {
            bug: self.bug,
            model: self.model.clone(),
            handle: self.handle + 1,
            waiting: Arc::clone(&self.waiting),
            taken: Arc::clone(&self.taken),
            cache: Mutex::default(),
            readers: Arc::clone(&self.readers),
            timers: Arc::clone(&self.timers),
            most: Mutex::default(),
            hints: match self.bug {
                Bug::WatchIsLocal => Hints::default(),
                _ => self.hints.clone(),
            },
        }
    }

    /// Returns the model behind this storage, which has no bugs of time and waiting.
    #[must_use]
    pub fn model(&self) -> &ModelStorage {
        &self.model
    }

    /// Creates a lock with this lock id that releases itself in the model.
    pub(super) fn lock_of(&self, lock_id: LockId, lease: Duration) -> Lock {
        struct Releaser(ModelStorage);

        impl Unlock for Releaser {
            fn unlock(&self, lock_id: LockId) {
                self.0.step(|rules, state, _| rules.dropped(state, &lock_id));
            }
        }

        Lock::new(lock_id, lease, Arc::new(Releaser(self.model.clone())))
    }

    pub(super) fn strip_error<T>(&self, result: Result<T, StorageError>) -> Result<T, StorageError> {
        result.map_err(|error| match self.bug {
            Bug::ErrorsAreAnonymous => StorageError::new(error.kind(), "", ""),
            _ => error,
        })
    }

    /// Waits until the lock is free.
    pub(super) async fn wait_for_lock(&self, key: &SessionKey) {
        drop(self.model.lock(key, Duration::MAX).await);
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl Storage for Broken {
    fn name(&self) -> &'static str {
        self.model.name()
    }

    fn clock(&self) -> &dyn Clock {
        self.model.clock()
    }

    fn capabilities(&self) -> Capabilities<'_> {
        self.wrong_capabilities()
    }

    fn immediate(&self) -> Option<&dyn ImmediateStorage> {
        self.wrongly_immediate()
    }

    async fn read(&self, key: &SessionKey) -> Result<Lookup<Stored>, StorageError> {
        self.wrongly_read(key).await
    }

    async fn lock(&self, key: &SessionKey, wait: Duration) -> Result<Lookup<Locked>, StorageError> {
        self.strip_error(self.wrongly_lock(key, wait).await)
    }

    async fn create(&self, key: &SessionKey, record: Record) -> Result<(), StorageError> {
        match self.bug {
            Bug::CreateInTwoSteps => {
                let vacant = self.model.step(|_, state, now| state.require_vacant(key, now));
                tokio::time::sleep(MOMENT).await;
                if vacant.is_ok() {
                    self.model.step(|_, state, _| state.put(key, record));
                    return Ok(());
                }
                self.model.create(key, record).await
            }
            Bug::CreateTorn => {
                let bare = Record::new(record.meta.clone(), "");
                self.model.create(key, bare).await?;
                yield_now().await;
                self.model.step(|_, state, _| state.put(key, record));
                Ok(())
            }
            bug if bug.has_limit() => self.create_in_room(key, record).await,
            _ => self.strip_error(self.model.create(key, record).await),
        }
    }

    async fn commit(&self, lock: &mut Lock, record: Record) -> Result<(), StorageError> {
        match self.bug.has_limit() {
            true => self.commit_in_room(lock, record).await,
            false => self.strip_error(self.wrongly_commit(lock, record).await),
        }
    }

    async fn replace(&self, known: &Stored, record: Record) -> Result<bool, StorageError> {
        match self.bug.has_limit() {
            true => self.replace_in_room(known, record).await,
            false => self.strip_error(self.wrongly_replace(known, record).await),
        }
    }

    async fn rotate(
        &self,
        lock: &mut Lock,
        new_key: &SessionKey,
        record: Record,
        grace: Duration,
    ) -> Result<(), StorageError> {
        if self.bug == Bug::RotateTorn {
            let lock_id = lock.id();
            self.model.step(|_, state, now| {
                if state.require_lock(&lock_id, now).is_ok() {
                    state.records.insert(*new_key, record.clone());
                }
            });
            yield_now().await;
            self.model.step(|_, state, _| state.records.remove(new_key));
        }
        let rotated = self.rotate_in_room(lock, new_key, record, grace).await;
        if self.bug == Bug::RotateDisarmsOnFailure && rotated.is_err() {
            lock.disarm();
        }
        self.strip_error(rotated)
    }

    async fn release(&self, mut lock: Lock) -> Result<(), StorageError> {
        let lock_id = lock.id();
        match self.bug {
            Bug::ReleaseTorn => {
                lock.disarm();
                yield_now().await;
            }
            Bug::ReleaseFailsWhenLost => {
                let held = self.model.step(|_, state, now| state.require_lock(&lock_id, now));
                held.map_err(|kind| StorageError::new(kind, "release", self.name()))?;
            }
            _ => {}
        }
        self.model.release(lock).await
    }

    async fn renew(&self, lock: &LockId) -> Result<(), StorageError> {
        if self.bug == Bug::RenewTorn {
            let held = self.model.step(|_, state, now| {
                let held = state.require_lock(lock, now);
                held.map(|()| state.locks.remove(&lock.key)).ok().flatten()
            });
            yield_now().await;
            if let Some(holder) = held {
                self.model.step(|_, state, _| state.locks.insert(lock.key, holder));
            }
        }
        self.strip_error(self.model.renew(lock).await)
    }

    async fn touch(
        &self,
        key: &SessionKey,
        version: u64,
        deadline: Option<Timestamp>,
        last_active: Timestamp,
    ) -> Result<bool, StorageError> {
        self.wrongly_touch(key, version, deadline, last_active).await
    }

    async fn destroy(&self, key: &SessionKey) -> Result<Lookup<()>, StorageError> {
        self.wrongly_destroy(key).await
    }

    async fn scan(&self, cursor: Option<Cursor>, limit: usize) -> Result<Page, StorageError> {
        self.wrongly_scan(cursor, limit).await
    }

    async fn sweep(&self, limit: usize) -> Result<Vec<Stored>, StorageError> {
        self.wrongly_sweep(limit).await
    }

    async fn drain(&self, patience: Duration) {
        match self.bug {
            Bug::DrainDoesNothing => {}
            Bug::DrainIgnoresHolders => self.model.drain(Duration::ZERO).await,
            Bug::DrainIgnoresReleases => {
                tokio::time::sleep(patience).await;
                self.model.drain(Duration::ZERO).await;
            }
            _ => self.model.drain(patience).await,
        }
    }
}
