//! [`MemoryStorage`]: the storage, and its implementation of the contract.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use sessile_core::{
    Capabilities, Clock, Cursor, ImmediateStorage, Lock, LockId, Locked, Lookup, Page, Record, ReportUsage, SessionKey,
    Storage, StorageError, StorageErrorKind, Stored, Timestamp, Usage, Watch, WatchSessions,
};

use crate::acquire::Acquire;
use crate::capacity::{MOVED_BYTES, SESSION_BYTES};
use crate::entry::Entry;
use crate::shared::{NAME, Shared, failed};
use crate::stats::MemoryStats;
use crate::{drain, scan};

/// A storage in the memory of this process. The [crate](crate) documentation says what it promises.
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

impl MemoryStorage {
    /// The bytes that a session counts as besides its payload and its facts, for
    /// [`max_bytes`](crate::MemoryStorageBuilder::max_bytes): 256.
    pub const SESSION_BYTES: usize = SESSION_BYTES;

    /// The bytes that an alias or tombstone counts as, for [`max_bytes`](crate::MemoryStorageBuilder::max_bytes): 320.
    pub const MOVED_BYTES: usize = MOVED_BYTES;

    /// Counts the sessions, moved keys, locks and waiters of the storage.
    ///
    /// It looks at every session, so it is for operators and tests, and not for every request. While it counts a shard,
    /// operations on the sessions of that shard wait.
    #[must_use]
    pub fn stats(&self) -> MemoryStats {
        let mut stats = MemoryStats::default();
        for shard in &self.shared.shards {
            shard.step(|state, now| state.count(&mut stats, now));
        }
        stats
    }
}

impl fmt::Debug for MemoryStorage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryStorage")
            .field("shards", &self.shared.shards.len())
            .field("options", &self.shared.options)
            .finish()
    }
}

/// Reports what [`MemoryStorage::stats`] counts, at the same cost.
#[async_trait]
impl ReportUsage for MemoryStorage {
    async fn usage(&self) -> Result<Usage, StorageError> {
        let stats = self.stats();
        Ok(Usage::new((stats.stored + stats.moved) as u64, stats.bytes as u64))
    }
}

/// Each operation that changes a session wakes its watches before it returns.
impl WatchSessions for MemoryStorage {
    fn watch(&self, key: &SessionKey) -> Watch {
        self.shared.options.watchers.watch(key)
    }
}

#[async_trait]
impl Storage for MemoryStorage {
    fn name(&self) -> &'static str {
        NAME
    }

    fn clock(&self) -> &dyn Clock {
        &*self.shared.options.clock
    }

    fn capabilities(&self) -> Capabilities<'_> {
        Capabilities::none().with_usage(Some(self)).with_watch(Some(self))
    }

    fn immediate(&self) -> Option<&dyn ImmediateStorage> {
        Some(&*self.shared)
    }

    async fn read(&self, key: &SessionKey) -> Result<Lookup<Stored>, StorageError> {
        self.shared.read(key).map(|(found, _moment)| found)
    }

    async fn lock(&self, key: &SessionKey, wait: Duration) -> Result<Lookup<Locked>, StorageError> {
        if let Some(result) = self.shared.lock(key) {
            return result.map(|(found, _moment)| found);
        }
        if wait.is_zero() {
            return Err(failed("lock")(StorageErrorKind::LockTimeout));
        }
        let shard = self.shared.shard(key);
        // Boxed, so that only callers that have to wait allocate the future of a wait.
        let locked = Box::pin(Acquire::new(Arc::clone(shard), *key, wait)).await;
        locked.map_err(failed("lock"))
    }

    async fn create(&self, key: &SessionKey, record: Record) -> Result<(), StorageError> {
        self.shared.create(key, record)
    }

    async fn commit(&self, lock: &mut Lock, record: Record) -> Result<(), StorageError> {
        self.shared.commit(lock, record)
    }

    async fn replace(&self, known: &Stored, record: Record) -> Result<bool, StorageError> {
        self.shared.replace(known, record)
    }

    /// Replaces the record and moves it to `new_key`, in one step.
    ///
    /// # Errors
    ///
    /// [`Unsupported`](StorageErrorKind::Unsupported) if `new_key` has another [shard](SessionKey::shard) than the old
    /// key, which the contract rules out, and those of the contract.
    async fn rotate(
        &self,
        lock: &mut Lock,
        new_key: &SessionKey,
        mut record: Record,
        grace: Duration,
    ) -> Result<(), StorageError> {
        let LockId { key, token, .. } = lock.id();
        if new_key.shard_bytes() != key.shard_bytes() {
            return Err(failed("rotate")(StorageErrorKind::Unsupported));
        }
        let shard = self.shared.shard(&key);
        let ticket = shard.ticket_of(&token);
        let options = &self.shared.options;
        let result = self.shared.sweep_while_full(|| {
            shard.step(|state, now| state.rotate(&key, ticket, new_key, &mut record, grace, now, options))
        });
        let _replaced = result.map_err(failed("rotate"))?;
        options.watchers.wake(&key);
        options.watchers.wake(new_key);
        lock.disarm();
        Ok(())
    }

    async fn release(&self, lock: Lock) -> Result<(), StorageError> {
        self.shared.release(lock)
    }

    async fn renew(&self, lock: &LockId) -> Result<(), StorageError> {
        let shard = self.shared.shard(&lock.key);
        let ticket = shard.ticket_of(&lock.token);
        let result = shard.step(|state, now| state.renew(&lock.key, ticket, now, &self.shared.options));
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
        ImmediateStorage::destroy(&*self.shared, key)
    }

    async fn scan(&self, cursor: Option<Cursor>, limit: usize) -> Result<Page, StorageError> {
        scan::page(self.shared.shards.iter().map(|shard| &**shard), cursor, limit).map_err(failed("scan"))
    }

    async fn sweep(&self, limit: usize) -> Result<Vec<Stored>, StorageError> {
        Ok(self.shared.sweep(limit).into_iter().map(Entry::into_stored).collect())
    }

    /// Waits for the holders of locks, and revokes the locks that are left. Locks end with the process anyway, but
    /// other tasks may go on using the storage.
    async fn drain(&self, patience: Duration) {
        drain::drain(&self.shared.shards, patience).await;
    }
}
