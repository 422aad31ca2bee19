//! Shared by the tests: a session on a storage whose calls are counted and can be delayed or made to fail, and reads
//! of the stored data that change nothing.
#![allow(dead_code, unused_macros, unused_imports)]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use sessile_core::{
    Clock, Expiration, InSession, Lookup, Namespaces, OsEntropy, Record, Session, SessionBuilder, SessionError,
    SessionId, Storage, Stored, Timestamp, TokioClock, Untyped, Values, Visit,
};
use sessile_memory::{MemoryStorage, MemoryStorageBuilder};
use sessile_testkit::{Calls, Counting, Delays, Faults, Faulty, Slow};
use tokio::sync::oneshot;

/// The storage that tests run on.
pub(crate) type Plain = MemoryStorage;

/// Returns a storage that follows the paused clock. It has no sweeper, because a thread cannot follow the paused clock.
pub(crate) fn storage() -> Plain {
    configured_storage(TokioClock::start(), |builder| builder)
}

pub(crate) fn configured_storage(
    clock: impl Clock,
    configure: impl FnOnce(MemoryStorageBuilder) -> MemoryStorageBuilder,
) -> Plain {
    let builder = MemoryStorage::builder().clock(clock).shards(1).sweeper(false);
    configure(builder).build()
}

/// A session, and the controls of its storage.
pub(crate) struct Fixture<N: 'static = Untyped, V: 'static = Untyped> {
    pub(crate) session: Session<N, V>,
    /// The storage inside the counter, the faults and the delays.
    pub(crate) storage: Arc<Plain>,
    pub(crate) calls: Calls,
    pub(crate) faults: Faults,
    pub(crate) delays: Delays,
}

pub(crate) type Builder<N = Untyped, V = Untyped> = SessionBuilder<N, V>;

/// Returns a fixture whose sessions never expire by default.
pub(crate) fn fixture() -> Fixture {
    fixture_with(|builder| builder)
}

pub(crate) fn fixture_with(configure: impl FnOnce(Builder) -> Builder) -> Fixture {
    typed_fixture(storage(), configure)
}

pub(crate) fn fixture_on(storage: Plain) -> Fixture {
    typed_fixture(storage, |builder| builder)
}

pub(crate) fn typed_fixture<N: Namespaces, V: Values>(
    storage: Plain,
    configure: impl FnOnce(Builder<N, V>) -> Builder<N, V>,
) -> Fixture<N, V> {
    let storage = Arc::new(storage);
    let slow = Slow::shared(Arc::clone(&storage));
    let delays = slow.delays();
    let faulty = Faulty::new(slow);
    let faults = faulty.faults();
    let counting = Counting::new(faulty);
    let calls = counting.calls();
    let builder = Session::builder(counting).default_expiration(Expiration::Never);
    Fixture {
        session: configure(builder).build(),
        storage,
        calls,
        faults,
        delays,
    }
}

/// The values of a session as a new visit reads them.
pub(crate) type Shown = BTreeMap<String, Value>;

/// Returns values to compare with.
pub(crate) fn values<const N: usize>(pairs: [(&str, Value); N]) -> Shown {
    pairs.map(|(name, value)| (name.to_owned(), value)).into()
}

impl<N: Namespaces, V: Values> Fixture<N, V> {
    /// Runs a visit.
    pub(crate) async fn visit<T>(
        &self,
        visit: impl Into<Visit>,
        future: impl Future<Output = Result<T, SessionError>>,
    ) -> Result<T, SessionError> {
        self.session.init(visit.into(), future).await?
    }

    /// Returns another session on the same storage, whose calls are neither counted nor delayed nor made to fail.
    pub(crate) fn other_session(&self) -> Session {
        Session::builder(Arc::clone(&self.storage))
            .default_expiration(Expiration::Never)
            .lock_wait(Duration::ZERO)
            .build()
    }

    /// Stores a session with these values, and resets the counts.
    pub(crate) async fn stored<const M: usize>(&self, pairs: [(&str, Value); M]) -> SessionId {
        let id = self.stored_as(Expiration::Never, pairs).await;
        self.calls.reset();
        id
    }

    /// Stores a session with these values and this expiration.
    pub(crate) async fn stored_as<const M: usize>(
        &self,
        expiration: impl Into<Expiration>,
        pairs: [(&str, Value); M],
    ) -> SessionId {
        let other = self.other_session();
        let expiration = expiration.into();
        let stored = other.enter(Visit::new(), async {
            other.set_expiration(expiration)?;
            for (name, value) in pairs {
                other.set(name, value)?;
            }
            other.close().await?;
            other.id().ok_or(SessionError::Gone)
        });
        stored.await.expect("a session can be stored").output
    }

    /// Runs a future while another visit holds the lock without writing.
    pub(crate) async fn while_locked<T>(&self, id: &SessionId, work: impl Future<Output = T>) -> T {
        let other = self.other_session();
        let (locked, is_locked) = oneshot::channel();
        let (done, is_done) = oneshot::channel();
        let holder = other.init(id.clone().into(), async {
            other.start().await.expect("the lock is free");
            locked.send(()).expect("the work waits");
            is_done.await.expect("the work ends");
        });
        let work = async {
            is_locked.await.expect("the lock is taken");
            let result = work.await;
            done.send(()).expect("the holder waits");
            result
        };
        let (held, result) = tokio::join!(holder, work);
        held.expect("the visit begins");
        result
    }

    /// Returns the record stored under this id, even if it is locked.
    pub(crate) async fn record(&self, id: &SessionId) -> Option<Record> {
        let found = self.storage.read(&id.key()).await.expect("the storage can be read");
        found.found().map(|Stored { record, .. }| record)
    }

    /// Returns the values stored under this id. Reading them changes nothing.
    pub(crate) async fn shown(&self, id: &SessionId) -> Option<Shown> {
        self.shown_in(id, None).await
    }

    /// Returns the values stored in a namespace.
    pub(crate) async fn shown_in(&self, id: &SessionId, namespace: Option<&str>) -> Option<Shown> {
        Some(self.shown_in_order(id, namespace).await?.into_iter().collect())
    }

    /// Returns the values stored in a namespace, in the order in which they were first set.
    pub(crate) async fn shown_in_order(&self, id: &SessionId, namespace: Option<&str>) -> Option<Vec<(String, Value)>> {
        let record = self.record(id).await?;
        // Reads a copy, because reading moves sliding expirations.
        let copy = configured_storage(FrozenClock(self.now()), |builder| builder);
        copy.create(&id.key(), record).await.expect("the copy is empty");
        let reader: Session = Session::builder(copy).build();
        let read = reader.init(Visit::attach(id.clone()), async {
            reader.start_readonly().await?;
            let names = match namespace {
                None => reader.keys()?,
                Some(namespace) => reader.namespace(namespace).keys()?,
            };
            let value = |name: String| {
                let value = match namespace {
                    None => reader.get(&name)?,
                    Some(namespace) => reader.namespace(namespace).get(&name)?,
                };
                Ok((name, value.expect("a listed value exists")))
            };
            names.into_iter().map(value).collect::<Result<_, SessionError>>()
        });
        Some(read.await.and_then(|read| read).expect("stored records can be read"))
    }

    /// Returns whether the lock is free. The session must exist.
    pub(crate) async fn is_free(&self, id: &SessionId) -> bool {
        let locked = self.storage.lock(&id.key(), Duration::ZERO).await;
        match locked.map(Lookup::found) {
            Ok(locked) => {
                drop(locked.expect("the session exists"));
                true
            }
            Err(_) => false,
        }
    }

    /// Returns the number of sessions.
    pub(crate) async fn sessions(&self) -> usize {
        let page = self.storage.scan(None, 1_000).await.expect("the storage can be read");
        page.sessions.len()
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.storage.clock().now()
    }
}

/// A clock that always returns the same time.
#[derive(Debug, Clone, Copy)]
pub(crate) struct FrozenClock(pub(crate) Timestamp);

impl Clock for FrozenClock {
    fn now(&self) -> Timestamp {
        self.0
    }
}

/// Returns an id that no session has.
pub(crate) fn unknown_id() -> SessionId {
    SessionId::generate(&OsEntropy)
}

/// Advances the paused clock.
pub(crate) async fn pass(duration: Duration) {
    tokio::time::sleep(duration).await;
}

pub(crate) const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

pub(crate) const fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

/// Asserts that a call failed with an error that matches the pattern.
macro_rules! assert_fails {
    ($result:expr, $pattern:pat) => {
        match $result {
            Err($pattern) => {}
            other => panic!("expected {}, got {other:?}", stringify!($pattern)),
        }
    };
}
pub(crate) use assert_fails;
