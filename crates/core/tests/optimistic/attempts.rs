//! The attempts of a transaction: without a conflict, with one, and under the lock.

use serde_json::json;
use sessile_core::{IdChange, InSession, Lookup, SessionError, Storage};
use sessile_testkit::Operation;

use crate::common::*;
use crate::{Runs, add, add_in_another_visit, counted};

#[tokio::test(start_paused = true)]
async fn a_transaction_without_a_conflict_reads_and_replaces_and_takes_no_lock() -> Result<(), SessionError> {
    for started in [false, true] {
        let fixture = fixture();
        let session = &fixture.session;
        let id = fixture.stored([("count", json!(1))]).await;
        let runs = Runs::default();
        let work = async {
            if started {
                session.start_readonly().await?;
                fixture.calls.reset();
            }
            let transaction = async || {
                runs.next();
                assert!(session.is_writable());
                assert!(fixture.is_free(&id).await);
                add(session, "count")
            };
            session.transaction(transaction).await?;
            assert_eq!(fixture.calls.take(), [(Operation::Read, 1), (Operation::Replace, 1)]);
            assert!(session.is_readable() && !session.is_writable());
            assert_eq!(session.get("count")?, Some(json!(2)));
            Ok(())
        };
        fixture.visit(id.clone(), work).await?;
        assert_eq!(runs.count(), 1);
        assert_eq!(fixture.shown(&id).await, counted(2));
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_transaction_that_changes_nothing_only_reads() -> Result<(), SessionError> {
    let fixture = fixture();
    let id = fixture.stored([("count", json!(1))]).await;
    let work = fixture
        .session
        .transaction(async || fixture.session.set("count", json!(1)));
    fixture.visit(id, work).await?;
    assert_eq!(fixture.calls.take(), [(Operation::Read, 1)]);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_new_id_takes_the_lock_for_the_move_alone() -> Result<(), SessionError> {
    let fixture = fixture();
    let session = &fixture.session;
    let id = fixture.stored([("count", json!(1))]).await;
    let runs = Runs::default();
    let work = async {
        let transaction = async || {
            runs.next();
            assert!(fixture.is_free(&id).await);
            session.regenerate_id()?;
            add(session, "count")
        };
        session.transaction(transaction).await?;
        assert_eq!(
            fixture.calls.take(),
            [(Operation::Read, 1), (Operation::Lock, 1), (Operation::Rotate, 1)]
        );
        session.id().ok_or(SessionError::Gone)
    };
    let new = fixture.visit(id.clone(), work).await?;
    assert_eq!(runs.count(), 1);
    assert_ne!(new, id);
    assert_eq!(fixture.shown(&new).await, counted(2));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_new_id_loses_no_concurrent_write() -> Result<(), SessionError> {
    let fixture = fixture();
    let session = &fixture.session;
    let id = fixture.stored([("count", json!(0))]).await;
    let runs = Runs::default();
    let work = async {
        let transaction = async || {
            if runs.next() == 1 {
                add_in_another_visit(&fixture, &id, ms(0)).await?;
            }
            session.regenerate_id()?;
            add(session, "count")
        };
        session.transaction(transaction).await?;
        session.id().ok_or(SessionError::Gone)
    };
    let new = fixture.visit(id.clone(), work).await?;
    assert_eq!(runs.count(), 2);
    assert_eq!(fixture.shown(&new).await, counted(2));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_transaction_that_conflicts_tries_once_more_and_then_locks() -> Result<(), SessionError> {
    for conflicts in 1..=2 {
        let fixture = fixture();
        let session = &fixture.session;
        let id = fixture.stored([("count", json!(0))]).await;
        let runs = Runs::default();
        let transaction = async || {
            let run = runs.next();
            add(session, "count")?;
            match run <= conflicts {
                true => add_in_another_visit(&fixture, &id, ms(0)).await,
                false => Ok(()),
            }
        };
        fixture.visit(id.clone(), session.transaction(transaction)).await?;
        assert_eq!(runs.count(), conflicts + 1);
        let locks = u64::from(conflicts == 2);
        assert_eq!(fixture.calls.of(Operation::Read), 2);
        assert_eq!(fixture.calls.of(Operation::Replace), 2);
        assert_eq!(fixture.calls.of(Operation::Lock), locks);
        assert_eq!(fixture.calls.of(Operation::Commit), locks);
        assert_eq!(fixture.shown(&id).await, counted(u64::from(conflicts) + 1));
        assert!(fixture.is_free(&id).await);
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_write_while_the_replace_is_on_its_way_is_not_lost() -> Result<(), SessionError> {
    let fixture = fixture();
    let session = &fixture.session;
    let id = fixture.stored([("count", json!(0))]).await;
    fixture.delays.before(Operation::Replace, secs(1));
    let runs = Runs::default();
    let transaction = async || {
        runs.next();
        add(session, "count")
    };
    let beside = async {
        pass(ms(500)).await;
        add_in_another_visit(&fixture, &id, ms(0)).await
    };
    let (updated, written) = tokio::join!(fixture.visit(id.clone(), session.transaction(transaction)), beside);
    updated.and(written)?;
    assert_eq!(runs.count(), 2);
    assert_eq!(fixture.shown(&id).await, counted(2));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_transaction_waits_for_a_held_lock() -> Result<(), SessionError> {
    let fixture = fixture();
    let session = &fixture.session;
    let id = fixture.stored([("count", json!(0))]).await;
    let runs = Runs::default();
    let transaction = async {
        pass(ms(100)).await;
        let transaction = async || {
            runs.next();
            add(session, "count")
        };
        session.transaction(transaction).await
    };
    let (held, updated) = tokio::join!(
        add_in_another_visit(&fixture, &id, secs(2)),
        fixture.visit(id.clone(), transaction)
    );
    held.and(updated)?;
    assert_eq!(runs.count(), 3);
    assert_eq!(fixture.calls.of(Operation::Lock), 1);
    assert_eq!(fixture.shown(&id).await, counted(2));
    assert!(fixture.is_free(&id).await);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_lock_that_is_not_free_in_time_is_a_timeout_and_nothing_is_written() -> Result<(), SessionError> {
    let fixture = fixture_with(|builder| builder.lock_wait(ms(500)));
    let session = &fixture.session;
    let id = fixture.stored([("count", json!(0))]).await;
    let work = async {
        let transaction = fixture.while_locked(&id, session.transaction(async || add(session, "count")));
        assert_fails!(transaction.await, SessionError::LockTimeout);
        assert!(session.is_readable() && !session.is_writable());
        assert_eq!(session.get("count")?, Some(json!(0)));
        session.close().await
    };
    fixture.visit(id.clone(), work).await?;
    assert_eq!(fixture.shown(&id).await, counted(0));
    assert!(fixture.is_free(&id).await);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_new_id_is_given_under_the_lock_and_only_one() -> Result<(), SessionError> {
    for authenticates in [false, true] {
        let fixture = fixture_with(|builder| builder.rotation_grace(ms(0)));
        let session = &fixture.session;
        let id = fixture.stored([("count", json!(0))]).await;
        let visit = session.open(id.clone().into());
        let runs = Runs::default();
        let transaction = async || {
            runs.next();
            match authenticates {
                true => session.mark_authenticated()?,
                false => session.regenerate_id()?,
            }
            add(session, "count")
        };
        session.transaction(transaction).in_session(visit.handle()).await?;
        assert!(runs.count() <= 3);
        assert_eq!(fixture.calls.of(Operation::Lock), 1);
        assert_eq!(fixture.calls.of(Operation::Rotate), 1);
        assert_eq!(fixture.calls.of(Operation::Replace), 0);
        let ended = visit.end(true).await;
        ended.result?;
        let IdChange::Set { id: new, .. } = ended.outcome.id else {
            panic!("the client gets the new id")
        };
        assert_ne!(new, id);
        assert_eq!(fixture.shown(&new).await, counted(1));
        assert_eq!(fixture.sessions().await, 1);
        let old = fixture.storage.read(&id.key()).await;
        assert!(matches!(old, Ok(Lookup::Superseded)));
    }
    Ok(())
}
