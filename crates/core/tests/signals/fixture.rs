//! A session in an environment that triggers callbacks, and a check that it does not hang.

use std::fmt::{self, Debug, Write};
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::json;
use sessile_core::{
    ActiveVisit, Expiration, InSession, MINUTE, Session, SessionBuilder, SessionError, SessionId, Storage, TokioClock,
    Untyped, Visit,
};
use sessile_memory::MemoryStorage;
use sessile_testkit::{Delays, Faults, Faulty, Slow};
use tokio::runtime;

use crate::callback::{Action, Callback, Source};
use crate::storage::{CallbackEntropy, CallbackOnDrop, CallbackStorage};

/// The time limit of a case. Cases take milliseconds, because their clock is paused, so a case that takes longer hangs.
const TIME_LIMIT: Duration = Duration::from_secs(30);

pub(crate) type Setup = fn(SessionBuilder<Untyped, Untyped>) -> SessionBuilder<Untyped, Untyped>;
pub(crate) type Scenario = for<'a> fn(&'a Fixture) -> Pin<Box<dyn Future<Output = Result<(), SessionError>> + 'a>>;

pub(crate) struct Fixture {
    pub(crate) callback: Arc<Callback>,
    pub(crate) session: Session,
    /// The storage inside the wrappers.
    pub(crate) storage: MemoryStorage,
    pub(crate) faults: Faults,
    pub(crate) delays: Delays,
}

impl Fixture {
    fn new(callback: &Arc<Callback>, setup: Setup) -> Self {
        let clock = TokioClock::start();
        let storage = MemoryStorage::builder().clock(clock).shards(1).sweeper(false).build();
        let slow = Slow::new(storage.clone());
        let delays = slow.delays();
        let faulty = Faulty::new(slow);
        let faults = faulty.faults();
        let inner = with_wrapper(faulty, callback);
        let wrapped = CallbackStorage::new(inner, clock, Arc::clone(callback));
        let builder = Session::builder(wrapped)
            .default_expiration(Expiration::Never)
            .lock_wait(Duration::from_millis(100))
            .entropy(CallbackEntropy(Arc::clone(callback)));
        let session = setup(builder).build();
        callback.set_session(session.clone());
        Self {
            callback: Arc::clone(callback),
            session,
            storage,
            faults,
            delays,
        }
    }

    /// Opens a visit that the callback uses.
    pub(crate) fn open(&self, visit: impl Into<Visit>) -> ActiveVisit {
        let visit = self.session.open(visit.into());
        self.callback.set_visit(Some(visit.handle().clone()));
        visit
    }

    /// Runs a whole visit, which ends as a framework ends it.
    pub(crate) async fn visit<T>(
        &self,
        visit: impl Into<Visit>,
        work: impl Future<Output = Result<T, SessionError>>,
    ) -> Result<T, SessionError> {
        let visit = self.open(visit);
        let (visit, result) = visit.work(|| work).await;
        let ended = match &result {
            Ok(_) => visit.close().await,
            Err(_) => visit.release().await,
        };
        visit.seal();
        let _ = visit.outcome();
        self.debug(&visit);
        self.callback.set_visit(None);
        drop(visit);
        ended.and(result)
    }

    /// Writes the `Debug` output of a value to a writer that triggers the callback.
    pub(crate) fn debug(&self, what: &impl Debug) {
        write!(CallbackWriter(Arc::clone(&self.callback)), "{what:?}").expect("writing to it cannot fail");
    }

    pub(crate) fn value(&self) -> CallbackValue {
        CallbackValue {
            dropped: CallbackOnDrop(Arc::clone(&self.callback), Source::ValueDropped),
        }
    }

    /// Stores a session by another session without callbacks.
    pub(crate) async fn stored(&self, expiration: impl Into<Expiration>) -> SessionId {
        let other = self.other_session();
        let expiration = expiration.into();
        let work = async {
            other.set_expiration(expiration)?;
            other.set("user", json!(7))?;
            other.set("count", json!(1))?;
            other.set_with_expiration("dead", json!(0), Expiration::sliding(MINUTE / 4))?;
            other.close().await?;
            other.id().ok_or(SessionError::Gone)
        };
        other
            .enter(Visit::new(), work)
            .await
            .expect("the session can be stored")
            .output
    }

    pub(crate) fn other_session(&self) -> Session {
        Session::builder(self.storage.clone())
            .default_expiration(Expiration::Never)
            .build()
    }
}

/// Returns the storage inside `Traced` or `Metered`, if that is the source.
fn with_wrapper(storage: impl Storage, callback: &Arc<Callback>) -> Arc<dyn Storage> {
    match callback.source {
        #[cfg(feature = "tracing")]
        Source::Span => Arc::new(sessile_core::Traced::new(storage)),
        #[cfg(feature = "metrics")]
        Source::Metric => Arc::new(sessile_core::Metered::new(storage)),
        _ => Arc::new(storage),
    }
}

struct CallbackWriter(Arc<Callback>);

impl Write for CallbackWriter {
    fn write_str(&mut self, _: &str) -> fmt::Result {
        self.0.trigger(Source::Writer);
        Ok(())
    }
}

thread_local! {
    static CALLBACK: std::cell::RefCell<Option<Arc<Callback>>> = const { std::cell::RefCell::new(None) };
}

/// Triggers the callback of the case that runs on this thread.
pub(crate) fn trigger_current(source: Source) {
    let callback = CALLBACK.with_borrow(Clone::clone);
    if let Some(callback) = callback {
        callback.trigger(source);
    }
}

/// A value that triggers the callback when it is serialized, deserialized or dropped.
#[derive(Debug)]
pub(crate) struct CallbackValue {
    #[expect(dead_code, reason = "held only for its drop")]
    dropped: CallbackOnDrop,
}

impl Default for CallbackValue {
    fn default() -> Self {
        let callback = CALLBACK
            .with_borrow(Clone::clone)
            .expect("values are created within a case");
        Self {
            dropped: CallbackOnDrop(callback, Source::ValueDropped),
        }
    }
}

impl Serialize for CallbackValue {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        trigger_current(Source::Serialize);
        serializer.serialize_u64(1)
    }
}

impl<'de> Deserialize<'de> for CallbackValue {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        u64::deserialize(deserializer)?;
        trigger_current(Source::Deserialize);
        Ok(Self::default())
    }
}

/// The result of a scenario.
#[derive(Debug, PartialEq, Eq)]
struct Report {
    /// `None` if it has panicked.
    result: Option<Result<(), String>>,
    locks: usize,
    waiters: usize,
}

/// Runs a scenario on this thread.
fn run_scenario(callback: &Arc<Callback>, setup: Setup, scenario: Scenario) -> Report {
    CALLBACK.set(Some(Arc::clone(callback)));
    let runtime = runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime");
    let ended = with_observers(callback, || {
        runtime.block_on(async {
            let fixture = Fixture::new(callback, setup);
            let mut work = scenario(&fixture);
            let polled = std::future::poll_fn(|cx| match catch_unwind(AssertUnwindSafe(|| work.as_mut().poll(cx))) {
                Ok(polled) => polled.map(Some),
                Err(_) => std::task::Poll::Ready(None),
            });
            let result = polled.await.map(|result| result.map_err(|error| format!("{error:?}")));
            drop(work);
            callback.set_visit(None);
            // Let background tasks complete.
            tokio::time::sleep(Duration::from_secs(1)).await;
            let stats = fixture.storage.stats();
            Report {
                result,
                locks: stats.locks,
                waiters: stats.waiters,
            }
        })
    });
    CALLBACK.set(None);
    ended
}

#[cfg(not(any(feature = "tracing", feature = "metrics")))]
fn with_observers<R>(_: &Arc<Callback>, f: impl FnOnce() -> R) -> R {
    f()
}

#[cfg(any(feature = "tracing", feature = "metrics"))]
use crate::observers::with_observers;

/// Runs a scenario on a thread of its own, and asserts that it ends. Returns how often the callback was triggered.
pub(crate) fn run_case(name: &str, source: Source, action: Action, setup: Setup, scenario: Scenario) -> usize {
    let callback = Callback::new(source, action);
    let (done, is_done) = mpsc::channel();
    let wrapped = Arc::clone(&callback);
    thread::spawn(move || done.send(run_scenario(&wrapped, setup, scenario)));
    let case = format!("{name}: {source:?}, {action:?}");
    let ended = match is_done.recv_timeout(TIME_LIMIT) {
        Ok(ended) => ended,
        Err(RecvTimeoutError::Timeout) => panic!("it hangs: {case}"),
        Err(RecvTimeoutError::Disconnected) => panic!("it panics: {case}"),
    };
    assert_eq!((ended.locks, ended.waiters), (0, 0), "locks are left: {case}");
    match action {
        // Reading changes nothing, so the scenario succeeds.
        Action::Read => assert_eq!(ended.result, Some(Ok(())), "{case}"),
        Action::Panic => {}
        _ => assert!(ended.result.is_some(), "it panics: {case}"),
    }
    callback.count()
}

/// Runs a future inside an open visit.
pub(crate) async fn within<T>(visit: &ActiveVisit, work: impl Future<Output = T>) -> T {
    work.in_session(visit.handle()).await
}
