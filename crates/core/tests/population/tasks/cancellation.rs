//! Drops tasks at every point where they wait. Nothing may be written in part, and no lock may remain.

use std::pin::pin;
use std::task::Poll;

use serde_json::json;
use sessile_core::{Expiration, MINUTE, SessionError, SessionId};
use sessile_testkit::Operation;

use super::{add, counts, stored_keys};
use crate::common::*;

/// Polls a future the given number of times, a millisecond apart, and then drops it. Returns whether it completed.
async fn completes_in<T>(times: usize, future: impl Future<Output = T>) -> bool {
    let mut future = pin!(future);
    for _ in 0..times {
        if std::future::poll_fn(|cx| Poll::Ready(future.as_mut().poll(cx).is_ready())).await {
            return true;
        }
        pass(ms(1)).await;
    }
    false
}

fn delay_all(fixture: &Fixture) {
    fixture.delays.before_all(ms(2));
    for operation in Operation::ALL {
        fixture.delays.after(operation, ms(2));
    }
}

fn assert_quiet(fixture: &Fixture, polls: usize) {
    let stats = fixture.storage.stats();
    assert_eq!((stats.locks, stats.waiters), (0, 0), "after {polls} polls");
}

async fn change(fixture: &Fixture) -> Result<(), SessionError> {
    fixture.session.set("a", json!(2))?;
    pass(ms(2)).await;
    fixture.session.set("b", json!(2))
}

async fn prepared(fixture: &Fixture) -> SessionId {
    let values = [("a", json!(1)), ("b", json!(1))];
    fixture.stored_as(Expiration::sliding(MINUTE), values).await
}

async fn assert_whole(fixture: &Fixture, id: &SessionId, done: bool) {
    let [old, new] = [1, 2].map(|n| values([("a", json!(n)), ("b", json!(n))]));
    let stored = fixture.shown(id).await.expect("it is there");
    assert!(stored == new || (!done && stored == old), "{stored:?}");
}

#[tokio::test(start_paused = true)]
async fn a_task() {
    for polls in 0..100 {
        let fixture = fixture();
        let id = prepared(&fixture).await;
        delay_all(&fixture);
        let done = completes_in(polls, fixture.session.run_in(&id.key(), || change(&fixture))).await;
        fixture.delays.clear();
        assert_quiet(&fixture, polls);
        assert_whole(&fixture, &id, done).await;
        assert!(!fixture.session.is_initialised());
        if done {
            assert!(polls > 8, "it was done after {polls} polls");
            return;
        }
    }
    panic!("the task does not end");
}

/// Drops only the task; the visit around it goes on.
#[tokio::test(start_paused = true)]
async fn a_task_inside_a_visit() -> Result<(), SessionError> {
    for own in [false, true] {
        for polls in 0..100 {
            let fixture = fixture();
            let session = &fixture.session;
            let (outer, other) = (fixture.stored([("count", json!(0))]).await, prepared(&fixture).await);
            let target = if own { &outer } else { &other };
            let visit = async {
                delay_all(&fixture);
                let done = completes_in(polls, session.run_in(&target.key(), || change(&fixture))).await;
                fixture.delays.clear();
                assert_eq!(fixture.storage.stats().locks, 1, "after {polls} polls");
                assert_eq!(session.id().as_ref(), Some(&outer));
                add(session)?;
                Ok(done)
            };
            let done = session.enter(outer.clone().into(), visit).await?.output;
            assert_quiet(&fixture, polls);
            assert_whole(&fixture, &other, done && !own).await;
            assert_eq!(fixture.shown(&outer).await.expect("it is there")["count"], json!(1));
            // No wait is left behind, by which the other direction would be a deadlock.
            let back = async || session.run_in(&outer.key(), async || add(session)).await;
            session.run_in(&other.key(), back).await?;
            if done {
                assert!(polls > 1);
                break;
            }
            assert!(polls < 99, "the task does not end");
        }
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn tasks_on_several_sessions() {
    for polls in 0..200 {
        let fixture = fixture();
        let session = &fixture.session;
        let keys = stored_keys(&fixture, 5).await;
        delay_all(&fixture);
        let tasks = session.run_in_each(keys.clone(), async || {
            pass(ms(2)).await;
            add(session)
        });
        let tasks = tasks.concurrency(2);
        let progress = tasks.progress();
        let done = completes_in(polls, tasks.collect()).await;
        fixture.delays.clear();
        assert_quiet(&fixture, polls);
        let written = counts(&fixture, &keys)
            .await
            .into_iter()
            .filter(|count| *count == 1)
            .count();
        assert!(written >= progress.done() && written <= progress.done() + 2);
        if done {
            assert_eq!((written, progress.done()), (5, 5));
            assert!(polls > 20);
            return;
        }
    }
    panic!("the tasks do not end");
}

#[tokio::test(start_paused = true)]
async fn tasks_on_all_sessions() {
    for polls in 0..200 {
        let fixture = fixture();
        let session = &fixture.session;
        let keys = stored_keys(&fixture, 3).await;
        delay_all(&fixture);
        let done = completes_in(polls, session.run_in_all(async || add(session)).collect()).await;
        fixture.delays.clear();
        assert_quiet(&fixture, polls);
        let counts = counts(&fixture, &keys).await;
        assert!(counts.iter().all(|count| *count <= 1));
        if done {
            assert_eq!(counts, [1, 1, 1]);
            assert!(polls > 5);
            return;
        }
    }
    panic!("the tasks do not end");
}

#[tokio::test(start_paused = true)]
async fn a_task_that_waits_for_the_lock() {
    let fixture = fixture();
    let session = &fixture.session;
    let id = prepared(&fixture).await;
    let give_up = async {
        for polls in 0..5 {
            let task = session.run_in(&id.key(), || change(&fixture));
            assert!(!completes_in(polls, task).await);
            assert_eq!(fixture.storage.stats().waiters, 0);
        }
    };
    fixture.while_locked(&id, give_up).await;
    assert_quiet(&fixture, 5);
}

/// A stream that is dropped between two results starts no other task.
#[tokio::test(start_paused = true)]
async fn a_stream_that_is_dropped_starts_no_other_task() {
    let fixture = fixture();
    let session = &fixture.session;
    let keys = stored_keys(&fixture, 10).await;
    let mut tasks = session.run_in_each(keys.clone(), async || add(session)).concurrency(1);
    for _ in 0..3 {
        assert!(tasks.next().await.is_some_and(|(_, result)| result.is_ok()));
    }
    drop(tasks);
    assert_quiet(&fixture, 0);
    assert_eq!(counts(&fixture, &keys).await, [0, 0, 0, 0, 0, 0, 0, 1, 1, 1]);
}

/// A result that was waited for in vain is delivered by the next call.
#[tokio::test(start_paused = true)]
async fn a_call_for_the_next_result_can_be_dropped() {
    let fixture = fixture();
    let session = &fixture.session;
    let keys = stored_keys(&fixture, 5).await;
    let mut tasks = session.run_in_each(keys.clone(), async || {
        pass(ms(20)).await;
        add(session)
    });
    let mut results = 0;
    loop {
        match tokio::time::timeout(ms(3), tasks.next()).await {
            Ok(Some((_, result))) => results += result.expect("it is there"),
            Ok(None) => break,
            Err(_) => {}
        }
    }
    assert_eq!(results, 5);
    assert_eq!(counts(&fixture, &keys).await, [1; 5]);
}
