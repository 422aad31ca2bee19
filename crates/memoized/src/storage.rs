//! [`MemoizedStorage`]: the contract, verb by verb.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use sessile_core::{
    AtOnce, Capabilities, Clock, Cursor, Lock, LockTicket, Locked, Lookup, Page, Record, SessionKey, Storage,
    StorageError, Stored, Timestamp,
};

use crate::builder::MemoizedStorageBuilder;
use crate::cache::Cache;
use crate::flight::Answer;
use crate::part::is_of;
use crate::probe::{Probed, Validate};
use crate::stats::{MemoizedStats, Reads};
use crate::write::Write;

/// A storage that answers reads of hot sessions from memory. See the [crate](crate) for what that promises.
///
/// Clones share the memory.
pub struct MemoizedStorage<S: ?Sized> {
    shared: Arc<Shared>,
    inner: Arc<S>,
}

struct Shared {
    validate: Validate,
    cache: Cache,
    reads: Reads,
}

impl<S: Storage> MemoizedStorage<S> {
    /// Sets up a storage in front of this one.
    pub fn builder(inner: S) -> MemoizedStorageBuilder<S> {
        MemoizedStorageBuilder::new(Arc::new(inner))
    }
}

impl<S: Storage + ?Sized> MemoizedStorage<S> {
    /// Sets up a storage in front of one whose type is not known, or that is shared.
    pub fn shared(inner: Arc<S>) -> MemoizedStorageBuilder<S> {
        MemoizedStorageBuilder::new(inner)
    }

    pub(crate) fn from_parts(inner: Arc<S>, validate: Validate, cache: Cache) -> Self {
        let reads = Reads::default();
        let shared = Shared { validate, cache, reads };
        Self {
            shared: Arc::new(shared),
            inner,
        }
    }

    /// The storage behind. In exclusive mode nothing may be written to it directly.
    #[must_use]
    pub fn inner(&self) -> &S {
        &self.inner
    }

    /// How much is kept in memory, and how reads were answered so far.
    #[must_use]
    pub fn stats(&self) -> MemoizedStats {
        self.shared.reads.stats(self.cache().records())
    }

    fn cache(&self) -> &Cache {
        &self.shared.cache
    }

    /// What is kept, for as long as it lives.
    async fn read_exclusive(&self, key: &SessionKey) -> Result<Lookup<Stored>, StorageError> {
        let kept = self.cache().get(key);
        if let Some(record) = kept.filter(|record| !record.meta.has_expired(self.clock().now())) {
            self.shared.reads.hit();
            return Ok(Lookup::Found(Stored::new(*key, record)));
        }
        self.load(key).await
    }

    /// What is kept, if the storage behind has nothing newer. What it says is of now; what is kept only adds the
    /// payload.
    async fn read_validated(
        &self,
        key: &SessionKey,
        probed: Result<Lookup<Probed>, StorageError>,
    ) -> Result<Lookup<Stored>, StorageError> {
        let Probed { key: actual, meta } = match probed? {
            Lookup::Found(probed) => probed,
            Lookup::Missing => {
                self.cache().forget(key);
                return Ok(Lookup::Missing);
            }
            Lookup::Superseded => {
                self.cache().forget(key);
                return Ok(Lookup::Superseded);
            }
        };
        if let Some(mut record) = self.cache().get(&actual).filter(|record| is_of(record, &meta)) {
            self.shared.reads.hit();
            record.meta = meta;
            return Ok(Lookup::Found(Stored::new(actual, record)));
        }
        match self.load(&actual).await? {
            // A load that others began can be older than the probe, and then it is not of this record.
            Lookup::Found(mut stored) if stored.key == actual && is_of(&stored.record, &meta) => {
                stored.record.meta = meta;
                Ok(Lookup::Found(stored))
            }
            _ => self.inner.read(key).await,
        }
    }

    /// Reads from the storage behind, together with all who want the same.
    async fn load(&self, key: &SessionKey) -> Result<Lookup<Stored>, StorageError> {
        let Some(boarded) = self.cache().board(key) else {
            self.shared.reads.miss();
            return self.inner.read(key).await;
        };
        let mut answer = boarded.flight.turn().await;
        if let Some(answer) = &*answer {
            self.shared.reads.share();
            return answer.result();
        }
        self.shared.reads.miss();
        let loaded = self.inner.read(key).await;
        let found = match &loaded {
            Ok(Lookup::Found(stored)) => Some(stored),
            _ => None,
        };
        boarded.land(found);
        answer.insert(Answer::of(loaded)).result()
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
            .field("validated", &self.shared.validate.is_some())
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
        // What is remembered here is what is stored there.
        Capabilities::none().with_usage(self.inner.capabilities().usage())
    }

    /// None: what is not kept is loaded, and a load is shared by waiting for it.
    fn at_once(&self) -> Option<&dyn AtOnce> {
        None
    }

    async fn read(&self, key: &SessionKey) -> Result<Lookup<Stored>, StorageError> {
        let found = match &self.shared.validate {
            None => self.read_exclusive(key).await?,
            Some(probe) => self.read_validated(key, probe.probe(key).await).await?,
        };
        // The answer to another's question can be a little old.
        Ok(match found {
            Lookup::Found(stored) if stored.record.meta.has_expired(self.clock().now()) => Lookup::Missing,
            found => found,
        })
    }

    async fn lock(&self, key: &SessionKey, wait: Duration) -> Result<Lookup<Locked>, StorageError> {
        let locked = self.inner.lock(key, wait).await;
        if let Ok(Lookup::Missing | Lookup::Superseded) = locked {
            self.cache().forget(key);
        }
        locked
    }

    async fn create(&self, key: &SessionKey, record: Record) -> Result<(), StorageError> {
        let write = Write::begin(self.cache(), key);
        let answer = self.inner.create(key, record.clone()).await;
        write.end(&answer, Some(Stored::new(*key, record)));
        answer
    }

    async fn commit(&self, lock: &mut Lock, record: Record) -> Result<(), StorageError> {
        let key = *lock.key();
        let write = Write::begin(self.cache(), &key);
        let answer = self.inner.commit(lock, record.clone()).await;
        write.end(&answer, Some(Stored::new(key, record)));
        answer
    }

    async fn replace(&self, known: &Stored, record: Record) -> Result<bool, StorageError> {
        let key = known.key;
        let write = Write::begin(self.cache(), &key);
        let answer = self.inner.replace(known, record.clone()).await;
        // Where nothing was replaced, what is kept may be another record, or this one without the number that the storage
        // behind knows it by. It is read anew from there.
        let left = matches!(answer, Ok(true)).then(|| Stored::new(key, record));
        write.end(&answer, left);
        answer
    }

    async fn rotate(
        &self,
        lock: &mut Lock,
        new_key: &SessionKey,
        record: Record,
        grace: Duration,
    ) -> Result<(), StorageError> {
        let write = Write::begin(self.cache(), lock.key());
        // Where both are of one shard, which they should be, it is on the shelf of the old key that nothing is kept.
        let other = (new_key.shard() != lock.key().shard()).then(|| Write::begin(self.cache(), new_key));
        let answer = self.inner.rotate(lock, new_key, record.clone(), grace).await;
        match other {
            None => {
                let key = *new_key;
                write.end(&answer, Some(Stored::new(key, record)));
            }
            Some(other) => {
                write.end(&answer, None);
                other.end(&answer, None);
            }
        }
        answer
    }

    async fn release(&self, lock: Lock) -> Result<(), StorageError> {
        self.inner.release(lock).await
    }

    async fn renew(&self, lock: &LockTicket) -> Result<(), StorageError> {
        self.inner.renew(lock).await
    }

    async fn touch(
        &self,
        key: &SessionKey,
        version: u64,
        deadline: Option<Timestamp>,
        last_active: Timestamp,
    ) -> Result<bool, StorageError> {
        let mut write = Write::begin(self.cache(), key);
        let answer = self.inner.touch(key, version, deadline, last_active).await;
        // Where it was not touched, the record has been written since, here or elsewhere.
        let before = write.before().filter(|record| record.meta.version == version);
        let touched = before.filter(|_| matches!(answer, Ok(true))).map(|mut record| {
            record.meta.touch(deadline, last_active);
            Stored::new(*key, record)
        });
        write.end(&answer, touched);
        answer
    }

    async fn destroy(&self, key: &SessionKey) -> Result<Lookup<()>, StorageError> {
        let write = Write::begin(self.cache(), key);
        let answer = self.inner.destroy(key).await;
        write.end(&answer, None);
        answer
    }

    async fn scan(&self, cursor: Option<Cursor>, limit: usize) -> Result<Page, StorageError> {
        self.inner.scan(cursor, limit).await
    }

    async fn sweep(&self, limit: usize) -> Result<Vec<Stored>, StorageError> {
        let swept = self.inner.sweep(limit).await?;
        swept.iter().for_each(|stored| self.cache().forget(&stored.key));
        Ok(swept)
    }

    async fn drain(&self, patience: Duration) {
        self.inner.drain(patience).await;
    }
}
