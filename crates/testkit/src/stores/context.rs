//! [`StoreContext`]: helpers for the cases.

use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use sessile_core::{
    Applied, Entropy, Entry, EntryHead, EntryVersion, OsEntropy, RecordStore, SessionId, SessionKey, StorageError,
    StorageErrorKind, Timestamp,
};

use crate::stores::StoreSubject;

/// A time in the future of every clock: the year 2100.
pub(crate) const FUTURE: Timestamp = Timestamp::from_millis(4_102_444_800_000);

/// A time in the past of every clock.
pub(crate) const PAST: Timestamp = Timestamp::from_millis(1);

/// A store under test with helpers. Clones share the store.
#[derive(Clone)]
pub(crate) struct StoreContext {
    subject: Arc<StoreSubject>,
}

impl StoreContext {
    pub(crate) fn new(subject: StoreSubject) -> Self {
        Self {
            subject: Arc::new(subject),
        }
    }

    pub(crate) fn subject(&self) -> &StoreSubject {
        &self.subject
    }

    pub(crate) fn store(&self) -> &Arc<dyn RecordStore> {
        &self.subject.store
    }

    /// Returns the second handle on the same data, or the first if there is none.
    pub(crate) fn second(&self) -> &Arc<dyn RecordStore> {
        self.subject.second.as_ref().unwrap_or(&self.subject.store)
    }

    /// Returns a handle by number, alternating between both.
    pub(crate) fn handle(&self, number: usize) -> Arc<dyn RecordStore> {
        Arc::clone(if number.is_multiple_of(2) {
            self.store()
        } else {
            self.second()
        })
    }

    // Keys and entries

    pub(crate) fn key() -> SessionKey {
        SessionId::generate(&OsEntropy).key()
    }

    /// Returns keys of one shard.
    pub(crate) fn keys<const N: usize>() -> [SessionKey; N] {
        let id = SessionId::generate(&OsEntropy);
        std::array::from_fn(|_| id.rotated(&OsEntropy).key())
    }

    /// Returns a unique version.
    pub(crate) fn version() -> EntryVersion {
        let mut random = [0; 8];
        OsEntropy.fill(&mut random);
        EntryVersion::from_u64(u64::from_be_bytes(random) >> 1)
    }

    pub(crate) fn head(deadline: Option<Timestamp>) -> EntryHead {
        let version = Self::version();
        EntryHead::new(version, deadline, format!("meta of {version:?}"))
    }

    pub(crate) fn entry_until(deadline: Option<Timestamp>, payload: impl Into<Bytes>) -> Entry {
        Entry::new(Self::head(deadline), payload)
    }

    pub(crate) fn entry(payload: impl Into<Bytes>) -> Entry {
        Self::entry_until(Some(FUTURE), payload)
    }

    // Calls that fail the case if the store fails

    pub(crate) async fn insert(&self, key: &SessionKey, entry: &Entry) {
        applied(self.store().insert(key, entry.clone()).await, "insert of a new key");
    }

    /// Inserts the entry under a new key.
    pub(crate) async fn inserted(&self, entry: &Entry) -> SessionKey {
        let key = Self::key();
        self.insert(&key, entry).await;
        key
    }

    /// Checks that both handles find the whole entry.
    pub(crate) async fn assert_stands(&self, key: &SessionKey, entry: &Entry, when: &str) {
        for store in [self.store(), self.second()] {
            let loaded = done(store.load(key).await, "load");
            assert_eq!(loaded.as_ref(), Some(entry), "{when}: load returns another entry");
            // The assertion above prints only the lengths of payload and meta, so compare the rest in full.
            let head = done(store.head(key).await, "head");
            assert_eq!(head.as_ref(), Some(&entry.head), "{when}: head returns another head");
        }
    }

    pub(crate) async fn assert_nothing(&self, key: &SessionKey, when: &str) {
        for store in [self.store(), self.second()] {
            let loaded = done(store.load(key).await, "load");
            assert_eq!(loaded, None, "{when}: there is an entry");
            let head = done(store.head(key).await, "head");
            assert_eq!(head, None, "{when}: there is a head");
        }
    }

    /// Returns whether the store renames. Otherwise checks that it refuses and does nothing.
    pub(crate) async fn renames(&self) -> bool {
        if !self.subject.renames {
            let (entry, other) = (Self::entry("stays"), Self::entry("moves"));
            let [from, to] = Self::keys();
            self.insert(&from, &entry).await;
            let result = self.store().rename(&from, entry.head.version, None, &to, other).await;
            self.unsupported(result, "rename");
            self.assert_stands(&from, &entry, "after a rename that was refused")
                .await;
            self.assert_nothing(&to, "after a rename that was refused").await;
        }
        self.subject.renames
    }

    /// Returns whether the store scans. Otherwise checks that it refuses.
    pub(crate) async fn scans(&self) -> bool {
        if !self.subject.scans {
            self.unsupported(self.store().scan(None, 10).await, "scan");
        }
        self.subject.scans
    }

    /// Returns whether the store takes expired entries. Otherwise checks that it refuses.
    pub(crate) async fn takes_expired(&self) -> bool {
        if !self.subject.takes_expired {
            let result = self.store().take_expired(FUTURE, 10).await;
            self.unsupported(result, "take_expired");
        }
        self.subject.takes_expired
    }

    fn unsupported<T: Debug>(&self, result: Result<T, StorageError>, operation: &str) {
        let Err(error) = result else {
            panic!("{operation} must fail with Unsupported, and returned {result:?}")
        };
        assert_eq!(
            error.kind(),
            StorageErrorKind::Unsupported,
            "{operation} must fail with Unsupported: {error:?}"
        );
        assert_eq!(error.operation(), operation, "an error names the operation: {error:?}");
        assert_eq!(
            error.storage(),
            self.store().name(),
            "an error names the store: {error:?}"
        );
    }

    /// Lets other tasks reach their waits and background work finish.
    pub(crate) async fn settle(&self) {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Returns the value of a result, which must not be an error.
#[track_caller]
pub(crate) fn done<T>(result: Result<T, StorageError>, what: &str) -> T {
    result.unwrap_or_else(|error| panic!("{what} failed: {error:?}"))
}

/// Checks that the write was applied.
#[track_caller]
pub(crate) fn applied(result: Result<Applied, StorageError>, what: &str) {
    assert_eq!(done(result, what), Applied::Yes, "{what} must be applied");
}

/// Checks that the write was not applied.
#[track_caller]
pub(crate) fn refused(result: Result<Applied, StorageError>, what: &str) {
    assert_eq!(done(result, what), Applied::No, "{what} must not be applied");
}
