//! Calls inside the closure, visits that are writable already, sessions that are not stored, and handles.

use serde_json::json;
use sessile_core::{IdChange, InSession, SessionError, Visit};
use sessile_testkit::Operation;

use crate::common::*;
use crate::{Runs, add, add_in_another_visit, counted};

#[tokio::test(start_paused = true)]
async fn the_closure_may_close_release_and_start() -> Result<(), SessionError> {
    let fixture = fixture();
    let session = &fixture.session;
    let id = fixture.stored([("count", json!(0))]).await;
    let work = async {
        let closes = async || {
            add(session, "count")?;
            session.close().await?;
            assert_eq!(session.get("count")?, Some(json!(1)));
            assert_fails!(session.set("count", json!(9)), SessionError::NotWritable);
            Ok(())
        };
        session.transaction(closes).await?;
        assert_eq!(fixture.calls.take(), [(Operation::Read, 1), (Operation::Replace, 1)]);
        let releases = async || {
            add(session, "count")?;
            session.release().await?;
            assert_eq!(session.get("count")?, Some(json!(1)));
            Ok(())
        };
        session.transaction(releases).await?;
        assert_eq!(fixture.calls.take(), [(Operation::Read, 1)]);
        let starts = async || {
            session.start().await?;
            add(session, "count")
        };
        session.transaction(starts).await?;
        assert_eq!(fixture.calls.take(), [(Operation::Read, 1), (Operation::Replace, 1)]);
        let locks = async || {
            session.release().await?;
            session.start().await?;
            assert!(!fixture.is_free(&id).await);
            add(session, "count")
        };
        session.transaction(locks).await
    };
    fixture.visit(id.clone(), work).await?;
    assert_eq!(fixture.shown(&id).await, counted(3));
    assert!(fixture.is_free(&id).await);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_closure_whose_own_close_conflicts_runs_again() -> Result<(), SessionError> {
    let fixture = fixture();
    let session = &fixture.session;
    let id = fixture.stored([("count", json!(0))]).await;
    let runs = Runs::default();
    let transaction = async || {
        if runs.next() == 1 {
            add_in_another_visit(&fixture, &id, ms(0)).await?;
        }
        add(session, "count")?;
        session.close().await
    };
    fixture.visit(id.clone(), session.transaction(transaction)).await?;
    assert_eq!(runs.count(), 2);
    assert_eq!(fixture.shown(&id).await, counted(2));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn changes_stored_under_a_lock_taken_by_the_closure_are_not_stored_twice() -> Result<(), SessionError> {
    let fixture = fixture();
    let session = &fixture.session;
    let id = fixture.stored([("count", json!(0))]).await;
    let runs = Runs::default();
    let transaction = async || {
        if runs.next() == 1 {
            add_in_another_visit(&fixture, &id, ms(0)).await?;
        }
        add(session, "count")?;
        if session.close().await.is_err() {
            session.start().await?;
            add(session, "count")?;
            session.close().await?;
        }
        Ok(())
    };
    fixture.visit(id.clone(), session.transaction(transaction)).await?;
    assert_eq!(fixture.shown(&id).await, counted(2));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_transaction_inside_a_transaction_runs_in_it() -> Result<(), SessionError> {
    let fixture = fixture();
    let session = &fixture.session;
    let id = fixture.stored([("count", json!(0))]).await;
    let outer = async || {
        add(session, "count")?;
        session.transaction(async || add(session, "count")).await?;
        session.transaction_exclusive(async || add(session, "count")).await
    };
    fixture.visit(id.clone(), session.transaction(outer)).await?;
    assert_eq!(fixture.calls.take(), [(Operation::Read, 1), (Operation::Replace, 1)]);
    assert_eq!(fixture.shown(&id).await, counted(3));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn in_a_writable_visit_the_closure_simply_runs() -> Result<(), SessionError> {
    let fixture = fixture();
    let session = &fixture.session;
    let id = fixture.stored([("count", json!(0))]).await;
    let work = async {
        session.start().await?;
        fixture.calls.reset();
        session.transaction(async || add(session, "count")).await?;
        fixture.calls.assert_none();
        assert!(session.is_writable());
        assert_eq!(fixture.shown(&id).await, counted(0));
        session.close().await
    };
    fixture.visit(id.clone(), work).await?;
    assert_eq!(fixture.shown(&id).await, counted(1));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_session_that_is_not_stored_is_created_and_the_client_gets_its_id() -> Result<(), SessionError> {
    let fixture = fixture();
    let session = &fixture.session;
    let visit = session.open(Visit::new());
    let runs = Runs::default();
    let transaction = async || {
        runs.next();
        add(session, "count")
    };
    session.transaction(transaction).in_session(visit.handle()).await?;
    assert_eq!(runs.count(), 1);
    assert_eq!(fixture.calls.take(), [(Operation::Create, 1)]);
    let IdChange::Set { id, .. } = visit.end(true).await.outcome.id else {
        panic!("the client gets the id")
    };
    assert_eq!(fixture.shown(&id).await, counted(1));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_task_that_outlives_the_visit_updates_the_id_that_is_known_and_makes_none() -> Result<(), SessionError> {
    let fixture = fixture();
    let session = fixture.session.clone();
    let id = fixture.stored([("count", json!(0))]).await;
    for known in [true, false] {
        for dropped in [false, true] {
            let visit = match known {
                true => session.open(id.clone().into()),
                false => session.open(Visit::new()),
            };
            let handle = visit.handle().clone();
            visit.end(true).await.result?;
            if dropped {
                drop(visit);
            }
            let inside = session.clone();
            let transaction = async move { inside.transaction(async || add(&inside, "count")).await };
            let updated = tokio::spawn(transaction.in_session(&handle)).await.expect("it ends");
            match known {
                true => updated?,
                false => assert_fails!(updated, SessionError::Sealed),
            }
        }
    }
    assert_eq!(fixture.shown(&id).await, counted(2));
    assert_eq!(fixture.sessions().await, 1);
    Ok(())
}
