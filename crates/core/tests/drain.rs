//! The locks of visits when their process ends.

mod common;

use std::sync::Arc;
use std::time::Duration;

use common::*;
use serde_json::json;
use sessile_core::{
    Expiration, InSession, IntoStorage, LocalLocks, LockedStore, Lookup, MINUTE, SECOND, Session, SessionError,
    SessionId, Storage, StorageErrorKind, TokioClock, Visit,
};
use sessile_memory::MemoryStorage;
use sessile_testkit::{Fault, ModelStorage, ModelStore, Operation};
use tokio::sync::oneshot;
use tokio::time::Instant;

/// Returns storages whose locks belong to this process, with system clocks.
fn storages() -> [Arc<dyn Storage>; 2] {
    let paired = LockedStore::new(ModelStore::new(), LocalLocks::new());
    [MemoryStorage::new().into_storage(), paired.into_storage()]
}

async fn stored(session: &Session) -> SessionId {
    let made = session.enter(Visit::new(), async {
        session.set_expiration(Expiration::Never)?;
        session.set("count", json!(0))?;
        session.close().await?;
        session.id().ok_or(SessionError::Gone)
    });
    made.await.expect("a session can be stored").output
}

fn runtime() -> tokio::runtime::Runtime {
    let builder = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build();
    builder.expect("a runtime")
}

#[test]
fn a_runtime_that_is_dropped_with_visits_in_flight_gives_their_locks_back_at_once() {
    for storage in storages() {
        let session: Session = Session::builder(Arc::clone(&storage)).build();
        let doomed = runtime();
        let ids: Vec<_> = (0..20).map(|_| doomed.block_on(stored(&session))).collect();
        for id in &ids {
            let (locked, is_locked) = oneshot::channel();
            let (session, id) = (session.clone(), id.clone());
            doomed.spawn(async move {
                let visit = session.init(id.into(), async {
                    session.start().await?;
                    session.set("count", json!(-1))?;
                    locked.send(()).expect("the test waits");
                    std::future::pending::<Result<(), SessionError>>().await
                });
                visit.await
            });
            doomed.block_on(is_locked).expect("the lock is taken");
        }
        drop(doomed);

        let next = runtime();
        for id in &ids {
            let locked = next.block_on(storage.lock(&id.key(), Duration::ZERO));
            assert!(matches!(locked, Ok(Lookup::Found(_))), "{}: {locked:?}", storage.name());
        }
    }
}

#[tokio::test(start_paused = true)]
async fn draining_waits_for_visits_and_takes_nothing_from_those_that_end_in_time() -> Result<(), SessionError> {
    let fixture = fixture();
    let (session, id) = (&fixture.session, fixture.stored([("count", json!(0))]).await);
    let visit = session.enter(id.clone().into(), async {
        pass(20 * SECOND).await;
        session.set("count", json!(1))
    });
    let start = Instant::now();
    let drain = async {
        // Let the visit take its lock first.
        pass(ms(1)).await;
        session.drain(MINUTE).await;
        start.elapsed()
    };
    let (visited, drained) = tokio::join!(visit, drain);
    visited?;
    assert!((20 * SECOND..21 * SECOND).contains(&drained), "{drained:?}");
    assert_eq!(fixture.shown(&id).await, Some(values([("count", json!(1))])));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_visit_whose_lock_was_drained_fails_and_writes_nothing() -> Result<(), SessionError> {
    let fixture = fixture();
    let (session, id) = (&fixture.session, fixture.stored([("count", json!(0))]).await);
    let visit = fixture.visit(id.clone(), async {
        session.start().await?;
        session.set("count", json!(1))?;
        session.drain(Duration::ZERO).await;
        assert!(fixture.is_free(&id).await);
        assert_fails!(session.close().await, SessionError::LockLost);
        // The session remains usable.
        session
            .transaction_exclusive(async || session.set("count", json!(2)))
            .await
    });
    visit.await?;
    assert_eq!(fixture.shown(&id).await, Some(values([("count", json!(2))])));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn draining_twice_or_without_a_lock_returns_immediately() {
    let fixture = fixture();
    fixture.stored([("count", json!(0))]).await;
    let start = Instant::now();
    for _ in 0..2 {
        fixture.session.drain(Duration::MAX).await;
    }
    assert_eq!(start.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn by_default_visits_wait_for_a_killed_holder_and_do_not_fail() {
    let storage = MemoryStorage::builder()
        .clock(TokioClock::start())
        .sweeper(false)
        .build();
    let session: Session = Session::builder(storage.clone()).build();
    let id = stored(&session).await;
    let killed = storage.lock(&id.key(), Duration::ZERO).await.expect("the lock is free");
    std::mem::forget(killed);
    let start = Instant::now();
    let mut visits = tokio::task::JoinSet::new();
    for _ in 0..100 {
        let (session, id) = (session.clone(), id.clone());
        visits.spawn(async move {
            let count = session.enter(id.into(), async {
                let count = session.get("count")?.and_then(|count| count.as_u64()).unwrap_or(0);
                session.set("count", json!(count + 1))
            });
            count.await
        });
    }
    for visited in visits.join_all().await {
        visited.expect("no visit fails");
    }
    assert!(start.elapsed() < 10 * SECOND, "the default wait is not used up");
    let count = session.init(id.into(), async {
        session.start_readonly().await?;
        session.get("count")
    });
    assert_eq!(
        count.await.expect("it is the outermost").expect("it is there"),
        Some(json!(100))
    );
}

/// Knowledge about leases is no proof any more once a lock can be given up before its lease ends.
#[tokio::test(start_paused = true)]
async fn an_ambiguous_commit_is_not_taken_for_done_after_its_lock_was_drained() {
    let model = ModelStorage::new();
    let faulty = sessile_testkit::Faulty::new(model.clone());
    let faults = faulty.faults();
    let storage = sessile_core::Retry::new(faulty, sessile_core::Exponential::default());
    let session: Session = Session::builder(model.clone()).build();
    let key = stored(&session).await.key();

    let mut held = storage.lock(&key, Duration::ZERO).await.unwrap().found().unwrap();
    storage.drain(Duration::ZERO).await;
    let next_of = |record: &sessile_core::Record| {
        let mut next = record.clone();
        next.meta.version += 1;
        next
    };
    // Another writer finds the same record while the first cannot reach the storage.
    let mut other = model.lock(&key, Duration::ZERO).await.unwrap().found().unwrap();
    model.commit(&mut other.lock, next_of(&other.record)).await.unwrap();
    faults.fail_next(Operation::Commit, Fault::before(StorageErrorKind::Unavailable));
    let committed = storage.commit(&mut held.lock, next_of(&held.record)).await;
    assert_eq!(
        committed.map_err(|error| error.kind()),
        Err(StorageErrorKind::Unavailable)
    );
}

#[tokio::test(start_paused = true)]
async fn a_handle_that_outlives_its_visit_is_drained_as_well() -> Result<(), SessionError> {
    let fixture = fixture();
    let (session, id) = (&fixture.session, fixture.stored([("count", json!(0))]).await);
    let handle = fixture.visit(id.clone(), async { session.handle() }).await?;
    let task = async {
        session.start().await?;
        session.set("count", json!(1))?;
        session.drain(SECOND).await;
        assert!(fixture.is_free(&id).await);
        assert_fails!(session.close().await, SessionError::LockLost);
        Ok(())
    };
    task.in_session(&handle).await
}
