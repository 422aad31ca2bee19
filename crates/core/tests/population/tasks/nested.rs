//! Tasks that are called from inside the same session.

use serde_json::json;
use sessile_core::{Handle, InSession, Operation, SessionError};

use super::{add, counted};
use crate::common::*;

/// Runs a task and returns the number of times that it took the lock.
macro_rules! locks_taken {
    ($fixture:expr, $call:expr) => {{
        let before = $fixture.calls.of(Operation::Lock);
        $call.await?;
        $fixture.calls.of(Operation::Lock) - before
    }};
}

#[tokio::test(start_paused = true)]
async fn it_runs_on_the_lock_of_a_writable_visit_whose_code_commits() -> Result<(), SessionError> {
    let fixture = fixture();
    let session = &fixture.session;
    let id = fixture.stored([("count", json!(0))]).await;
    let visit = async {
        session.start().await?;
        add(session)?;
        let task = async || {
            assert_eq!(session.id().as_ref(), Some(&id));
            pass(ms(1)).await;
            add(session)
        };
        assert_eq!(locks_taken!(fixture, session.run_in(&id.key(), task)), 0);
        assert_eq!(session.get("count")?, Some(json!(2)));
        assert_eq!(fixture.shown(&id).await, counted(0));
        assert!(session.is_writable());
        session.close().await
    };
    fixture.visit(id.clone(), visit).await?;
    assert_eq!(fixture.shown(&id).await, counted(2));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn it_runs_in_a_transaction() -> Result<(), SessionError> {
    for exclusive in [false, true] {
        let fixture = fixture();
        let session = &fixture.session;
        let id = fixture.stored([("count", json!(0))]).await;
        let closure = async || {
            add(session)?;
            session.run_in(&id.key(), async || add(session)).await
        };
        let visit = async {
            match exclusive {
                true => session.transaction_exclusive(closure).await,
                false => session.transaction(closure).await,
            }
        };
        assert_eq!(fixture.visit(id.clone(), visit).await?, 2);
        assert_eq!(fixture.calls.of(Operation::Lock), u64::from(exclusive));
        assert_eq!(fixture.shown(&id).await, counted(2));
    }
    Ok(())
}

/// A transaction of another task gives the lock back by itself.
#[tokio::test(start_paused = true)]
async fn it_waits_for_a_transaction_that_runs_beside_it() -> Result<(), SessionError> {
    for exclusive in [false, true] {
        let fixture = fixture();
        let session = &fixture.session;
        let id = fixture.stored([("count", json!(0))]).await;
        let closure = async || {
            add(session)?;
            pass(secs(1)).await;
            Ok(())
        };
        let transaction = async {
            match exclusive {
                true => session.transaction_exclusive(closure).await,
                false => session.transaction(closure).await,
            }
        };
        let task = async {
            pass(ms(1)).await;
            let in_a_visit_of_its_own = async || {
                assert_eq!(session.id(), None);
                add(session)
            };
            session.run_in(&id.key(), in_a_visit_of_its_own).await
        };
        let visit = async { tokio::try_join!(transaction, task) };
        fixture.visit(id.clone(), visit).await?;
        assert_eq!(fixture.shown(&id).await, counted(2));
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_task_on_its_own_session_runs_at_once() -> Result<(), SessionError> {
    let fixture = fixture();
    let session = &fixture.session;
    let id = fixture.stored([("count", json!(0))]).await;
    let inner = async || session.run_in(&id.key(), async || add(session)).await;
    let task = session.run_in(&id.key(), async || {
        add(session)?;
        inner().await
    });
    assert_eq!(locks_taken!(fixture, task), 1);
    assert_eq!(fixture.shown(&id).await, counted(2));
    Ok(())
}

/// The visit may be any on the stack, and the task means its session.
#[tokio::test(start_paused = true)]
async fn it_finds_the_visit_beneath_other_tasks() -> Result<(), SessionError> {
    let fixture = fixture();
    let session = &fixture.session;
    let outer = fixture.stored([("count", json!(10))]).await;
    let middle = fixture.stored([("count", json!(20))]).await;
    let innermost = async || {
        assert_eq!(session.id().as_ref(), Some(&outer));
        session.run_in(&middle.key(), async || add(session)).await?;
        assert_eq!(session.key(), Some(outer.key()));
        add(session)
    };
    let task = async || {
        session.run_in(&outer.key(), innermost).await?;
        assert_eq!(session.key(), Some(middle.key()));
        add(session)
    };
    let visit = session.run_in(&middle.key(), task);
    session.enter(outer.clone().into(), visit).await?;
    assert_eq!(fixture.calls.of(Operation::Lock), 2);
    assert_eq!(fixture.shown(&outer).await, counted(11));
    assert_eq!(fixture.shown(&middle).await, counted(22));
    Ok(())
}

/// It runs in tasks that were given the context, too.
#[tokio::test(start_paused = true)]
async fn it_finds_the_visit_in_a_spawned_task() -> Result<(), SessionError> {
    let fixture = fixture();
    let session = &fixture.session;
    let id = fixture.stored([("count", json!(0))]).await;
    let visit = async {
        let (handle, inside, key): (Handle, _, _) = (session.handle()?, session.clone(), id.key());
        let task = async move { inside.run_in(&key, async || add(&inside)).await };
        tokio::spawn(task.in_session(&handle)).await.expect("no panic")
    };
    session.enter(id.clone().into(), visit).await?;
    assert_eq!(fixture.calls.of(Operation::Lock), 1);
    assert_eq!(fixture.shown(&id).await, counted(1));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn the_changes_of_a_failed_task_are_left_to_the_outer_code() -> Result<(), SessionError> {
    let fixture = fixture();
    let session = &fixture.session;
    let id = fixture.stored([("count", json!(0))]).await;
    let visit = async {
        let task = session.run_in(&id.key(), async || {
            add(session)?;
            Err::<(), _>(SessionError::NotInitialised)
        });
        assert_fails!(task.await, SessionError::NotInitialised);
        assert!(session.is_writable());
        session.get("count")
    };
    let finished = session.enter(id.clone().into(), visit).await?;
    assert_eq!(finished.output, Some(json!(1)));
    assert_eq!(fixture.shown(&id).await, counted(1));
    Ok(())
}

/// A visit that only reads holds no lock, so the task has a visit of its own.
#[tokio::test(start_paused = true)]
async fn from_a_readable_visit_it_commits_by_itself() -> Result<(), SessionError> {
    let fixture = fixture();
    let session = &fixture.session;
    let id = fixture.stored([("count", json!(0))]).await;
    let visit = async {
        session.start_readonly().await?;
        session.run_in(&id.key(), async || add(session)).await?;
        assert_eq!(fixture.shown(&id).await, counted(1));
        assert_eq!(session.get("count")?, Some(json!(0)));
        session.refresh().await?;
        assert_eq!(session.get("count")?, Some(json!(1)));
        Ok(())
    };
    fixture.visit(id.clone(), visit).await
}

/// A visit may have come by an id that its session has left.
#[tokio::test(start_paused = true)]
async fn it_finds_the_visit_by_an_old_key() -> Result<(), SessionError> {
    let fixture = fixture_with(|builder| builder.rotation_grace(secs(60)));
    let session = &fixture.session;
    let old = fixture.stored([("count", json!(0))]).await;
    let moved = session
        .enter(old.clone().into(), async { session.regenerate_id() })
        .await?;
    let new = moved.outcome.new_id().expect("it has moved");
    for (visit, key) in [
        (&old, old.key()),
        (&old, new.key()),
        (&new, old.key()),
        (&new, new.key()),
    ] {
        let work = async { session.run_in(&key, async || add(session)).await };
        session.enter(visit.clone().into(), work).await?;
    }
    let task = async || session.run_in(&old.key(), async || add(session)).await;
    session.run_in(&old.key(), task).await?;
    assert_eq!(fixture.shown(&new).await, counted(5));
    Ok(())
}

/// A bound session means its visit also inside a task, so it can run none elsewhere.
#[tokio::test(start_paused = true)]
async fn a_bound_session_runs_tasks_in_its_visit_only() -> Result<(), SessionError> {
    let fixture = fixture();
    let session = &fixture.session;
    let id = fixture.stored([("count", json!(0))]).await;
    let other = fixture.stored([("count", json!(0))]).await;
    let key = id.key();
    let visit = async {
        let bound = session.bind()?;
        let in_task = async move {
            bound.run_in(&key, async || add(&bound)).await?;
            let elsewhere = async || -> Result<(), SessionError> { panic!("it must not run") };
            assert_fails!(
                bound.run_in(&other.key(), elsewhere).await,
                SessionError::AlreadyInitialised
            );
            bound.close().await?;
            assert_fails!(bound.run_in(&key, elsewhere).await, SessionError::AlreadyInitialised);
            Ok::<_, SessionError>(())
        };
        tokio::spawn(in_task).await.expect("no panic")
    };
    session.enter(id.clone().into(), visit).await?;
    assert_eq!(fixture.shown(&id).await, counted(1));
    Ok(())
}
