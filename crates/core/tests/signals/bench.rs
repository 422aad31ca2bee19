//! A session whose surroundings signal, and the ways to see that it does not hang.

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
    Expiration, InSession, MINUTE, OpenVisit, Session, SessionBuilder, SessionError, SessionId, Storage, TokioClock,
    Untyped, Visit,
};
use sessile_memory::MemoryStorage;
use sessile_testkit::{Delays, Faults, Faulty, Slow};
use tokio::runtime;

use crate::bell::{Bell, Manner, Source};
use crate::storage::{RingingEntropy, RingingStorage, RingsDropped};

/// How long a case may take that takes milliseconds: whoever has not come back by then does not come back. Time stands
/// still in it, so nobody waits for a timer.
const FOR_EVER: Duration = Duration::from_secs(30);

pub(crate) type Setup = fn(SessionBuilder<Untyped, Untyped>) -> SessionBuilder<Untyped, Untyped>;
pub(crate) type Scene = for<'a> fn(&'a Bench) -> Pin<Box<dyn Future<Output = Result<(), SessionError>> + 'a>>;

pub(crate) struct Bench {
    pub(crate) bell: Arc<Bell>,
    pub(crate) session: Session,
    /// The storage beneath the signals.
    pub(crate) storage: MemoryStorage,
    pub(crate) faults: Faults,
    pub(crate) delays: Delays,
}

impl Bench {
    fn new(bell: &Arc<Bell>, setup: Setup) -> Self {
        let clock = TokioClock::start();
        let storage = MemoryStorage::builder().clock(clock).shards(1).sweeper(false).build();
        let slow = Slow::new(storage.clone());
        let delays = slow.delays();
        let faulty = Faulty::new(slow);
        let faults = faulty.faults();
        let inner = watched(faulty, bell);
        let ringing = RingingStorage::new(inner, clock, Arc::clone(bell));
        let builder = Session::builder(ringing)
            .default_expiration(Expiration::Never)
            .lock_wait(Duration::from_millis(100))
            .entropy(RingingEntropy(Arc::clone(bell)));
        let session = setup(builder).build();
        bell.hang_up(session.clone());
        Self {
            bell: Arc::clone(bell),
            session,
            storage,
            faults,
            delays,
        }
    }

    /// A visit that the bell is about.
    pub(crate) fn open(&self, visit: impl Into<Visit>) -> OpenVisit {
        let visit = self.session.open(visit.into());
        self.bell.about(Some(visit.handle().clone()));
        visit
    }

    /// A whole visit, which ends as a framework ends it.
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
        self.bell.about(None);
        drop(visit);
        ended.and(result)
    }

    /// Writes the `Debug` of something to where writing signals.
    pub(crate) fn debug(&self, what: &impl Debug) {
        write!(RingingWriter(Arc::clone(&self.bell)), "{what:?}").expect("it takes anything");
    }

    pub(crate) fn value(&self) -> Ringing {
        Ringing {
            dropped: RingsDropped(Arc::clone(&self.bell), Source::ValueDropped),
        }
    }

    /// What is stored, by a session that nobody listens to.
    pub(crate) async fn stored(&self, expiration: impl Into<Expiration>) -> SessionId {
        let other = self.elsewhere();
        let expiration = expiration.into();
        let work = async {
            other.set_expiration(expiration)?;
            other.set("user", json!(7))?;
            other.set("count", json!(1))?;
            other.set_with_expiration("dead", json!(0), Expiration::sliding(MINUTE / 4))?;
            other.close().await?;
            other.id().ok_or(SessionError::Gone)
        };
        other.enter(Visit::new(), work).await.expect("it can be stored")
    }

    pub(crate) fn elsewhere(&self) -> Session {
        Session::builder(self.storage.clone())
            .default_expiration(Expiration::Never)
            .build()
    }
}

/// The storage with what watches storages around it, if that is what signals.
fn watched(storage: impl Storage, bell: &Arc<Bell>) -> Arc<dyn Storage> {
    match bell.source {
        #[cfg(feature = "tracing")]
        Source::Span => Arc::new(sessile_core::Traced::new(storage)),
        #[cfg(feature = "metrics")]
        Source::Metric => Arc::new(sessile_core::Metered::new(storage)),
        _ => Arc::new(storage),
    }
}

struct RingingWriter(Arc<Bell>);

impl Write for RingingWriter {
    fn write_str(&mut self, _: &str) -> fmt::Result {
        self.0.ring(Source::Writer);
        Ok(())
    }
}

thread_local! {
    static BELL: std::cell::RefCell<Option<Arc<Bell>>> = const { std::cell::RefCell::new(None) };
}

/// Rings the bell of the case that this thread plays.
pub(crate) fn ring_here(source: Source) {
    let bell = BELL.with_borrow(Clone::clone);
    if let Some(bell) = bell {
        bell.ring(source);
    }
}

/// A value that signals when it is turned into JSON and back, and when it is dropped.
#[derive(Debug)]
pub(crate) struct Ringing {
    #[expect(dead_code, reason = "it is there to be dropped")]
    dropped: RingsDropped,
}

impl Default for Ringing {
    fn default() -> Self {
        let bell = BELL.with_borrow(Clone::clone).expect("values are made within a case");
        Self {
            dropped: RingsDropped(bell, Source::ValueDropped),
        }
    }
}

impl Serialize for Ringing {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        ring_here(Source::Serialize);
        serializer.serialize_u64(1)
    }
}

impl<'de> Deserialize<'de> for Ringing {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        u64::deserialize(deserializer)?;
        ring_here(Source::Deserialize);
        Ok(Self::default())
    }
}

/// What a scene has come to.
#[derive(Debug, PartialEq, Eq)]
struct Ended {
    /// `None` if it has panicked.
    result: Option<Result<(), String>>,
    locks: usize,
    waiters: usize,
}

/// Plays a scene on this thread.
fn play(bell: &Arc<Bell>, setup: Setup, scene: Scene) -> Ended {
    BELL.set(Some(Arc::clone(bell)));
    let runtime = runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime");
    let ended = listening(bell, || {
        runtime.block_on(async {
            let bench = Bench::new(bell, setup);
            let mut work = scene(&bench);
            let played = std::future::poll_fn(|cx| match catch_unwind(AssertUnwindSafe(|| work.as_mut().poll(cx))) {
                Ok(polled) => polled.map(Some),
                Err(_) => std::task::Poll::Ready(None),
            });
            let result = played.await.map(|result| result.map_err(|error| format!("{error:?}")));
            drop(work);
            bell.about(None);
            // What is done in the background comes to its end.
            tokio::time::sleep(Duration::from_secs(1)).await;
            let stats = bench.storage.stats();
            Ended {
                result,
                locks: stats.locks,
                waiters: stats.waiters,
            }
        })
    });
    BELL.set(None);
    ended
}

#[cfg(not(any(feature = "tracing", feature = "metrics")))]
fn listening<R>(_: &Arc<Bell>, f: impl FnOnce() -> R) -> R {
    f()
}

#[cfg(any(feature = "tracing", feature = "metrics"))]
use crate::listeners::listening;

/// Plays a scene on a thread of its own, and sees to it that it ends. Returns how often the bell has rung.
pub(crate) fn play_with(name: &str, source: Source, manner: Manner, setup: Setup, scene: Scene) -> usize {
    let bell = Bell::new(source, manner);
    let (done, is_done) = mpsc::channel();
    let ringing = Arc::clone(&bell);
    thread::spawn(move || done.send(play(&ringing, setup, scene)));
    let case = format!("{name}, where {source:?} {manner:?}");
    let ended = match is_done.recv_timeout(FOR_EVER) {
        Ok(ended) => ended,
        Err(RecvTimeoutError::Timeout) => panic!("it hangs: {case}"),
        Err(RecvTimeoutError::Disconnected) => panic!("it panics: {case}"),
    };
    assert_eq!((ended.locks, ended.waiters), (0, 0), "locks are left: {case}");
    match manner {
        // Who only looks changes nothing.
        Manner::Looks => assert_eq!(ended.result, Some(Ok(())), "{case}"),
        Manner::Panics => {}
        _ => assert!(ended.result.is_some(), "it panics: {case}"),
    }
    bell.rung()
}

/// Runs a future inside a visit that was opened before.
pub(crate) async fn within<T>(visit: &OpenVisit, work: impl Future<Output = T>) -> T {
    work.in_session(visit.handle()).await
}
