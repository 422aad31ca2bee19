//! A test fixture, and a storage that can be probed.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use sessile_core::{
    Intercept, Locked, Lookup, Meta, OperationOutput, OsEntropy, Record, SessionId, SessionKey, Storage, StorageCall,
    StorageError, StorageErrorKind,
};
use sessile_memoized::{MemoizedStorage, Probe, Probed};
use sessile_testkit::{Calls, Counting, Delays, Faults, Faulty, ModelStorage, Slow};

pub(crate) const SECOND: Duration = Duration::from_secs(1);
pub(crate) const HOUR: Duration = Duration::from_secs(3_600);

/// The layers from the outside in: faults, delays, counters, and the model.
pub(crate) type Inner = Faulty<Slow<Counting<ModelStorage>>>;

/// A storage in exclusive mode, and the controls of its inner storage.
pub(crate) struct Setup {
    pub(crate) storage: MemoizedStorage<Inner>,
    pub(crate) faults: Faults,
    pub(crate) delays: Delays,
    pub(crate) calls: Calls,
    pub(crate) model: ModelStorage,
}

impl Setup {
    pub(crate) fn new() -> Self {
        Self::with_capacity(100)
    }

    pub(crate) fn with_capacity(capacity: usize) -> Self {
        let model = ModelStorage::new();
        let counting = Counting::new(model.clone());
        let calls = counting.calls();
        let slow = Slow::new(counting);
        let delays = slow.delays();
        let faulty = Faulty::new(slow);
        let faults = faulty.faults();
        let storage = MemoizedStorage::builder(faulty)
            .capacity(capacity)
            .max_payload(1_000)
            .exclusive();
        Self {
            storage,
            faults,
            delays,
            calls,
            model,
        }
    }

    /// Creates a session that is not cached.
    pub(crate) async fn cold(&self, payload: &'static str) -> SessionKey {
        let [key] = keys();
        self.model.create(&key, self.record(payload)).await.unwrap();
        key
    }

    /// Creates a session that is cached.
    pub(crate) async fn hot(&self, payload: &'static str) -> SessionKey {
        let key = self.cold(payload).await;
        assert_eq!(self.read(&key).await, Lookup::Found(payload.to_owned()));
        self.calls.reset();
        key
    }

    pub(crate) fn record(&self, payload: &'static str) -> Record {
        let now = self.model.clock().now();
        Record::new(Meta::new(now).with_deadline(Some(now + HOUR)), payload)
    }

    pub(crate) async fn read(&self, key: &SessionKey) -> Lookup<String> {
        read(&self.storage, key).await
    }

    /// Starts a read in a task.
    pub(crate) async fn reading(&self, key: SessionKey) -> tokio::task::JoinHandle<Lookup<String>> {
        let storage = self.storage.clone();
        let reading = tokio::spawn(async move { read(&storage, &key).await });
        tokio::task::yield_now().await;
        reading
    }

    pub(crate) async fn locked(&self, key: &SessionKey) -> Locked {
        locked(&self.storage, key).await
    }
}

pub(crate) async fn read(storage: &dyn Storage, key: &SessionKey) -> Lookup<String> {
    let found = storage.read(key).await.unwrap();
    found.map(|stored| String::from_utf8(stored.record.payload.to_vec()).unwrap())
}

pub(crate) async fn locked(storage: &dyn Storage, key: &SessionKey) -> Locked {
    let locked = storage.lock(key, HOUR).await.unwrap();
    locked.found().expect("the session is live")
}

/// Returns keys of one shard.
pub(crate) fn keys<const N: usize>() -> [SessionKey; N] {
    let id = SessionId::generate(&OsEntropy);
    std::array::from_fn(|_| id.rotated(&OsEntropy).key())
}

/// Returns the next version of a record.
pub(crate) fn next(record: &Record, payload: &'static str) -> Record {
    let mut next = Record::new(record.meta.clone(), payload);
    next.meta.version += 1;
    next
}

pub(crate) fn kind<T>(result: Result<T, StorageError>) -> Option<StorageErrorKind> {
    result.err().map(|error| error.kind())
}

/// A storage that can be probed, and counts its probes.
#[derive(Debug)]
pub(crate) struct Probing<S> {
    inner: S,
    probes: Arc<AtomicU64>,
}

impl<S: Storage> Probing<S> {
    pub(crate) fn new(inner: S) -> Self {
        let probes = Arc::default();
        Self { inner, probes }
    }

    pub(crate) fn probes(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.probes)
    }
}

#[async_trait]
impl<S: Storage> Probe for Probing<S> {
    async fn probe(&self, key: &SessionKey) -> Result<Lookup<Probed>, StorageError> {
        self.probes.fetch_add(1, Ordering::SeqCst);
        let found = self.inner.read(key).await?;
        Ok(found.map(|stored| Probed {
            key: stored.key,
            meta: stored.record.meta,
        }))
    }
}

impl<S: Storage> Intercept for Probing<S> {
    type Inner = S;

    fn inner(&self) -> &S {
        &self.inner
    }

    async fn around<T: OperationOutput>(&self, call: StorageCall<'_, T>) -> Result<T, StorageError> {
        call.run().await
    }
}
