//! [`MemoryStorage`]: the contract, verb by verb.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use sessile_core::{
    Capabilities, Clock, Cursor, Lock, LockTicket, Locked, Lookup, Page, Record, ReportUsage, SessionKey, Storage,
    StorageError, StorageErrorKind, Stored, Timestamp, Usage,
};

use crate::builder::MemoryStorageBuilder;
use crate::capacity::{MOVED_BYTES, Room, SESSION_BYTES};
use crate::locking::Taken;
use crate::shard::{SLICE, Settings, Shard};
use crate::stats::MemoryStats;
use crate::waiting::Waiting;
use crate::{drain, scan};

const NAME: &str = "memory";

/// Sessions in the memory of this process. See the [crate](crate) for what that promises.
///
/// Clones share their sessions.
///
/// ```
/// use std::time::Duration;
/// use sessile_core::{Lookup, Meta, OsEntropy, Record, SessionId, Storage};
/// use sessile_memory::MemoryStorage;
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), sessile_core::StorageError> {
/// let storage = MemoryStorage::new();
/// let key = SessionId::generate(&OsEntropy).key();
/// let record = Record::new(Meta::new(storage.clock().now()), "1");
/// storage.create(&key, record).await?;
///
/// let Lookup::Found(mut locked) = storage.lock(&key, Duration::from_secs(1)).await? else {
///     panic!("the session is there");
/// };
/// locked.record.payload = "2".into();
/// storage.commit(&mut locked.lock, locked.record).await?;
///
/// assert_eq!(storage.read(&key).await?.found().unwrap().record.payload, "2");
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct MemoryStorage {
    pub(crate) shared: Arc<Shared>,
}

/// What the clones of a storage share.
pub(crate) struct Shared {
    pub(crate) shards: Box<[Arc<Shard>]>,
    pub(crate) settings: Arc<Settings>,
    /// The shard where the next sweep begins, so that each has its turn however small the limits are.
    sweep_from: AtomicUsize,
}

impl MemoryStorage {
    /// As how many bytes a session counts besides its payload: 192. See [`MemoryStorageBuilder::max_bytes`].
    pub const SESSION_BYTES: usize = SESSION_BYTES;

    /// As how many bytes the alias or tombstone counts that a rotation leaves: 320. See
    /// [`MemoryStorageBuilder::max_bytes`].
    pub const MOVED_BYTES: usize = MOVED_BYTES;

    /// An empty storage with the defaults of its [builder](MemoryStorageBuilder).
    #[must_use]
    pub fn new() -> Self {
        Self::builder().build()
    }

    /// Sets a storage up.
    pub fn builder() -> MemoryStorageBuilder {
        MemoryStorageBuilder::new()
    }

    /// Counts what is in the storage.
    ///
    /// It looks at every session, so it is for operators and tests, and not for every request. For as long as it
    /// takes to count a shard, verbs on the sessions in that shard wait.
    #[must_use]
    pub fn stats(&self) -> MemoryStats {
        let mut stats = MemoryStats::default();
        for shard in &self.shared.shards {
            shard.step(|state, now| state.count(&mut stats, now));
        }
        stats
    }
}

impl Default for MemoryStorage {
    fn default() -> Self {
        Self::new()
    }
}

impl From<Arc<Shared>> for MemoryStorage {
    fn from(shared: Arc<Shared>) -> Self {
        Self { shared }
    }
}

impl fmt::Debug for MemoryStorage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryStorage")
            .field("shards", &self.shared.shards.len())
            .field("settings", &self.shared.settings)
            .finish()
    }
}

impl Shared {
    pub(crate) fn new(shards: Box<[Arc<Shard>]>, settings: Arc<Settings>) -> Self {
        Self {
            shards,
            settings,
            sweep_from: AtomicUsize::new(0),
        }
    }

    /// Where a key lives. A session stays in its shard for life, as rotation keeps that part of the key.
    fn shard(&self, key: &SessionKey) -> &Arc<Shard> {
        // Characters differ in their lower bits; the multiplication carries those up, where they are taken from.
        let number = key
            .shard()
            .bytes()
            .fold(0, |number: u64, byte| number << 8 | u64::from(byte));
        let spread = number.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
        &self.shards[spread as usize & (self.shards.len() - 1)]
    }

    fn sweep(&self, limit: usize) -> Vec<Stored> {
        let mut expired = Vec::new();
        let from = self.sweep_from.fetch_add(1, Ordering::Relaxed);
        for index in 0..self.shards.len() {
            let shard = &self.shards[from.wrapping_add(index) % self.shards.len()];
            loop {
                let left = limit - expired.len();
                if left == 0 {
                    return expired;
                }
                if !shard.sweep_slice(left, &mut expired) {
                    break;
                }
            }
        }
        expired
    }

    /// Does what may need room. If there is none, it is done again without some of what has expired, until there is
    /// nothing more of that.
    fn with_room<T>(&self, mut step: impl FnMut() -> Result<T, StorageErrorKind>) -> Result<T, StorageErrorKind> {
        let mut more = true;
        loop {
            match step() {
                // What a rotation has left goes as well, and is not told of: so there is one more try.
                Err(StorageErrorKind::Full) if more => more = !self.sweep(SLICE).is_empty(),
                done => return done,
            }
        }
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.settings.sweeper.stop();
    }
}

fn failed(operation: &'static str) -> impl Fn(StorageErrorKind) -> StorageError {
    move |kind| StorageError::new(kind, operation, NAME)
}

/// What [`MemoryStorage::stats`] says, and at its cost.
#[async_trait]
impl ReportUsage for MemoryStorage {
    async fn usage(&self) -> Result<Usage, StorageError> {
        let stats = self.stats();
        Ok(Usage::new((stats.stored + stats.moved) as u64, stats.bytes as u64))
    }
}

#[async_trait]
impl Storage for MemoryStorage {
    fn name(&self) -> &'static str {
        NAME
    }

    fn clock(&self) -> &dyn Clock {
        &*self.shared.settings.clock
    }

    fn capabilities(&self) -> Capabilities<'_> {
        Capabilities::none().with_usage(Some(self))
    }

    async fn read(&self, key: &SessionKey) -> Result<Lookup<Stored>, StorageError> {
        Ok(self.shared.shard(key).step(|state, now| state.read(key, now)))
    }

    async fn lock(&self, key: &SessionKey, wait: Duration) -> Result<Lookup<Locked>, StorageError> {
        let shard = self.shared.shard(key);
        let taken = match shard.step(|state, now| state.try_lock(key, now, &self.shared.settings)) {
            // What it takes to wait is allocated by those who have to.
            Err(StorageErrorKind::LockTimeout) if !wait.is_zero() => {
                Box::pin(Waiting::new(Arc::clone(shard), *key, wait)).await
            }
            done => done,
        };
        let locked = |Taken { key, ticket, record }| Locked::new(shard.lock_of(key, ticket), record);
        taken.map(|found| found.map(locked)).map_err(failed("lock"))
    }

    async fn create(&self, key: &SessionKey, record: Record) -> Result<(), StorageError> {
        let capacity = &self.shared.settings.capacity;
        let room = Room::of(&record);
        let reserve = || capacity.reserve(room).then_some(()).ok_or(StorageErrorKind::Full);
        self.shared.with_room(reserve).map_err(failed("create"))?;
        let mut record = Some(record);
        let result = self
            .shared
            .shard(key)
            .step(|state, now| state.create(key, &mut record, now));
        if result.is_err() {
            capacity.give_back(room);
        }
        result.map(|_cleared| ()).map_err(failed("create"))
    }

    async fn commit(&self, lock: &mut Lock, mut record: Record) -> Result<(), StorageError> {
        let LockTicket { key, token, .. } = lock.ticket();
        let shard = self.shared.shard(&key);
        let ticket = shard.ticket_of(&token);
        let settings = &self.shared.settings;
        let result = self
            .shared
            .with_room(|| shard.step(|state, now| state.commit(&key, ticket, &mut record, now, settings)));
        result.map(|()| lock.spend()).map_err(failed("commit"))
    }

    async fn replace(&self, known: &Stored, record: Record) -> Result<bool, StorageError> {
        sessile_core::replace_under_lock(self, known, record).await
    }

    /// Fails with [`Unsupported`](StorageErrorKind::Unsupported) if `new_key` has another
    /// [shard](SessionKey::shard) than the old key, which the contract rules out.
    async fn rotate(
        &self,
        lock: &mut Lock,
        new_key: &SessionKey,
        mut record: Record,
        grace: Duration,
    ) -> Result<(), StorageError> {
        let LockTicket { key, token, .. } = lock.ticket();
        if new_key.shard() != key.shard() {
            return Err(failed("rotate")(StorageErrorKind::Unsupported));
        }
        let shard = self.shared.shard(&key);
        let ticket = shard.ticket_of(&token);
        let settings = &self.shared.settings;
        let result = self.shared.with_room(|| {
            shard.step(|state, now| state.rotate(&key, ticket, new_key, &mut record, grace, now, settings))
        });
        result.map(|_cleared| lock.spend()).map_err(failed("rotate"))
    }

    async fn release(&self, lock: Lock) -> Result<(), StorageError> {
        // It goes back when it is dropped: this very moment, as nothing here has to be waited for.
        drop(lock);
        Ok(())
    }

    async fn renew(&self, lock: &LockTicket) -> Result<(), StorageError> {
        let shard = self.shared.shard(&lock.key);
        let ticket = shard.ticket_of(&lock.token);
        let result = shard.step(|state, now| state.renew(&lock.key, ticket, now, &self.shared.settings));
        result.map_err(failed("renew"))
    }

    async fn touch(
        &self,
        key: &SessionKey,
        version: u64,
        deadline: Option<Timestamp>,
        last_active: Timestamp,
    ) -> Result<bool, StorageError> {
        let shard = self.shared.shard(key);
        let result = shard.step(|state, now| state.touch(key, version, deadline, last_active, now));
        result.map_err(failed("touch"))
    }

    async fn destroy(&self, key: &SessionKey) -> Result<Lookup<()>, StorageError> {
        let destroyed = self.shared.shard(key).step(|state, now| state.destroy(key, now));
        Ok(destroyed.map(|_record| ()))
    }

    async fn scan(&self, cursor: Option<Cursor>, limit: usize) -> Result<Page, StorageError> {
        scan::page(self.shared.shards.iter().map(|shard| &**shard), cursor, limit).map_err(failed("scan"))
    }

    async fn sweep(&self, limit: usize) -> Result<Vec<Stored>, StorageError> {
        Ok(self.shared.sweep(limit))
    }

    /// The locks end with the process. They are given up all the same, as others may use the storage on.
    async fn drain(&self, patience: Duration) {
        drain::drain(&self.shared.shards, patience).await;
    }
}
