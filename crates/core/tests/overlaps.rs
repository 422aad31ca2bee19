//! Overlapping calls of one visit: operations of several tasks at the same time.

mod common;

use common::*;
use serde_json::json;
use sessile_core::{
    ActiveVisit, Handle, IdChange, InSession, Session, SessionError, SessionId, StorageErrorKind, Visit,
};
use sessile_testkit::{Fault, Operation};
use tokio::task::JoinHandle;
use tokio::time::timeout;

/// Runs work of the visit in a task of its own.
fn spawn<T: Send + 'static>(
    visit: &ActiveVisit,
    work: impl Future<Output = Result<T, SessionError>> + Send + 'static,
) -> JoinHandle<Result<T, SessionError>> {
    let handle: &Handle = visit.handle();
    tokio::spawn(work.in_session(handle))
}

async fn ended<T>(task: JoinHandle<Result<T, SessionError>>) -> Result<T, SessionError> {
    task.await.expect("no task panics")
}

/// Starts a transaction that gives the session an id: its first, or a new one.
fn naming(fixture: &Fixture, visit: &ActiveVisit, rotate: bool) -> JoinHandle<Result<(), SessionError>> {
    let session = fixture.session.clone();
    let writer = fixture.session.clone();
    spawn(visit, async move {
        let write = async || {
            if rotate {
                writer.regenerate_id()?;
            }
            writer.set("user", json!(8))
        };
        session.transaction_exclusive(write).await
    })
}

#[tokio::test(start_paused = true)]
async fn the_response_waits_for_a_transaction_that_gives_the_session_an_id() -> Result<(), SessionError> {
    for (rotate, commit) in [(false, true), (false, false), (true, true), (true, false)] {
        let fixture = fixture();
        let id = fixture.stored([("user", json!(7))]).await;
        let visit = match rotate {
            true => fixture.session.open(id.into()),
            false => fixture.session.open(Visit::new()),
        };
        fixture.session.start_readonly().in_session(visit.handle()).await?;
        fixture.delays.before(Operation::Create, secs(2));
        fixture.delays.before(Operation::Rotate, secs(2));
        let transaction = naming(&fixture, &visit, rotate);
        // The transaction has planned its write, and the storage call is pending.
        pass(secs(1)).await;
        assert!(visit.end_immediately(commit).is_none(), "rotate: {rotate}");
        match commit {
            true => visit.close().await?,
            false => visit.release().await?,
        }
        let outcome = visit.outcome();
        ended(transaction).await?;
        let IdChange::Set { id, .. } = outcome.id else {
            panic!("the client gets no id: rotate: {rotate}")
        };
        assert_eq!(fixture.shown(&id).await, Some(values([("user", json!(8))])));
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_transaction_after_the_response_gives_no_id() -> Result<(), SessionError> {
    for (rotate, immediate) in [(false, true), (false, false), (true, true), (true, false)] {
        let fixture = fixture();
        let id = fixture.stored([("user", json!(7))]).await;
        let visit = match rotate {
            true => fixture.session.open(id.clone().into()),
            false => fixture.session.open(Visit::new()),
        };
        fixture.session.start_readonly().in_session(visit.handle()).await?;
        match immediate {
            true => assert!(visit.end_immediately(true).is_some()),
            false => visit.close().await?,
        }
        let outcome = visit.outcome();
        let transaction = naming(&fixture, &visit, rotate);
        assert_fails!(ended(transaction).await, SessionError::Sealed);
        assert_eq!(outcome.id, IdChange::Keep);
        assert_eq!(fixture.sessions().await, 1);
        assert_eq!(fixture.shown(&id).await, Some(values([("user", json!(7))])));
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_session_created_too_late_for_the_response_is_not_kept() -> Result<(), SessionError> {
    let fixture = fixture_with(|builder| builder.lock_wait(secs(1)));
    let visit = fixture.session.open(Visit::new());
    fixture.session.start_readonly().in_session(visit.handle()).await?;
    fixture.delays.before(Operation::Create, secs(10));
    let transaction = naming(&fixture, &visit, false);
    pass(ms(100)).await;
    // The storage takes longer than the wait limit.
    assert_fails!(visit.close().await, SessionError::LockTimeout);
    assert_eq!(visit.outcome().id, IdChange::Keep);
    assert_fails!(ended(transaction).await, SessionError::Sealed);
    assert_eq!(fixture.sessions().await, 0);
    Ok(())
}

/// `enter` returns the id that a task of the visit is giving the session while its own future has nothing to store.
#[tokio::test(start_paused = true)]
async fn enter_tells_the_id_that_another_task_gives() -> Result<(), SessionError> {
    for told in [true, false] {
        let fixture = fixture_with(|builder| builder.lock_wait(secs(5)));
        let delay = if told { secs(2) } else { secs(60) };
        fixture.delays.before(Operation::Create, delay);
        let session = fixture.session.clone();
        let finished = fixture.session.enter(Visit::new(), async {
            fixture.session.release().await?;
            let handle = fixture.session.handle()?;
            let writer = session.clone();
            let write = async move {
                session
                    .transaction_exclusive(async || writer.set("user", json!(8)))
                    .await
            };
            let task = tokio::spawn(write.in_session(&handle));
            pass(secs(1)).await;
            Ok(task)
        });
        let finished = finished.await;
        match told {
            true => {
                let finished = finished?;
                ended(finished.output).await?;
                let id = finished.outcome.new_id().expect("the client is told the id");
                assert_eq!(fixture.shown(&id).await, Some(values([("user", json!(8))])));
            }
            false => {
                // The client is told no id, so no session may stay.
                if let Ok(finished) = finished {
                    assert_eq!(finished.outcome.new_id(), None);
                    assert_fails!(ended(finished.output).await, SessionError::Sealed);
                }
                pass(secs(120)).await;
                assert_eq!(fixture.sessions().await, 0);
            }
        }
    }
    Ok(())
}

async fn rotating(fixture: &Fixture, visit: &ActiveVisit) -> JoinHandle<Result<(), SessionError>> {
    let session = fixture.session.clone();
    let close = spawn(visit, async move {
        session.start().await?;
        session.regenerate_id()?;
        session.set("user", json!(8))?;
        session.close().await
    });
    pass(secs(1)).await;
    close
}

#[tokio::test(start_paused = true)]
async fn a_session_is_destroyed_though_a_close_of_the_same_visit_moves_it_meanwhile() -> Result<(), SessionError> {
    for (rotate_takes, dropped) in [(2, false), (5, false), (2, true), (5, true)] {
        let fixture = fixture();
        let id = fixture.stored([("user", json!(7))]).await;
        let visit = fixture.session.open(id.into());
        // The storage has moved it already and its reply is pending, or it has not started.
        match rotate_takes {
            2 => fixture.delays.after(Operation::Rotate, secs(2)),
            _ => fixture.delays.before(Operation::Rotate, secs(5)),
        }
        let close = rotating(&fixture, &visit).await;
        if dropped {
            close.abort();
            let _ = close.await;
            fixture.session.destroy().in_session(visit.handle()).await?;
        } else {
            fixture.session.destroy().in_session(visit.handle()).await?;
            assert_fails!(ended(close).await, SessionError::Gone);
        }
        assert_eq!(fixture.sessions().await, 0, "{rotate_takes}, {dropped}");
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn destroying_leaves_the_next_session_of_the_visit_alone() -> Result<(), SessionError> {
    let fixture = fixture();
    let visit = fixture.session.open(unknown_id().into());
    fixture.delays.before(Operation::Destroy, secs(5));
    let session = fixture.session.clone();
    let destroy = spawn(&visit, async move { session.destroy().await });
    pass(secs(1)).await;
    let work = async {
        let session = &fixture.session;
        session.start().await?;
        session.set("user", json!(7))?;
        session.close().await?;
        session.start().await?;
        session.set("user", json!(8))?;
        // The destroy of the unknown id ends here.
        pass(secs(10)).await;
        session.close().await?;
        session.id().ok_or(SessionError::Gone)
    };
    let id: SessionId = work.in_session(visit.handle()).await?;
    ended(destroy).await?;
    assert_eq!(fixture.shown(&id).await, Some(values([("user", json!(8))])));
    assert!(fixture.is_free(&id).await);
    visit.close().await?;
    assert!(matches!(visit.outcome().id, IdChange::Set { id: set, .. } if set == id));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_reader_waits_for_no_call_of_its_own_visit() -> Result<(), SessionError> {
    let fixture = fixture();
    let session = &fixture.session;
    let id = fixture.stored([("user", json!(7))]).await;
    let work = async {
        let visit = session.open(id.clone().into());
        let began = tokio::time::Instant::now();
        // A start that waits for its lock and is no longer polled.
        let mut start = std::pin::pin!(session.start().in_session(visit.handle()));
        assert!(timeout(ms(1), start.as_mut()).await.is_err());
        session.start_readonly().in_session(visit.handle()).await?;
        assert_eq!(visit.handle().enter(|| session.get("user"))?, Some(json!(7)));
        session.refresh().in_session(visit.handle()).await?;
        session.close().in_session(visit.handle()).await?;
        session.release().in_session(visit.handle()).await?;
        visit.close().await?;
        assert_eq!(began.elapsed(), ms(1));
        Ok::<_, SessionError>(())
    };
    fixture.while_locked(&id, work).await?;
    assert!(fixture.is_free(&id).await);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn readers_and_a_writer_of_one_visit_start_side_by_side() -> Result<(), SessionError> {
    let fixture = fixture();
    let session = &fixture.session;
    for known in [true, false] {
        for (read_takes, lock_takes) in [(1, 2), (2, 1), (1, 1)] {
            let id = match known {
                true => fixture.stored([("user", json!(7))]).await,
                false => unknown_id(),
            };
            fixture.delays.before(Operation::Read, secs(read_takes));
            fixture.delays.before(Operation::Lock, secs(lock_takes));
            let work = async {
                let (write, read) = tokio::join!(session.start(), session.start_readonly());
                write?;
                read?;
                assert!(session.is_writable());
                assert_eq!(session.exists(), known);
                session.set("user", json!(8))?;
                session.close().await?;
                session.id().ok_or(SessionError::Gone)
            };
            let id = fixture.visit(id, work).await?;
            fixture.delays.clear();
            assert_eq!(fixture.shown(&id).await, Some(values([("user", json!(8))])));
        }
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_transaction_whose_session_another_task_destroys_fails() -> Result<(), SessionError> {
    let fixture = fixture();
    let session = fixture.session.clone();
    let id = fixture.stored([("user", json!(7))]).await;
    let visit = fixture.session.open(id.clone().into());
    let transaction = spawn(&visit, async move {
        let write = async || {
            session.set("user", json!(8))?;
            pass(secs(2)).await;
            Ok::<_, SessionError>(())
        };
        session.transaction_exclusive(write).await
    });
    pass(secs(1)).await;
    fixture.session.destroy().in_session(visit.handle()).await?;
    assert_fails!(ended(transaction).await, SessionError::Gone);
    assert_eq!(fixture.record(&id).await, None);
    // The task that has destroyed it gets no error.
    visit.close().await?;
    assert_eq!(visit.outcome().id, IdChange::Remove);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_record_that_is_made_for_a_destroyed_session_is_removed_though_the_close_is_dropped()
-> Result<(), SessionError> {
    let fixture = fixture();
    let visit = fixture.session.open(Visit::new());
    let session = fixture.session.clone();
    fixture.delays.before(Operation::Create, secs(1));
    let close = spawn(&visit, async move {
        session.start().await?;
        session.set("user", json!(7))?;
        session.close().await
    });
    pass(ms(500)).await;
    fixture.session.destroy().in_session(visit.handle()).await?;
    // The close finds that the record is not needed any more, and is dropped while it removes it.
    fixture.delays.before(Operation::Destroy, secs(1));
    pass(secs(1)).await;
    assert_eq!(fixture.sessions().await, 1);
    close.abort();
    pass(secs(2)).await;
    assert_eq!(fixture.sessions().await, 0);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn changes_of_other_tasks_in_a_failed_transaction_are_reported_as_undone() -> Result<(), SessionError> {
    for dropped in [false, true] {
        let fixture = fixture();
        let session = fixture.session.clone();
        let id = fixture.stored([("user", json!(7))]).await;
        let visit = fixture.session.open(id.clone().into());
        let transaction = spawn(&visit, async move {
            let write = async || {
                session.set("user", json!(8))?;
                pass(secs(2)).await;
                Err::<(), _>(SessionError::Unknown)
            };
            session.transaction_exclusive(write).await
        });
        pass(secs(1)).await;
        visit.handle().enter(|| fixture.session.set("other", json!(9)))?;
        match dropped {
            true => transaction.abort(),
            false => assert_fails!(ended(transaction).await, SessionError::Unknown),
        }
        pass(ms(1)).await;
        let close = fixture.session.close().in_session(visit.handle());
        assert_fails!(close.await, SessionError::Undone);
        assert_eq!(fixture.shown(&id).await, Some(values([("user", json!(7))])));
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_failed_transaction_does_not_affect_tasks_that_changed_nothing() -> Result<(), SessionError> {
    let fixture = fixture();
    let session = &fixture.session;
    let id = fixture.stored([("user", json!(7))]).await;
    let visit = session.open(id.clone().into());
    let transaction = session.transaction_exclusive(async || {
        session.set("user", json!(8))?;
        Err::<(), _>(SessionError::Unknown)
    });
    assert_fails!(transaction.in_session(visit.handle()).await, SessionError::Unknown);
    session.close().in_session(visit.handle()).await?;
    visit.close().await
}

#[tokio::test(start_paused = true)]
async fn the_response_waits_for_a_transaction_in_which_other_tasks_changed_something() -> Result<(), SessionError> {
    for fails in [false, true] {
        let fixture = fixture();
        let session = fixture.session.clone();
        let id = fixture.stored([("user", json!(7))]).await;
        let visit = fixture.session.open(id.clone().into());
        let transaction = spawn(&visit, async move {
            let write = async || {
                pass(secs(2)).await;
                match fails {
                    true => Err(SessionError::Unknown),
                    false => Ok(()),
                }
            };
            session.transaction_exclusive(write).await
        });
        pass(secs(1)).await;
        visit.handle().enter(|| fixture.session.set("other", json!(9)))?;
        assert!(visit.end_immediately(true).is_none());
        let closed = visit.close().await;
        let stored = fixture
            .shown(&id)
            .await
            .is_some_and(|shown| shown.contains_key("other"));
        assert_eq!(stored, !fails);
        match fails {
            true => assert_fails!(closed, SessionError::Undone),
            false => closed?,
        }
        assert_eq!(ended(transaction).await.is_ok(), !fails);
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn changes_of_a_task_are_reported_as_undone_when_the_visit_ends_without_writing() -> Result<(), SessionError> {
    for dropped in [false, true] {
        let fixture = fixture();
        let session = fixture.session.clone();
        let id = fixture.stored([("user", json!(7))]).await;
        let visit = fixture.session.open(id.clone().into());
        let task = spawn(&visit, async move {
            session.start().await?;
            session.set("user", json!(8))?;
            pass(secs(2)).await;
            session.close().await
        });
        pass(secs(1)).await;
        if !dropped {
            visit.release().await?;
        }
        drop(visit);
        assert_fails!(ended(task).await, SessionError::Undone);
        assert_eq!(fixture.shown(&id).await, Some(values([("user", json!(7))])));
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn changes_of_a_bound_session_are_reported_as_undone_when_a_task_drops_its_lock() -> Result<(), SessionError> {
    let fixture = fixture();
    let id = fixture.stored([("user", json!(7))]).await;
    let visit = fixture.session.open(id.clone().into());
    let handle = visit.handle().clone();
    drop(visit);
    let bound: Session = handle.session().expect("it is of these types");
    bound.start().await?;
    bound.set("user", json!(8))?;
    async {}.in_session(&handle).await;
    assert_fails!(bound.close().await, SessionError::Undone);
    assert_eq!(fixture.shown(&id).await, Some(values([("user", json!(7))])));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_refused_close_does_not_make_the_client_keep_the_id_of_a_session_that_was_destroyed()
-> Result<(), SessionError> {
    let fixture = fixture();
    let session = fixture.session.clone();
    let id = fixture.stored([("user", json!(7))]).await;
    let visit = fixture.session.open(id.into());
    // The lock was lost, and another visit has moved the session.
    fixture.delays.before(Operation::Commit, secs(2));
    fixture
        .faults
        .fail_next(Operation::Commit, Fault::after(StorageErrorKind::Superseded));
    let close = spawn(&visit, async move {
        session.start().await?;
        session.set("user", json!(8))?;
        session.close().await
    });
    pass(secs(1)).await;
    fixture.session.destroy().in_session(visit.handle()).await?;
    assert_fails!(ended(close).await, SessionError::Superseded);
    visit.close().await?;
    assert_eq!(visit.outcome().id, IdChange::Remove);
    Ok(())
}
