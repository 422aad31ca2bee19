//! Two storages on one store, each with its own locks, as two independent processes have them.
//!
//! Both processes can hold "the" lock. Only the version in each write protects the session.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use sessile_core::{
    Applied, Capabilities, Cursor, Entry, EntryHead, EntryList, EntryVersion, LocalLocks, Locked, LockedStore, Lookup,
    Meta, Record, RecordStore, SessionKey, Storage, StorageError, StorageErrorKind, Timestamp,
};

use crate::locked;
use crate::stores::StoreContext;

pub(super) type Process = LockedStore<Arc<dyn RecordStore>, LocalLocks>;

/// Creates two processes.
pub(super) fn two(ctx: &StoreContext) -> [Process; 2] {
    [ctx.store(), ctx.second()].map(|store| LockedStore::new(Arc::clone(store), LocalLocks::new()))
}

pub(super) fn record(storage: &dyn Storage, payload: impl Into<bytes::Bytes>) -> Record {
    let now = storage.clock().now();
    Record::new(
        Meta::new(now).with_deadline(Some(now + Duration::from_secs(3_600))),
        payload,
    )
}

async fn lock(storage: &dyn Storage, key: &SessionKey) -> Locked {
    let result = storage.lock(key, Duration::ZERO).await;
    let result = result.unwrap_or_else(|error| panic!("lock failed: {error:?}"));
    result.found().expect("a live session was expected")
}

async fn payload(storage: &dyn Storage, key: &SessionKey) -> Lookup<bytes::Bytes> {
    let read = storage.read(key).await;
    let read = read.unwrap_or_else(|error| panic!("read failed: {error:?}"));
    read.map(|stored| stored.record.payload)
}

#[track_caller]
fn refused<T: std::fmt::Debug>(result: Result<T, StorageError>, kind: StorageErrorKind) {
    let Err(error) = result else {
        panic!("it must fail with {kind:?}, and returned {result:?}: an update is lost")
    };
    assert_eq!(error.kind(), kind, "{error:?}");
}

pub(crate) async fn a_late_commit_of_another_process_is_refused(ctx: StoreContext) {
    let [here, there] = two(&ctx);
    let key = StoreContext::key();
    here.create(&key, record(&here, "0")).await.expect("create");
    let (mut first, mut late) = (lock(&here, &key).await, lock(&there, &key).await);
    let committed = here.commit(&mut first.lock, record(&here, "first")).await;
    committed.expect("the first commit");
    refused(
        there.commit(&mut late.lock, record(&there, "late")).await,
        StorageErrorKind::LockLost,
    );
    for process in [&here, &there] {
        assert_eq!(
            payload(process, &key).await,
            Lookup::Found("first".into()),
            "an update is lost"
        );
    }
}

pub(crate) async fn a_logout_in_another_process_is_final(ctx: StoreContext) {
    let [here, there] = two(&ctx);
    let key = StoreContext::key();
    here.create(&key, record(&here, "0")).await.expect("create");
    let mut late = lock(&here, &key).await;
    let ended = there.destroy(&key).await.expect("destroy");
    assert_eq!(ended, Lookup::Found(()));
    refused(
        here.commit(&mut late.lock, record(&here, "late")).await,
        StorageErrorKind::Gone,
    );
    for process in [&here, &there] {
        assert_eq!(payload(process, &key).await, Lookup::Missing, "a logout does not hold");
    }
}

/// Another process rotates the session between the lookup and the removal of a logout. The result of the logout must be
/// true: if the session has ended, it is not found under its new key.
pub(crate) async fn a_logout_that_meets_a_rotation_removes_no_mark(ctx: StoreContext) {
    if !ctx.renames().await {
        return;
    }
    let [here, _] = two(&ctx);
    let [old, new] = StoreContext::keys();
    here.create(&old, record(&here, "0")).await.expect("create");
    let mut held = lock(&here, &old).await;
    let rotated = record(&here, "moved");
    let rotate = {
        let here = here.clone();
        Box::pin(async move {
            let rotated = here.rotate(&mut held.lock, &new, rotated, Duration::ZERO).await;
            rotated.expect("rotate");
        })
    };
    let interposed = BeforeRemove {
        store: Arc::clone(ctx.second()),
        first: Mutex::new(Some(rotate)),
    };
    let there = LockedStore::new(interposed, LocalLocks::new());
    let result = there.destroy(&old).await.expect("destroy");
    let lives = payload(&here, &new).await.is_found();
    assert!(
        !(result.is_found() && lives),
        "the logout was acknowledged, and the session lives under its new key"
    );
    let left = payload(&here, &old).await;
    assert_eq!(
        left,
        Lookup::Superseded,
        "the mark of the rotation was removed in the place of the session"
    );
}

/// A store that runs another call before its first removal.
struct BeforeRemove {
    store: Arc<dyn RecordStore>,
    first: Mutex<Option<std::pin::Pin<Box<dyn Future<Output = ()> + Send>>>>,
}

impl std::fmt::Debug for BeforeRemove {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.store.fmt(f)
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl RecordStore for BeforeRemove {
    fn name(&self) -> &'static str {
        self.store.name()
    }

    fn capabilities(&self) -> Capabilities<'_> {
        self.store.capabilities()
    }

    async fn load(&self, key: &SessionKey) -> Result<Option<Entry>, StorageError> {
        self.store.load(key).await
    }

    async fn head(&self, key: &SessionKey) -> Result<Option<EntryHead>, StorageError> {
        self.store.head(key).await
    }

    async fn insert(&self, key: &SessionKey, entry: Entry) -> Result<Applied, StorageError> {
        self.store.insert(key, entry).await
    }

    async fn replace(&self, key: &SessionKey, version: EntryVersion, entry: Entry) -> Result<Applied, StorageError> {
        self.store.replace(key, version, entry).await
    }

    async fn touch(&self, key: &SessionKey, version: EntryVersion, head: EntryHead) -> Result<Applied, StorageError> {
        self.store.touch(key, version, head).await
    }

    async fn rename(
        &self,
        from: &SessionKey,
        version: EntryVersion,
        left: Option<Entry>,
        to: &SessionKey,
        entry: Entry,
    ) -> Result<Applied, StorageError> {
        self.store.rename(from, version, left, to, entry).await
    }

    async fn remove(&self, key: &SessionKey, version: EntryVersion) -> Result<Applied, StorageError> {
        let first = locked(&self.first).take();
        if let Some(first) = first {
            first.await;
        }
        self.store.remove(key, version).await
    }

    async fn scan(&self, cursor: Option<Cursor>, limit: usize) -> Result<EntryList, StorageError> {
        self.store.scan(cursor, limit).await
    }

    async fn take_expired(&self, now: Timestamp, limit: usize) -> Result<Vec<(SessionKey, Entry)>, StorageError> {
        self.store.take_expired(now, limit).await
    }
}
