//! [`MemoizedStorage`]: the storage, and its implementation of the contract.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use sessile_core::{
    Capabilities, Clock, Cursor, ImmediateStorage, Lock, LockId, Locked, Lookup, Page, Record, SessionKey, Storage,
    StorageError, Stored, Timestamp,
};

use crate::cache::Cache;
use crate::load::Loaded;
use crate::probe::{Probe, Probed};
use crate::stats::{MemoizedStats, Reads};
use crate::write::WriteGuard;

/// A storage that serves reads of hot sessions from memory. The [crate](crate) documentation says what it promises.
///
/// Clones share the cache.
pub struct MemoizedStorage<S: ?Sized> {
    shared: Arc<Shared>,
    inner: Arc<S>,
}

struct Shared {
    /// The inner storage in validated mode, `None` in exclusive mode.
    probe: Option<Arc<dyn Probe>>,
    cache: Cache,
    reads: Reads,
}

impl<S: Storage + ?Sized> MemoizedStorage<S> {
    pub(crate) fn from_parts(inner: Arc<S>, probe: Option<Arc<dyn Probe>>, cache: Cache) -> Self {
        let reads = Reads::default();
        let shared = Shared { probe, cache, reads };
        Self {
            shared: Arc::new(shared),
            inner,
        }
    }

    /// Returns the inner storage. In exclusive mode nothing may be written to it directly.
    #[must_use]
    pub fn inner(&self) -> &S {
        &self.inner
    }

    /// Returns the number of cached sessions, and the counters of reads so far.
    #[must_use]
    pub fn stats(&self) -> MemoizedStats {
        self.shared.reads.stats(self.cache().records())
    }

    fn cache(&self) -> &Cache {
        &self.shared.cache
    }

    /// Returns the cached record if it is live, and loads it otherwise.
    async fn read_exclusive(&self, key: &SessionKey) -> Result<Lookup<Stored>, StorageError> {
        let cached = self.cache().get(key);
        if let Some(record) = cached.filter(|record| !record.meta.has_expired(self.clock().now())) {
            self.shared.reads.hit();
            return Ok(Lookup::Found(Stored::new(*key, record)));
        }
        self.load(key).await
    }

    /// Returns the cached record if the inner storage has no newer one, and loads it otherwise. The metadata are those
    /// of the probe; the cache only adds the payload.
    async fn read_validated(
        &self,
        key: &SessionKey,
        probed: Result<Lookup<Probed>, StorageError>,
    ) -> Result<Lookup<Stored>, StorageError> {
        let probed = match probed? {
            Lookup::Found(probed) => probed,
            Lookup::Missing => {
                self.cache().invalidate(key);
                return Ok(Lookup::Missing);
            }
            Lookup::Superseded => {
                self.cache().invalidate(key);
                return Ok(Lookup::Superseded);
            }
        };
        let cached = self.cache().get(&probed.key);
        if let Some(mut record) = cached.filter(|record| probed.describes(record)) {
            self.shared.reads.hit();
            record.meta = probed.meta;
            return Ok(Lookup::Found(Stored::new(probed.key, record)));
        }
        match self.load(&probed.key).await? {
            // A load that another caller began can be older than the probe, and then it has found another record.
            Lookup::Found(mut stored) if stored.key == probed.key && probed.describes(&stored.record) => {
                stored.record.meta = probed.meta;
                Ok(Lookup::Found(stored))
            }
            _ => self.inner.read(key).await,
        }
    }

    /// Reads from the inner storage, and shares the read with concurrent callers for the same key.
    async fn load(&self, key: &SessionKey) -> Result<Lookup<Stored>, StorageError> {
        let Some(joined) = self.cache().join_load(key) else {
            self.shared.reads.miss();
            return self.inner.read(key).await;
        };
        let mut loaded = joined.load.0.lock().await;
        if let Some(loaded) = &*loaded {
            self.shared.reads.share();
            return loaded.result();
        }
        self.shared.reads.miss();
        let result = self.inner.read(key).await;
        let found = match &result {
            Ok(Lookup::Found(stored)) => Some(stored),
            _ => None,
        };
        joined.complete(found);
        loaded.insert(Loaded::new(result)).result()
    }
}

impl<S: ?Sized> Clone for MemoizedStorage<S> {
    fn clone(&self) -> Self {
        Self {
            shared: Arc::clone(&self.shared),
            inner: Arc::clone(&self.inner),
        }
    }
}

impl<S: fmt::Debug + ?Sized> fmt::Debug for MemoizedStorage<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoizedStorage")
            .field("inner", &&*self.inner)
            .field("validated", &self.shared.probe.is_some())
            .field("limits", &self.shared.cache.limits)
            .finish_non_exhaustive()
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl<S: Storage + ?Sized> Storage for MemoizedStorage<S> {
    fn name(&self) -> &'static str {
        self.inner.name()
    }

    fn clock(&self) -> &dyn Clock {
        self.inner.clock()
    }

    fn capabilities(&self) -> Capabilities<'_> {
        // The cache holds nothing that the inner storage does not count.
        Capabilities::none().with_usage(self.inner.capabilities().usage())
    }

    /// Returns `None`: a session that is not cached is loaded, which takes time.
    fn immediate(&self) -> Option<&dyn ImmediateStorage> {
        None
    }

    async fn read(&self, key: &SessionKey) -> Result<Lookup<Stored>, StorageError> {
        let found = match &self.shared.probe {
            None => self.read_exclusive(key).await?,
            Some(probe) => self.read_validated(key, probe.probe(key).await).await?,
        };
        // The result of a load that another caller began can be a little old.
        Ok(match found {
            Lookup::Found(stored) if stored.record.meta.has_expired(self.clock().now()) => Lookup::Missing,
            found => found,
        })
    }

    async fn lock(&self, key: &SessionKey, wait: Duration) -> Result<Lookup<Locked>, StorageError> {
        let locked = self.inner.lock(key, wait).await;
        if let Ok(Lookup::Missing | Lookup::Superseded) = locked {
            self.cache().invalidate(key);
        }
        locked
    }

    async fn create(&self, key: &SessionKey, record: Record) -> Result<(), StorageError> {
        let write = WriteGuard::begin(self.cache(), key);
        let result = self.inner.create(key, record.clone()).await;
        write.finish(&result, Some(Stored::new(*key, record)));
        result
    }

    async fn commit(&self, lock: &mut Lock, record: Record) -> Result<(), StorageError> {
        let key = *lock.key();
        let write = WriteGuard::begin(self.cache(), &key);
        let result = self.inner.commit(lock, record.clone()).await;
        write.finish(&result, Some(Stored::new(key, record)));
        result
    }

    async fn replace(&self, known: &Stored, record: Record) -> Result<bool, StorageError> {
        let key = known.key;
        let write = WriteGuard::begin(self.cache(), &key);
        let result = self.inner.replace(known, record.clone()).await;
        // If nothing was replaced, the record that was cached may be another one, or lack the stamp by which the inner
        // storage knows it. So it is not cached again, and the next read loads it.
        let written = matches!(result, Ok(true)).then(|| Stored::new(key, record));
        write.finish(&result, written);
        result
    }

    async fn rotate(
        &self,
        lock: &mut Lock,
        new_key: &SessionKey,
        record: Record,
        grace: Duration,
    ) -> Result<(), StorageError> {
        let write = WriteGuard::begin(self.cache(), lock.key());
        // Both keys should be of one shard. Then the first guard covers the new key as well.
        let other = (new_key.shard() != lock.key().shard()).then(|| WriteGuard::begin(self.cache(), new_key));
        let result = self.inner.rotate(lock, new_key, record.clone(), grace).await;
        match other {
            None => {
                let key = *new_key;
                write.finish(&result, Some(Stored::new(key, record)));
            }
            Some(other) => {
                write.finish(&result, None);
                other.finish(&result, None);
            }
        }
        result
    }

    async fn release(&self, lock: Lock) -> Result<(), StorageError> {
        self.inner.release(lock).await
    }

    async fn renew(&self, lock: &LockId) -> Result<(), StorageError> {
        self.inner.renew(lock).await
    }

    async fn touch(
        &self,
        key: &SessionKey,
        version: u64,
        deadline: Option<Timestamp>,
        last_active: Timestamp,
    ) -> Result<bool, StorageError> {
        let mut write = WriteGuard::begin(self.cache(), key);
        let result = self.inner.touch(key, version, deadline, last_active).await;
        // If the touch was refused, the record has been written since, here or by another process.
        let before = write.before().filter(|record| record.meta.version == version);
        let touched = before.filter(|_| matches!(result, Ok(true))).map(|mut record| {
            record.meta.touch(deadline, last_active);
            Stored::new(*key, record)
        });
        write.finish(&result, touched);
        result
    }

    async fn destroy(&self, key: &SessionKey) -> Result<Lookup<()>, StorageError> {
        let write = WriteGuard::begin(self.cache(), key);
        let result = self.inner.destroy(key).await;
        write.finish(&result, None);
        result
    }

    async fn scan(&self, cursor: Option<Cursor>, limit: usize) -> Result<Page, StorageError> {
        self.inner.scan(cursor, limit).await
    }

    async fn sweep(&self, limit: usize) -> Result<Vec<Stored>, StorageError> {
        let swept = self.inner.sweep(limit).await?;
        swept.iter().for_each(|stored| self.cache().invalidate(&stored.key));
        Ok(swept)
    }

    async fn drain(&self, patience: Duration) {
        self.inner.drain(patience).await;
    }
}
