//! Sessions that wait for each other.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use serde_json::json;
use sessile_core::{Expiration, LocalLocks, LockedStore, Session, SessionError, SessionId, Storage, Visit};
use sessile_memory::MemoryStorage;
use sessile_testkit::ModelStore;
use tokio::sync::Barrier;
use tokio::task::JoinSet;

use super::{add, counted, stored_keys};
use crate::common::*;

/// The limit by which a deadlock that is not found ends, with another error.
const LONG: Duration = Duration::from_secs(30);

fn session_on(storage: Arc<dyn Storage>) -> Session {
    Session::builder(storage)
        .default_expiration(Expiration::Never)
        .lock_wait(LONG)
        .build()
}

fn sessions() -> [Session; 2] {
    let locked = LockedStore::new(ModelStore::new(), LocalLocks::new());
    [session_on(Arc::new(MemoryStorage::new())), session_on(Arc::new(locked))]
}

async fn begin(session: &Session) -> SessionId {
    let begun = session
        .enter(Visit::new(), async { session.set("count", json!(0)) })
        .await;
    begun
        .expect("a session can begin")
        .outcome
        .new_id()
        .expect("it has an id")
}

async fn count(session: &Session, id: &SessionId) -> u64 {
    let count = session.run_in(&id.key(), async || session.get("count")).await;
    count
        .expect("it exists")
        .and_then(|count| count.as_u64())
        .expect("it is a count")
}

type Call<'a> = Pin<Box<dyn Future<Output = Result<u64, SessionError>> + 'a>>;

/// How the outer session is held.
#[derive(Clone, Copy, PartialEq)]
enum Outer {
    Task,
    Visit,
    Transaction,
}

/// Holds one session, waits until all parties hold theirs, then runs a task on another one.
async fn hold_and_run(
    session: &Session,
    how: Outer,
    own: &SessionId,
    other: &SessionId,
    all_hold: &Barrier,
) -> Result<u64, SessionError> {
    let work = async || {
        all_hold.wait().await;
        session.run_in(&other.key(), async || add(session)).await
    };
    match how {
        Outer::Task => session.run_in(&own.key(), work).await,
        Outer::Visit => Ok(session.enter(own.clone().into(), work()).await?.output),
        Outer::Transaction => {
            let visit = async { session.transaction_exclusive(work).await };
            session.init(own.clone().into(), visit).await?
        }
    }
}

/// At least one of the parties to a cycle is refused, and the others get their turn.
async fn cycle_of(parties: usize, session: &Session, how: impl Fn(usize) -> Outer) {
    let mut ids = Vec::new();
    for _ in 0..parties {
        ids.push(begin(session).await);
    }
    let all_hold = Arc::new(Barrier::new(parties));
    let mut tasks = JoinSet::new();
    for party in 0..parties {
        let (session, all_hold) = (session.clone(), Arc::clone(&all_hold));
        let (own, other) = (ids[party].clone(), ids[(party + 1) % parties].clone());
        let how = how(party);
        tasks.spawn(async move { (party, hold_and_run(&session, how, &own, &other, &all_hold).await) });
    }
    let mut refused = 0;
    while let Some(done) = tasks.join_next().await {
        let (party, result) = done.expect("no panic");
        let written = count(session, &ids[(party + 1) % parties]).await;
        match result {
            Ok(count) => assert_eq!((count, written), (1, 1)),
            Err(SessionError::WouldDeadlock) => {
                assert_eq!(written, 0);
                refused += 1;
            }
            Err(error) => panic!("{error:?}"),
        }
    }
    assert_eq!(refused, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_cycle_of_two_or_three_ends_at_once() {
    use Outer::{Task, Transaction, Visit};
    for session in sessions() {
        for round in 0..50 {
            for outer in [
                [Task; 3],
                [Visit; 3],
                [Transaction; 3],
                [Task, Visit, Transaction],
                [Visit, Task, Visit],
            ] {
                cycle_of(2 + round % 2, &session, |party| outer[party]).await;
            }
        }
    }
}

/// The same in every order of the first steps, in one thread.
#[tokio::test(start_paused = true)]
async fn a_cycle_ends_in_every_order() {
    for order in [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
        for parties in [2, 3] {
            let fixture = fixture_with(|builder| builder.lock_wait(LONG));
            let session = &fixture.session;
            let mut ids = Vec::new();
            for _ in 0..parties {
                ids.push(fixture.stored([("count", json!(0))]).await);
            }
            let all_hold = Barrier::new(parties);
            let begun = tokio::time::Instant::now();
            let mut calls: Vec<Call<'_>> = Vec::new();
            for party in order.into_iter().filter(|party| *party < parties) {
                let (own, other) = (&ids[party], &ids[(party + 1) % parties]);
                calls.push(Box::pin(hold_and_run(session, Outer::Task, own, other, &all_hold)));
            }
            let mut results = Vec::new();
            poll_fn(|cx| {
                calls.retain_mut(|call| match call.as_mut().poll(cx) {
                    Poll::Ready(result) => {
                        results.push(result);
                        false
                    }
                    Poll::Pending => true,
                });
                if calls.is_empty() {
                    Poll::Ready(())
                } else {
                    Poll::Pending
                }
            })
            .await;
            let refused = results
                .iter()
                .filter(|result| matches!(result, Err(SessionError::WouldDeadlock)));
            assert_eq!(refused.count(), 1);
            assert_eq!(results.iter().filter(|result| result.is_ok()).count(), parties - 1);
            assert!(begun.elapsed() < LONG);
        }
    }
}

/// A caller that lets go of its session and tries again gets through: the philosophers eat.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn callers_that_try_again_get_through() {
    const PHILOSOPHERS: usize = 5;
    const MEALS: usize = 20;
    for session in sessions() {
        let mut forks = Vec::new();
        for _ in 0..PHILOSOPHERS {
            forks.push(begin(&session).await);
        }
        let mut tasks = JoinSet::new();
        for philosopher in 0..PHILOSOPHERS {
            let session = session.clone();
            let left = forks[philosopher].key();
            let right = forks[(philosopher + 1) % PHILOSOPHERS].key();
            tasks.spawn(async move {
                let mut meals = 0;
                while meals < MEALS {
                    let eat = async || {
                        add(&session)?;
                        tokio::task::yield_now().await;
                        session.run_in(&right, async || add(&session)).await
                    };
                    match session.run_in(&left, eat).await {
                        Ok(_) => meals += 1,
                        Err(error) => assert!(matches!(error, SessionError::WouldDeadlock), "{error:?}"),
                    }
                }
            });
        }
        while let Some(done) = tasks.join_next().await {
            done.expect("no panic");
        }
        let mut total = 0;
        for fork in &forks {
            total += count(&session, fork).await;
        }
        // A refused call has written neither.
        assert_eq!(total as usize, 2 * PHILOSOPHERS * MEALS);
    }
}

/// Waiting in one order is no deadlock, however many wait.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn waits_without_a_cycle_all_succeed() {
    for session in sessions() {
        let [a, b, c] = [begin(&session).await, begin(&session).await, begin(&session).await];
        let mut tasks = JoinSet::new();
        for n in 0..60 {
            let session = session.clone();
            let [a, b, c] = [a.key(), b.key(), c.key()];
            tasks.spawn(async move {
                let last = async || session.run_in(&c, async || add(&session)).await;
                match n % 3 {
                    0 => session.run_in(&a, async || session.run_in(&b, last).await).await,
                    1 => session.run_in(&a, last).await,
                    _ => session.run_in(&b, last).await,
                }
            });
        }
        while let Some(done) = tasks.join_next().await {
            done.expect("no panic").expect("there is no cycle");
        }
        assert_eq!(count(&session, &c).await, 60);
    }
}

/// A cycle within the tasks of one stream.
#[tokio::test(start_paused = true)]
async fn a_cycle_within_one_stream() {
    let fixture = fixture_with(|builder| builder.lock_wait(LONG));
    let session = &fixture.session;
    let keys = stored_keys(&fixture, 2).await;
    let both_hold = Barrier::new(2);
    let results = session.run_in_each(keys.clone(), async || {
        both_hold.wait().await;
        let other = keys
            .iter()
            .find(|key| session.key() != Some(**key))
            .expect("there are two");
        session.run_in(other, async || add(session)).await
    });
    let results = results.collect().await;
    let refused = results
        .iter()
        .filter(|(_, result)| matches!(result, Err(SessionError::WouldDeadlock)));
    assert_eq!((results.len(), refused.count()), (2, 1));
}

/// A visit that closes its session while a part of it waits is in no cycle.
#[tokio::test(start_paused = true)]
async fn a_holder_that_closes_is_in_no_cycle() -> Result<(), SessionError> {
    let fixture = fixture();
    let session = &fixture.session;
    let a = fixture.stored([("count", json!(0))]).await;
    let b = fixture.stored([("count", json!(0))]).await;
    let holds_b = session.run_in(&b.key(), async || {
        pass(secs(2)).await;
        session.run_in(&a.key(), async || add(session)).await
    });
    let closes_a = fixture.visit(a.clone(), async {
        session.start().await?;
        let close = async {
            pass(secs(1)).await;
            session.close().await
        };
        tokio::try_join!(session.run_in(&b.key(), async || add(session)), close)
    });
    let (of_b, of_a) = tokio::join!(holds_b, closes_a);
    of_b?;
    of_a?;
    assert_eq!(fixture.shown(&a).await, counted(1));
    assert_eq!(fixture.shown(&b).await, counted(1));
    Ok(())
}

/// A visit that has waited before holds its session, but waits for none.
#[tokio::test(start_paused = true)]
async fn a_wait_that_is_over_is_in_no_cycle() -> Result<(), SessionError> {
    let fixture = fixture();
    let session = &fixture.session;
    let a = fixture.stored([("count", json!(0))]).await;
    let b = fixture.stored([("count", json!(0))]).await;
    let has_waited = session.run_in(&a.key(), async || {
        session.run_in(&b.key(), async || add(session)).await?;
        let dropped = session.run_in(&b.key(), async || std::future::pending::<Result<u64, _>>().await);
        assert!(tokio::time::timeout(ms(1), dropped).await.is_err());
        pass(secs(2)).await;
        add(session)
    });
    let holds_b = async {
        pass(secs(1)).await;
        session
            .run_in(&b.key(), async || session.run_in(&a.key(), async || add(session)).await)
            .await
    };
    tokio::try_join!(has_waited, holds_b)?;
    assert_eq!(fixture.shown(&a).await, counted(2));
    Ok(())
}

/// A cycle by way of another session value, as of another process, ends with the lock wait limit.
#[tokio::test(start_paused = true)]
async fn a_cycle_that_is_not_seen_ends_with_the_lock_wait_limit() {
    let fixture = fixture_with(|builder| builder.lock_wait(secs(3)));
    let one = &fixture.session;
    let two: Session = Session::builder(Arc::clone(&fixture.storage))
        .lock_wait(secs(30))
        .build();
    let a = fixture.stored([("count", json!(0))]).await;
    let b = fixture.stored([("count", json!(0))]).await;
    let all_hold = Barrier::new(2);
    let (first, second) = tokio::join!(
        hold_and_run(one, Outer::Task, &a, &b, &all_hold),
        hold_and_run(&two, Outer::Task, &b, &a, &all_hold),
    );
    assert_fails!(first, SessionError::LockTimeout);
    assert_eq!(second.expect("the other one has given up"), 1);
}
