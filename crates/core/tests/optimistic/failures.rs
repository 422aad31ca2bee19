//! Transactions that fail or are dropped, and transactions beside changes of other tasks.

use serde_json::json;
use sessile_core::{InSession, SessionError, StorageErrorKind};
use sessile_testkit::{Fault, Operation};

use crate::common::*;
use crate::{Runs, add, add_in_another_visit, counted};

#[derive(Debug, Clone, Copy, PartialEq)]
enum End {
    Fails,
    Panics,
    DroppedInTheClosure,
    DroppedBeforeTheReplace,
    DroppedAfterTheReplace,
}

#[tokio::test(start_paused = true)]
async fn an_interrupted_transaction_writes_all_or_nothing() -> Result<(), SessionError> {
    use End::*;
    for end in [
        Fails,
        Panics,
        DroppedInTheClosure,
        DroppedBeforeTheReplace,
        DroppedAfterTheReplace,
    ] {
        for started in [false, true] {
            let fixture = fixture();
            let session = fixture.session.clone();
            let id = fixture.stored([("count", json!(0))]).await;
            match end {
                DroppedBeforeTheReplace => fixture.delays.before(Operation::Replace, secs(5)),
                DroppedAfterTheReplace => fixture.delays.after(Operation::Replace, secs(5)),
                _ => {}
            }
            let work = async {
                if started {
                    session.start_readonly().await?;
                }
                let inside = session.clone();
                let transaction = async move {
                    let closure = async || {
                        add(&inside, "count")?;
                        match end {
                            Fails => Err(SessionError::Unknown),
                            Panics => panic!("on purpose"),
                            DroppedInTheClosure => std::future::pending().await,
                            _ => Ok(()),
                        }
                    };
                    inside.transaction(closure).await
                };
                let task = tokio::spawn(transaction.in_session(&session.handle()?));
                pass(secs(1)).await;
                task.abort();
                match (end, task.await) {
                    (Fails, Ok(result)) => assert_fails!(result, SessionError::Unknown),
                    (Panics, Err(error)) => assert!(error.is_panic()),
                    (_, Err(error)) => assert!(error.is_cancelled()),
                    (end, other) => panic!("{end:?} ends as {other:?}"),
                }
                fixture.delays.clear();
                let stored = u64::from(end == DroppedAfterTheReplace);
                assert_eq!(fixture.shown(&id).await, counted(stored), "{end:?}");
                assert!(session.is_readable() && !session.is_writable());
                assert_eq!(session.get("count")?, Some(json!(0)), "{end:?}");
                session.refresh().await?;
                assert_eq!(session.get("count")?, Some(json!(stored)), "{end:?}");
                assert!(fixture.is_free(&id).await);
                // The visit continues.
                session.transaction(async || session.set("count", json!(9))).await
            };
            fixture.visit(id.clone(), work).await?;
            assert_eq!(fixture.shown(&id).await, counted(9));
        }
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_replace_whose_reply_is_lost_is_an_error_and_is_not_repeated() -> Result<(), SessionError> {
    for kind in [StorageErrorKind::Unavailable, StorageErrorKind::Timeout] {
        for (fault, stored) in [(Fault::before(kind), 0), (Fault::after(kind), 1)] {
            let fixture = fixture();
            let session = &fixture.session;
            let id = fixture.stored([("count", json!(0))]).await;
            let runs = Runs::default();
            let work = async {
                fixture.faults.fail_next(Operation::Replace, fault);
                let transaction = async || {
                    runs.next();
                    add(session, "count")
                };
                assert_fails!(session.transaction(transaction).await, SessionError::Storage(_));
                assert_eq!(runs.count(), 1);
                assert_eq!(fixture.calls.take(), [(Operation::Read, 1), (Operation::Replace, 1)]);
                assert_eq!(fixture.shown(&id).await, counted(stored));
                assert!(session.is_readable() && !session.is_writable());
                assert_fails!(session.close().await, SessionError::Undone);
                session.transaction(async || add(session, "count")).await?;
                session.close().await
            };
            fixture.visit(id.clone(), work).await?;
            assert_eq!(fixture.shown(&id).await, counted(stored + 1));
        }
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn changes_of_another_task_are_stored_or_reported() -> Result<(), SessionError> {
    for conflict in [false, true] {
        let fixture = fixture();
        let session = &fixture.session;
        let id = fixture.stored([("count", json!(0))]).await;
        let visit = session.open(id.clone().into());
        let work = async {
            let transaction = session.transaction(async || {
                add(session, "count")?;
                pass(secs(1)).await;
                match conflict {
                    true => add_in_another_visit(&fixture, &id, ms(0)).await,
                    false => Ok(()),
                }
            });
            let beside = async {
                pass(ms(500)).await;
                session.set("beside", json!(1))
            };
            let (updated, set) = tokio::join!(transaction, beside);
            set?;
            match conflict {
                true => assert_fails!(updated, SessionError::Undone),
                false => updated?,
            }
            Ok::<_, SessionError>(())
        };
        work.in_session(visit.handle()).await?;
        let ended = visit.end(true).await;
        match conflict {
            true => assert_fails!(ended.result, SessionError::Undone),
            false => ended.result?,
        }
        let expected = match conflict {
            true => counted(1),
            false => Some(values([("beside", json!(1)), ("count", json!(1))])),
        };
        assert_eq!(fixture.shown(&id).await, expected);
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn without_a_conflict_a_new_id_loses_no_change_of_another_task() -> Result<(), SessionError> {
    let fixture = fixture();
    let session = &fixture.session;
    let id = fixture.stored([("count", json!(0))]).await;
    let work = async {
        let transaction = session.transaction(async || {
            session.regenerate_id()?;
            pass(secs(1)).await;
            add(session, "count")
        });
        let beside = async {
            pass(ms(500)).await;
            session.set("beside", json!(1))
        };
        let (updated, set) = tokio::join!(transaction, beside);
        set.and(updated)?;
        session.id().ok_or(SessionError::Gone)
    };
    let new = fixture.visit(id, work).await?;
    let expected = values([("beside", json!(1)), ("count", json!(1))]);
    assert_eq!(fixture.shown(&new).await, Some(expected));
    Ok(())
}
