//! Events: who is told of what, how often, and after a crash.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use sessile_core::{
    EndReason, EventKind, Events, Expiration, InSession, Limit, Lookup, Session, SessionBuilder, SessionError,
    SessionId, Storage, TokioClock, Untyped, Visit,
};
use sessile_memory::MemoryStorage;
use sessile_testkit::{Operation, Slow};

type Seen = Arc<Mutex<Vec<(EventKind, Option<String>)>>>;

/// A session whose events are recorded, on a storage with a clock that stands still.
struct World {
    session: Session,
    storage: Arc<MemoryStorage>,
    seen: Seen,
}

impl World {
    fn new(configure: impl FnOnce(SessionBuilder<Untyped, Untyped>) -> SessionBuilder<Untyped, Untyped>) -> Self {
        let storage = MemoryStorage::builder()
            .clock(TokioClock::start())
            .sweeper(false)
            .build();
        let storage = Arc::new(storage);
        let (session, seen) = Self::process(&storage, configure);
        Self { session, storage, seen }
    }

    /// Returns the session as another process on the same storage has it.
    fn process<S: Storage>(
        storage: &Arc<S>,
        configure: impl FnOnce(SessionBuilder<Untyped, Untyped>) -> SessionBuilder<Untyped, Untyped>,
    ) -> (Session, Seen) {
        let seen = Seen::default();
        let recorder = Arc::clone(&seen);
        let events = Events::new().at_least_once().listen(move |event| {
            recorder
                .lock()
                .expect("no listener panics")
                .push((event.kind, event.owner.as_deref().map(Into::into)));
        });
        let builder = Session::builder(Arc::clone(storage)).events(events);
        let session = configure(builder.default_expiration(Expiration::After(Duration::from_secs(100)))).build();
        (session, seen)
    }

    fn take(&self) -> Vec<(EventKind, Option<String>)> {
        std::mem::take(&mut self.seen.lock().expect("no listener panics"))
    }

    async fn log_in(&self, owner: &str) -> Result<SessionId, SessionError> {
        let finished = self.session.enter(Visit::new(), async { self.session.log_in(owner) });
        Ok(finished.await?.outcome.new_id().expect("the session has begun"))
    }
}

fn ended(reason: EndReason, owner: &str) -> (EventKind, Option<String>) {
    (EventKind::Ended(reason), Some(owner.into()))
}

#[tokio::test(start_paused = true)]
async fn a_session_tells_its_life() {
    let world = World::new(|builder| builder);
    let session = &world.session;
    let first = session
        .enter(Visit::new(), async { session.set("a", 1) })
        .await
        .unwrap();
    assert_eq!(world.take(), [(EventKind::Created, None)]);
    let id = first.outcome.new_id().unwrap();
    let before = id.key();
    let second = session
        .enter(Visit::from(id), async { session.log_in("ada") })
        .await
        .unwrap();
    let ada = || Some("ada".to_owned());
    assert_eq!(
        world.take(),
        [(EventKind::IdRenewed { before }, ada()), (EventKind::LoggedIn, ada())]
    );
    let id = second.outcome.new_id().unwrap();
    let before = id.key();
    let third = session
        .enter(Visit::from(id), async { session.log_out() })
        .await
        .unwrap();
    assert_eq!(
        world.take(),
        [(EventKind::IdRenewed { before }, None), (EventKind::LoggedOut, ada())]
    );
    let id = third.outcome.new_id();
    session
        .init(Visit::from(id.clone()), session.destroy())
        .await
        .unwrap()
        .unwrap();
    assert_eq!(world.take(), [(EventKind::Ended(EndReason::Asked), None)]);
    session
        .init(Visit::from(id), async { session.start().await })
        .await
        .unwrap()
        .unwrap();
    assert_eq!(world.take(), [(EventKind::UnknownId, None)]);
    assert_eq!(
        world.session.registry().maintain_once().await.unwrap(),
        0,
        "nothing is reported twice"
    );
    assert!(world.take().is_empty());
}

#[tokio::test(start_paused = true)]
async fn an_expired_session_is_reported_once_by_one_of_two_processes() {
    let world = World::new(|builder| builder);
    let (other, others) = World::process(&world.storage, |builder| builder);
    world.log_in("ada").await.unwrap();
    world.take();
    tokio::time::sleep(Duration::from_secs(99)).await;
    assert_eq!(world.session.registry().maintain_once().await.unwrap(), 0);
    tokio::time::sleep(Duration::from_secs(1)).await;
    let (a, b) = (world.session.registry(), other.registry());
    let (a, b) = tokio::join!(a.maintain_once(), b.maintain_once());
    assert_eq!(a.unwrap() + b.unwrap(), 1);
    let mut all = world.take();
    all.extend(std::mem::take(&mut *others.lock().unwrap()));
    assert_eq!(all, [ended(EndReason::Expired, "ada")]);
    for _ in 0..2 {
        assert_eq!(other.registry().maintain_once().await.unwrap(), 0);
        tokio::time::sleep(Duration::from_secs(60)).await;
    }
}

/// Runs a call in a process that is killed at one of its awaits, at each in turn. The other process has to report the
/// end of the session then.
async fn killed_everywhere(call: impl AsyncFn(&Session, &SessionId)) {
    for polls in 0.. {
        let world = World::new(|builder| builder);
        let (other, others) = World::process(&world.storage, |builder| builder);
        let id = world.log_in("ada").await.expect("the storage works");
        let slow = Slow::shared(Arc::clone(&world.storage));
        for operation in Operation::ALL {
            slow.delays().before(operation, Duration::from_millis(1));
            slow.delays().after(operation, Duration::from_millis(1));
        }
        let (dying, seen) = World::process(&Arc::new(slow), |builder| builder);
        let done = poll_times(polls, call(&dying, &id)).await.is_some();
        // What the dead process has seen is lost with it, unless it was told in time.
        tokio::time::sleep(Duration::from_secs(31)).await;
        other.registry().maintain_once().await.expect("the storage works");
        let is_gone = world.storage.read(&id.key()).await.expect("the storage works") == Lookup::Missing;
        let reports = [&seen, &others]
            .map(|seen| seen.lock().expect("no listener panics").clone())
            .concat();
        let ends = reports
            .iter()
            .filter(|(kind, _)| matches!(kind, EventKind::Ended(_)))
            .count();
        assert_eq!(is_gone, ends > 0, "after {polls} polls: {reports:?}");
        assert!(ends <= 1 || !done, "after {polls} polls: {reports:?}");
        // Nothing is left: the watchlists are empty, once the session is over in any case.
        tokio::time::sleep(Duration::from_secs(100)).await;
        other.registry().maintain_once().await.expect("the storage works");
        assert_eq!(other.registry().audit().await.expect("the storage works").sessions, 0);
        // Barriers stand for an hour.
        tokio::time::sleep(Duration::from_secs(3_601)).await;
        let rosters = world
            .storage
            .scan(None, 10_000)
            .await
            .expect("the storage works")
            .sessions;
        assert_eq!(rosters, [], "after {polls} polls");
        if done {
            assert!(polls > 5, "the call was dropped at its awaits");
            return;
        }
    }
}

/// Polls a future the given number of times, a millisecond apart, and then drops it. Returns whether it completed.
async fn poll_times<T>(times: usize, future: impl Future<Output = T>) -> Option<T> {
    let mut future = std::pin::pin!(future);
    for _ in 0..times {
        let polled = std::future::poll_fn(|cx| std::task::Poll::Ready(future.as_mut().poll(cx))).await;
        if let std::task::Poll::Ready(output) = polled {
            return Some(output);
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    None
}

#[tokio::test(start_paused = true)]
async fn an_end_that_a_killed_process_has_not_reported_is_reported() {
    killed_everywhere(async |session, id| {
        session.registry().end(&id.key()).await.unwrap();
    })
    .await;
    killed_everywhere(async |session, id| {
        session.registry().end_all("ada").await.unwrap();
        let _ = id;
    })
    .await;
    killed_everywhere(async |session, id| {
        let visit = Visit::from(id.clone());
        session.init(visit, session.destroy()).await.unwrap().unwrap();
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn ends_have_their_reasons() {
    let world = World::new(|builder| builder.limit(Limit::per_owner(1).evict_oldest()));
    world.log_in("ada").await.unwrap();
    world.take();
    world.log_in("ada").await.unwrap();
    let seen = world.take();
    assert!(seen.contains(&ended(EndReason::OverLimit, "ada")), "{seen:?}");
    assert_eq!(world.session.registry().end_all("ada").await.unwrap(), 1);
    assert_eq!(world.take(), [ended(EndReason::Operator, "ada")]);

    // A storage that drops a session by itself.
    let id = world.log_in("bob").await.unwrap();
    world.take();
    world.storage.destroy(&id.key()).await.unwrap();
    tokio::time::sleep(Duration::from_secs(60)).await;
    world.session.registry().maintain_once().await.unwrap();
    assert_eq!(world.take(), [ended(EndReason::Evicted, "bob")]);
}

#[tokio::test(start_paused = true)]
async fn a_login_that_is_refused_leaves_no_end_to_report() {
    let world = World::new(|builder| builder.limit(Limit::per_owner(1)));
    world.log_in("ada").await.unwrap();
    let refused = world.log_in("ada").await;
    assert!(
        matches!(refused, Err(SessionError::TooManySessions { .. })),
        "{refused:?}"
    );
    let guest = world
        .session
        .enter(Visit::new(), async { world.session.set("a", 1) })
        .await
        .unwrap();
    let refused = world.session.enter(Visit::from(guest.outcome.new_id()), async {
        world.session.start().await?;
        world.session.log_in("ada")
    });
    assert!(matches!(refused.await, Err(SessionError::TooManySessions { .. })));
    world.take();
    tokio::time::sleep(Duration::from_secs(101)).await;
    assert_eq!(world.session.registry().maintain_once().await.unwrap(), 2);
    assert_eq!(world.take().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_session_that_is_ended_while_it_moves_is_reported_once() {
    let world = World::new(|builder| builder);
    let id = world.log_in("ada").await.unwrap();
    let visit = world.session.open(Visit::from(id.clone()));
    async {
        world.session.start().await?;
        world.session.regenerate_id()
    }
    .in_session(visit.handle())
    .await
    .unwrap();
    assert!(world.session.registry().end(&id.key()).await.unwrap());
    assert!(matches!(visit.close().await, Err(SessionError::Gone)));
    world.take();
    tokio::time::sleep(Duration::from_secs(101)).await;
    assert_eq!(world.session.registry().maintain_once().await.unwrap(), 0);
    assert!(world.take().is_empty());
}

/// A login is killed at one of its awaits after it has evicted a session, or before. The next login finds the place of
/// the evicted session still, and puts a barrier under its key.
#[tokio::test(start_paused = true)]
async fn an_eviction_that_a_killed_process_has_not_reported_is_reported() {
    for polls in 0.. {
        let seen = Arc::new(Mutex::new(Vec::new()));
        let process = |storage: Arc<dyn Storage>| -> Session {
            let recorder = Arc::clone(&seen);
            let events = Events::new().at_least_once().listen(move |event| {
                if matches!(event.kind, EventKind::Ended(_)) {
                    recorder.lock().unwrap().push(event.key);
                }
            });
            let limit = Limit::per_owner(1).evict_oldest();
            Session::builder(storage).events(events).limit(limit).build()
        };
        let log_in = async |session: &Session| {
            let finished = session.enter(Visit::new(), async { session.log_in("ada") }).await?;
            Ok::<_, SessionError>(finished.outcome.new_id().unwrap().key())
        };
        let storage = World::new(|builder| builder).storage;
        let slow = Slow::shared(Arc::clone(&storage));
        for operation in Operation::ALL {
            slow.delays().before(operation, Duration::from_millis(1));
            slow.delays().after(operation, Duration::from_millis(1));
        }
        let (dying, other) = (process(Arc::new(slow)), process(Arc::clone(&storage) as _));
        let evicted = log_in(&other).await.unwrap();
        let done = poll_times(polls, log_in(&dying)).await.is_some();
        log_in(&other).await.unwrap();
        tokio::time::sleep(Duration::from_secs(31)).await;
        other.registry().maintain_once().await.unwrap();
        assert!(seen.lock().unwrap().contains(&evicted), "after {polls} polls");
        if done {
            assert!(polls > 5, "the login was dropped at its awaits");
            return;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_end_by_a_former_key_is_reported_once_with_its_owner() {
    for reason in [EndReason::Operator, EndReason::Asked] {
        let world = World::new(|builder| builder);
        let (session, registry) = (&world.session, world.session.registry());
        let first = world.log_in("ada").await.unwrap();
        world.log_in("bob").await.unwrap();
        let mut id = first.clone();
        for _ in 0..3 {
            let visit = Visit::from(id);
            let moved = session
                .enter(visit, async {
                    session.start().await?;
                    session.regenerate_id()
                })
                .await
                .unwrap();
            id = moved.outcome.new_id().unwrap();
        }
        world.take();
        match reason {
            EndReason::Operator => assert!(registry.end(&first.key()).await.unwrap()),
            _ => session
                .init(Visit::from(first), session.destroy())
                .await
                .unwrap()
                .unwrap(),
        }
        assert_eq!(world.storage.read(&id.key()).await.unwrap(), Lookup::Missing);
        assert_eq!(world.take(), [ended(reason, "ada")]);
        tokio::time::sleep(Duration::from_secs(50)).await;
        assert_eq!(registry.maintain_once().await.unwrap(), 0);
        tokio::time::sleep(Duration::from_secs(51)).await;
        assert_eq!(registry.maintain_once().await.unwrap(), 1);
        assert_eq!(world.take(), [ended(EndReason::Expired, "bob")]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_panicking_listener_stops_nobody() {
    let seen = Seen::default();
    let recorder = Arc::clone(&seen);
    let events = Events::new()
        .listen(|_| panic!("a fault of the application"))
        .listen(move |event| recorder.lock().unwrap().push((event.kind, None)));
    let session: Session = Session::builder(MemoryStorage::new()).events(events).build();
    let mut stream = session.events().unwrap();
    session
        .enter(Visit::new(), async { session.set("a", 1) })
        .await
        .unwrap();
    assert_eq!(*seen.lock().unwrap(), [(EventKind::Created, None)]);
    assert_eq!(stream.next().await.map(|event| event.kind), Some(EventKind::Created));
    drop(session);
    assert_eq!(stream.next().await, None);
}

#[tokio::test(start_paused = true)]
async fn a_callback_sees_the_last_data_once() {
    let world = World::new(|builder| builder);
    let session = &world.session;
    let first = session
        .enter(Visit::new(), async { session.set("a", 1) })
        .await
        .unwrap();
    let calls = Arc::new(Mutex::new(Vec::new()));
    let visit = session.open(Visit::from(first.outcome.new_id()));
    async {
        session.start().await?;
        let told = Arc::clone(&calls);
        session.on_end(move |ended| told.lock().unwrap().push((ended.reason(), ended.get("a").unwrap())))?;
        session.on_end(|_| panic!("a fault of the application"))?;
        // The session moves on, and so do its callbacks.
        session.regenerate_id()?;
        session.set("a", 2)
    }
    .in_session(visit.handle())
    .await
    .unwrap();
    visit.close().await.unwrap();
    let key = visit.outcome().new_id().unwrap().key();
    assert!(session.registry().end(&key).await.unwrap());
    assert!(!session.registry().end(&key).await.unwrap());
    session.registry().maintain_once().await.unwrap();
    assert_eq!(*calls.lock().unwrap(), [(EndReason::Operator, Some(2.into()))]);
}

#[tokio::test(start_paused = true)]
async fn a_callback_learns_of_ends_elsewhere_and_of_expiry() {
    let world = World::new(|builder| builder);
    let (other, _) = World::process(&world.storage, |builder| builder);
    for (reason, value) in [(EndReason::Elsewhere, 7), (EndReason::Expired, 8)] {
        let session = &world.session;
        let first = session
            .enter(Visit::new(), async { session.set("a", value) })
            .await
            .unwrap();
        let id = first.outcome.new_id().unwrap();
        let calls = Arc::new(Mutex::new(Vec::new()));
        let told = Arc::clone(&calls);
        session
            .init(Visit::from(id.clone()), async {
                session.start_readonly().await?;
                session.on_end(move |ended| told.lock().unwrap().push((ended.reason(), ended.get("a").unwrap())))
            })
            .await
            .unwrap()
            .unwrap();
        session.registry().maintain_once().await.unwrap();
        match reason {
            EndReason::Elsewhere => assert!(other.registry().end(&id.key()).await.unwrap()),
            _ => tokio::time::sleep(Duration::from_secs(100)).await,
        }
        session.registry().maintain_once().await.unwrap();
        assert_eq!(*calls.lock().unwrap(), [(reason, Some(value.into()))]);
    }
}

#[tokio::test(start_paused = true)]
async fn who_asks_for_no_events_gets_none() {
    let session: Session = Session::builder(MemoryStorage::new()).build();
    assert!(matches!(session.events(), Err(SessionError::EventsOff)));
    assert_eq!(session.registry().maintain_once().await.unwrap(), 0);
}
