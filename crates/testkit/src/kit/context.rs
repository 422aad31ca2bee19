//! [`Context`]: helpers for the cases.

use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use sessile_core::{
    Lock, Locked, Lookup, Meta, OsEntropy, Record, SessionId, SessionKey, Storage, StorageError, StorageErrorKind,
    Stored, Timestamp,
};
use tokio::sync::OnceCell;

use crate::kit::{Profile, Subject, Time};

/// The time after which a lease, a tombstone or an alias has surely ended, and other tasks have settled.
const MARGIN: Duration = Duration::from_millis(20);

/// A storage under test with helpers. Clones share the storage.
#[derive(Clone)]
pub(crate) struct Context {
    subject: Arc<Subject>,
    lease: Arc<OnceCell<Duration>>,
}

impl Context {
    pub(crate) fn new(subject: Subject) -> Self {
        Self {
            subject: Arc::new(subject),
            lease: Arc::default(),
        }
    }

    pub(crate) fn storage(&self) -> &dyn Storage {
        &*self.subject.storage
    }

    /// Returns the storage, for sessions that are built on it.
    pub(crate) fn shared(&self) -> Arc<dyn Storage> {
        Arc::clone(&self.subject.storage)
    }

    /// Returns the second handle, likewise, or the first if there is none.
    pub(crate) fn shared_second(&self) -> Arc<dyn Storage> {
        Arc::clone(self.subject.second.as_ref().unwrap_or(&self.subject.storage))
    }

    /// Returns the second handle on the same data, or the first if there is none.
    pub(crate) fn second(&self) -> &dyn Storage {
        &**self.subject.second.as_ref().unwrap_or(&self.subject.storage)
    }

    pub(crate) fn profile(&self) -> &Profile {
        &self.subject.profile
    }

    /// Returns the number of entries in the storage, if the subject can count them.
    pub(crate) async fn footprint(&self) -> Option<usize> {
        match &self.subject.footprint {
            Some(count) => Some(count().await),
            None => None,
        }
    }

    // Keys and records

    pub(crate) fn key() -> SessionKey {
        SessionId::generate(&OsEntropy).key()
    }

    /// Returns keys of one shard, as those of a session that is rotated from each to the next.
    pub(crate) fn keys<const N: usize>() -> [SessionKey; N] {
        let id = SessionId::generate(&OsEntropy);
        std::array::from_fn(|_| id.rotated(&OsEntropy).key())
    }

    /// Returns a record that lives for an hour: longer than any case, but not for ever on a shared server.
    pub(crate) fn record(&self, payload: impl Into<Bytes>) -> Record {
        self.record_until(self.now() + Duration::from_secs(3_600), payload)
    }

    pub(crate) fn record_until(&self, deadline: Timestamp, payload: impl Into<Bytes>) -> Record {
        Record::new(Meta::new(self.now()).with_deadline(Some(deadline)), payload)
    }

    // Calls that fail the case if the storage fails

    pub(crate) async fn create(&self, key: &SessionKey, record: Record) {
        let created = self.storage().create(key, record).await;
        created.unwrap_or_else(|error| panic!("create of a new key failed: {error:?}"));
    }

    /// Creates a session with this payload.
    pub(crate) async fn created(&self, payload: impl Into<Bytes>) -> SessionKey {
        let key = Self::key();
        self.create(&key, self.record(payload)).await;
        key
    }

    pub(crate) async fn read(&self, key: &SessionKey) -> Lookup<Stored> {
        let read = self.storage().read(key).await;
        read.unwrap_or_else(|error| panic!("read failed: {error:?}"))
    }

    /// Reads a live record.
    pub(crate) async fn found(&self, key: &SessionKey) -> Record {
        match self.read(key).await {
            Lookup::Found(stored) => stored.record,
            other => panic!("a live session was expected, and read returned {other:?}"),
        }
    }

    /// Locks a live session. The lock must be free or become free well before a lease ends: a lock that stays behind is
    /// a failure, not a delay.
    pub(crate) async fn lock(&self, key: &SessionKey) -> Locked {
        let wait = self.lease().await / 2;
        match self.storage().lock(key, wait).await {
            Ok(Lookup::Found(locked)) => locked,
            Ok(other) => panic!("a live session was expected, and lock returned {other:?}"),
            Err(error) => panic!("the lock was expected to be free: {error:?}"),
        }
    }

    /// Creates a session and locks it.
    pub(crate) async fn locked(&self, payload: &'static str) -> (SessionKey, Locked) {
        let key = self.created(payload).await;
        let locked = self.lock(&key).await;
        (key, locked)
    }

    pub(crate) async fn commit(&self, locked: &mut Locked, payload: impl Into<Bytes>) {
        let record = successor(&locked.record, payload);
        let committed = self.storage().commit(&mut locked.lock, record).await;
        committed.unwrap_or_else(|error| panic!("commit under a held lock failed: {error:?}"));
    }

    pub(crate) async fn rotate(&self, locked: &mut Locked, to: &SessionKey, grace: Duration) {
        let record = successor(&locked.record, locked.record.payload.clone());
        let rotated = self.storage().rotate(&mut locked.lock, to, record, grace).await;
        rotated.unwrap_or_else(|error| panic!("rotate under a held lock failed: {error:?}"));
    }

    pub(crate) async fn release(&self, lock: Lock) {
        let released = self.storage().release(lock).await;
        released.unwrap_or_else(|error| panic!("release failed: {error:?}"));
    }

    /// Touches the record with its current version.
    pub(crate) async fn touch(
        &self,
        key: &SessionKey,
        version: u64,
        deadline: Option<Timestamp>,
        last_active: Timestamp,
    ) {
        match self.storage().touch(key, version, deadline, last_active).await {
            Ok(true) => {}
            other => panic!("touch of a live session, by its version, returned {other:?}"),
        }
    }

    pub(crate) async fn destroy(&self, key: &SessionKey) -> Lookup<()> {
        let destroyed = self.storage().destroy(key).await;
        destroyed.unwrap_or_else(|error| panic!("destroy failed: {error:?}"))
    }

    // Assertions

    /// Checks that the session is live with this payload, and its lock free.
    pub(crate) async fn assert_free(&self, key: &SessionKey, payload: &[u8]) {
        let locked = self.lock(key).await;
        assert_eq!(
            locked.record.payload, payload,
            "the record under the lock is not as expected"
        );
        self.release(locked.lock).await;
    }

    /// Checks that the lock is held.
    pub(crate) async fn assert_held(&self, key: &SessionKey) {
        let result = self.storage().lock(key, Duration::ZERO).await;
        refused(
            result,
            StorageErrorKind::LockTimeout,
            "lock of a session that is locked",
        );
    }

    pub(crate) async fn assert_missing(&self, key: &SessionKey) {
        let read = self.read(key).await;
        assert!(
            matches!(read, Lookup::Missing),
            "nothing was expected, and read returned {read:?}"
        );
    }

    pub(crate) async fn assert_superseded(&self, key: &SessionKey) {
        let read = self.read(key).await;
        assert!(
            matches!(read, Lookup::Superseded),
            "a tombstone was expected, and read returned {read:?}"
        );
    }

    /// Like [`assert_superseded`](Self::assert_superseded), for a tombstone that stands until this moment at least.
    pub(crate) async fn assert_superseded_until(&self, moment: Timestamp, key: &SessionKey) {
        let read = self.read(key).await;
        assert!(
            matches!(read, Lookup::Superseded) || self.is_late(moment),
            "a tombstone was expected, and read returned {read:?}"
        );
    }

    /// Checks that the call completes immediately, not when a lock is released or a wait or a lease ends.
    pub(crate) async fn immediate<T>(&self, what: &str, call: impl Future<Output = T>) -> T {
        let limit = self.lease().await / 2;
        match tokio::time::timeout(limit, call).await {
            Ok(result) => result,
            Err(_) => panic!("{what}: no result within {limit:?}"),
        }
    }

    // Time

    pub(crate) fn now(&self) -> Timestamp {
        self.storage().clock().now()
    }

    /// Returns the lease of the storage's locks.
    pub(crate) async fn lease(&self) -> Duration {
        let probe = async {
            let key = self.created("a session to learn the lease from").await;
            let lock = self.storage().lock(&key, Duration::ZERO).await;
            let lease = lock.ok().and_then(Lookup::found).map(|locked| locked.lock.lease());
            self.destroy(&key).await;
            lease.expect("a new session can be locked")
        };
        *self.lease.get_or_init(|| probe).await
    }

    /// Returns whether waits notice that the clock of the storage has moved.
    pub(crate) fn waits_follow_the_clock(&self) -> bool {
        !matches!(self.profile().time, Time::Manual(_))
    }

    /// Returns whether the clock can be stopped at a millisecond.
    pub(crate) fn stops_the_clock(&self) -> bool {
        !matches!(self.profile().time, Time::Real)
    }

    /// Waits until the clock of the storage shows this time, exactly if the clock can be stopped.
    pub(crate) async fn until(&self, moment: Timestamp) {
        match &self.profile().time {
            Time::Paused => {
                // Sleeping runs every timer in order but may end late. Advancing is exact.
                tokio::time::sleep(self.left(moment).saturating_sub(MARGIN)).await;
                tokio::time::advance(self.left(moment)).await;
            }
            Time::Manual(advance) => advance(self.left(moment)),
            Time::Real => {
                while self.now() < moment {
                    tokio::time::sleep(self.left(moment)).await;
                }
            }
        }
        if self.stops_the_clock() {
            assert_eq!(
                self.now(),
                moment,
                "the clock of the storage does not follow the one of the test"
            );
        }
    }

    pub(crate) async fn pass(&self, time: Duration) {
        self.until(self.now() + time).await;
    }

    /// Returns whether this moment has come although less time should have passed: in real time, a busy machine can stop
    /// a case for longer than what the case looks at stands. Nothing can be said of it then.
    pub(crate) fn is_late(&self, moment: Timestamp) -> bool {
        matches!(self.profile().time, Time::Real) && self.now() + self.profile().skew >= moment
    }

    /// Waits for this time and a margin.
    pub(crate) async fn pass_surely(&self, time: Duration) {
        self.pass(time + MARGIN + self.profile().skew).await;
    }

    /// Lets other tasks reach their waits and background work finish.
    pub(crate) async fn settle(&self) {
        tokio::time::sleep(MARGIN).await;
    }

    fn left(&self, moment: Timestamp) -> Duration {
        self.now().until(moment)
    }
}

/// Returns the record of the next write.
pub(crate) fn successor(record: &Record, payload: impl Into<Bytes>) -> Record {
    let mut next = Record::new(record.meta.clone(), payload);
    next.meta.version += 1;
    next
}

/// Checks that the call failed with an error of this kind.
#[track_caller]
pub(crate) fn refused<T: Debug>(result: Result<T, StorageError>, kind: StorageErrorKind, what: &str) {
    match result {
        Ok(result) => panic!("{what} must fail with {kind:?}, and returned {result:?}"),
        Err(error) => assert_eq!(
            error.kind(),
            kind,
            "{what} must fail with {kind:?}, and failed with {error:?}"
        ),
    }
}
