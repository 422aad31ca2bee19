//! Transactions: writing briefly from a visit that otherwise only reads.

mod common;

use common::*;
use serde_json::json;
use sessile_core::{SessionError, SessionId, StorageErrorKind, Visit};
use sessile_testkit::{Fault, Operation};
use tokio::sync::{mpsc, oneshot};

async fn change_elsewhere(fixture: &Fixture, id: &SessionId, user: u64) -> Result<(), SessionError> {
    let other = fixture.other_session();
    other
        .enter(id.clone().into(), async { other.set("user", json!(user)) })
        .await?;
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_transaction_locks_reloads_runs_commits_and_unlocks() -> Result<(), SessionError> {
    let fixture = fixture();
    let session = &fixture.session;
    for started in [false, true] {
        let id = fixture.stored([("user", json!(7))]).await;
        let work = async {
            if started {
                session.start_readonly().await?;
                change_elsewhere(&fixture, &id, 8).await?;
                assert_eq!(session.get("user")?, Some(json!(7)));
            } else {
                change_elsewhere(&fixture, &id, 8).await?;
            }
            fixture.calls.reset();
            let transaction = async || {
                assert!(session.is_writable());
                assert!(!fixture.is_free(&id).await);
                assert_eq!(session.get("user")?, Some(json!(8)));
                session.set("user", json!(9))?;
                Ok::<_, SessionError>("done")
            };
            assert_eq!(session.transaction_exclusive(transaction).await?, "done");
            assert_eq!(fixture.calls.take(), [(Operation::Lock, 1), (Operation::Commit, 1)]);
            assert!(session.is_readable() && !session.is_writable());
            assert_eq!(session.get("user")?, Some(json!(9)));
            assert!(fixture.is_free(&id).await);
            Ok(())
        };
        fixture.visit(id.clone(), work).await?;
        assert_eq!(fixture.shown(&id).await, Some(values([("user", json!(9))])));
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_transaction_without_an_id_makes_a_session() -> Result<(), SessionError> {
    let fixture = fixture();
    let session = &fixture.session;
    let work = async {
        session
            .transaction_exclusive(async || session.set("user", json!(7)))
            .await?;
        session.id().ok_or(SessionError::Gone)
    };
    let id = fixture.visit(Visit::new(), work).await?;
    assert_eq!(fixture.shown(&id).await, Some(values([("user", json!(7))])));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_transaction_that_changes_nothing_writes_nothing() -> Result<(), SessionError> {
    let fixture = fixture();
    let session = &fixture.session;
    let id = fixture.stored([("user", json!(7))]).await;
    let work = async {
        session
            .transaction_exclusive(async || session.set("user", json!(7)))
            .await
    };
    fixture.visit(id, work).await?;
    assert_eq!(fixture.calls.take(), [(Operation::Lock, 1), (Operation::Release, 1)]);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn in_a_writable_visit_the_closure_simply_runs_and_the_visit_commits() -> Result<(), SessionError> {
    let fixture = fixture();
    let session = &fixture.session;
    let id = fixture.stored([("user", json!(7))]).await;
    let work = async {
        session.start().await?;
        fixture.calls.reset();
        session
            .transaction_exclusive(async || session.set("user", json!(8)))
            .await?;
        fixture.calls.assert_none();
        assert!(session.is_writable());
        // Its changes stay even if it fails: the code that took the lock decides.
        let fails = session.transaction_exclusive(async || {
            session.set("more", json!(1))?;
            Err::<(), _>(SessionError::Gone)
        });
        assert_fails!(fails.await, SessionError::Gone);
        session.close().await
    };
    fixture.visit(id.clone(), work).await?;
    let expected = values([("user", json!(8)), ("more", json!(1))]);
    assert_eq!(fixture.shown(&id).await, Some(expected));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_transaction_inside_a_transaction_runs_in_it() -> Result<(), SessionError> {
    let fixture = fixture();
    let session = &fixture.session;
    let id = fixture.stored([]).await;
    let work = async {
        let outer = async || {
            session.set("outer", json!(1))?;
            session
                .transaction_exclusive(async || session.set("inner", json!(2)))
                .await?;
            session.start().await?;
            assert!(session.is_writable());
            Ok(())
        };
        session.transaction_exclusive(outer).await
    };
    fixture.visit(id.clone(), work).await?;
    assert_eq!(fixture.calls.take(), [(Operation::Lock, 1), (Operation::Commit, 1)]);
    let expected = values([("outer", json!(1)), ("inner", json!(2))]);
    assert_eq!(fixture.shown(&id).await, Some(expected));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn updates_side_by_side_in_one_visit_follow_each_other() -> Result<(), SessionError> {
    let fixture = fixture();
    let session = &fixture.session;
    let id = fixture.stored([("count", json!(0))]).await;
    let transaction = || {
        session.transaction_exclusive(async || {
            let count = session.get("count")?.and_then(|count| count.as_u64()).expect("a count");
            pass(ms(10)).await;
            session.set("count", json!(count + 1))
        })
    };
    let work = async {
        let (a, b, c) = tokio::join!(transaction(), transaction(), transaction());
        a.and(b).and(c)
    };
    fixture.visit(id.clone(), work).await?;
    assert_eq!(fixture.calls.of(Operation::Commit), 3);
    assert_eq!(fixture.shown(&id).await, Some(values([("count", json!(3))])));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn updates_in_many_visits_lose_no_change() -> Result<(), SessionError> {
    let fixture = fixture();
    let id = fixture.stored([("count", json!(0))]).await;
    let visits: Vec<_> = (0..50)
        .map(|_| {
            let (session, id) = (fixture.session.clone(), id.clone());
            tokio::spawn(async move {
                let transaction = async || {
                    let count = session.get("count")?.and_then(|count| count.as_u64()).expect("a count");
                    tokio::task::yield_now().await;
                    session.set("count", json!(count + 1))
                };
                session
                    .init(id.into(), session.transaction_exclusive(transaction))
                    .await?
            })
        })
        .collect();
    for visit in visits {
        visit.await.expect("it ends")?;
    }
    assert_eq!(fixture.shown(&id).await, Some(values([("count", json!(50))])));
    Ok(())
}

/// The ways in which a transaction can end without an `Ok`.
#[derive(Debug, Clone, Copy)]
enum End {
    Err,
    Panic,
    Cancel,
}

#[tokio::test(start_paused = true)]
async fn a_transaction_that_does_not_get_to_its_end_writes_nothing() -> Result<(), SessionError> {
    for end in [End::Err, End::Panic, End::Cancel] {
        for started in [false, true] {
            let fixture = fixture();
            let session = fixture.session.clone();
            let id = fixture.stored([("user", json!(7))]).await;
            let work = async {
                if started {
                    session.start_readonly().await?;
                }
                let inside = session.clone();
                let transaction = async move {
                    let closure = async || {
                        inside.set("user", json!(8))?;
                        inside.regenerate_id()?;
                        match end {
                            End::Err => Err::<(), _>(SessionError::Unknown),
                            End::Panic => panic!("on purpose"),
                            End::Cancel => std::future::pending().await,
                        }
                    };
                    inside.transaction_exclusive(closure).await
                };
                use sessile_core::InSession;
                let task = tokio::spawn(transaction.in_session(&session.handle()?));
                pass(secs(1)).await;
                task.abort();
                match (end, task.await) {
                    (End::Err, Ok(result)) => assert_fails!(result, SessionError::Unknown),
                    (End::Panic, Err(error)) => assert!(error.is_panic()),
                    (End::Cancel, Err(error)) => assert!(error.is_cancelled()),
                    (end, other) => panic!("{end:?} ends as {other:?}"),
                }
                assert!(session.is_readable() && !session.is_writable());
                assert_eq!(session.get("user")?, Some(json!(7)));
                assert_eq!(session.id(), Some(id.clone()));
                assert!(fixture.is_free(&id).await, "{end:?}");
                assert_eq!(fixture.shown(&id).await, Some(values([("user", json!(7))])));
                // The visit continues.
                session
                    .transaction_exclusive(async || session.set("user", json!(9)))
                    .await
            };
            fixture.visit(id.clone(), work).await?;
            assert_eq!(fixture.shown(&id).await, Some(values([("user", json!(9))])));
        }
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_transaction_whose_commit_fails_returns_why_and_undoes_what_it_set() -> Result<(), SessionError> {
    let fixture = fixture();
    let session = &fixture.session;
    let id = fixture.stored([("user", json!(7))]).await;
    let work = async {
        fixture
            .faults
            .fail_next(Operation::Commit, Fault::before(StorageErrorKind::Unavailable));
        let transaction = session.transaction_exclusive(async || session.set("user", json!(8)));
        assert_fails!(transaction.await, SessionError::Storage(_));
        assert_eq!(session.get("user")?, Some(json!(7)));
        assert!(fixture.is_free(&id).await);
        session
            .transaction_exclusive(async || session.set("user", json!(9)))
            .await
    };
    fixture.visit(id.clone(), work).await?;
    assert_eq!(fixture.shown(&id).await, Some(values([("user", json!(9))])));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn the_error_of_the_closure_is_returned_even_if_the_release_fails() -> Result<(), SessionError> {
    let fixture = fixture();
    let session = &fixture.session;
    let id = fixture.stored([]).await;
    let work = async {
        fixture
            .faults
            .fail_next(Operation::Release, Fault::before(StorageErrorKind::Unavailable));
        let transaction = session.transaction_exclusive(async || Err::<(), _>(SessionError::Unknown));
        assert_fails!(transaction.await, SessionError::Unknown);
        assert_eq!(fixture.faults.pending(), 0);
        Ok(())
    };
    fixture.visit(id, work).await
}

#[tokio::test(start_paused = true)]
async fn a_transaction_may_close_release_or_destroy_by_itself() -> Result<(), SessionError> {
    let fixture = fixture();
    let session = &fixture.session;
    let id = fixture.stored([("user", json!(7))]).await;
    let work = async {
        let closes = async || {
            session.set("user", json!(8))?;
            session.close().await?;
            assert_fails!(session.set("user", json!(9)), SessionError::NotWritable);
            Ok::<_, SessionError>(())
        };
        session.transaction_exclusive(closes).await?;
        let releases = async || {
            session.set("user", json!(9))?;
            session.release().await?;
            assert_eq!(session.get("user")?, Some(json!(8)));
            Ok::<_, SessionError>(())
        };
        session.transaction_exclusive(releases).await?;
        assert_eq!(fixture.shown(&id).await, Some(values([("user", json!(8))])));
        let destroys = async || {
            session.set("user", json!(9))?;
            session.destroy().await?;
            session.start().await?;
            session.set("user", json!(10))
        };
        session.transaction_exclusive(destroys).await?;
        session.id().ok_or(SessionError::Gone)
    };
    let new = fixture.visit(id.clone(), work).await?;
    assert_eq!(fixture.record(&id).await, None);
    assert_eq!(fixture.shown(&new).await, Some(values([("user", json!(10))])));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn starting_waits_for_a_transaction_of_the_same_visit() -> Result<(), SessionError> {
    let fixture = fixture();
    let session = &fixture.session;
    let id = fixture.stored([("user", json!(7))]).await;
    let work = async {
        let (begun, has_begun) = oneshot::channel();
        let updating = session.transaction_exclusive(async || {
            begun.send(()).expect("it waits");
            pass(secs(1)).await;
            session.set("user", json!(8))
        });
        let starting = async {
            has_begun.await.expect("it begins");
            session.start().await?;
            assert_eq!(session.get("user")?, Some(json!(8)));
            session.close().await
        };
        let (updated, started) = tokio::join!(updating, starting);
        updated.and(started)
    };
    fixture.visit(id, work).await
}

#[tokio::test(start_paused = true)]
async fn a_transaction_that_waits_on_its_own_visit_ends_with_a_timeout_and_not_never() -> Result<(), SessionError> {
    use sessile_core::InSession;
    let fixture = fixture();
    let session = fixture.session.clone();
    let id = fixture.stored([("user", json!(7))]).await;
    let (report, mut reported) = mpsc::unbounded_channel();
    let work = async {
        let handle = session.handle()?;
        let transaction = async || {
            // A task of its own, so it is not inside this transaction, which waits for it.
            let inside = session.clone();
            let task = async move {
                inside
                    .transaction_exclusive(async || inside.set("user", json!(8)))
                    .await
            };
            let task = tokio::spawn(task.in_session(&handle));
            report.send(task.await.expect("it ends")).expect("it listens");
            session.set("user", json!(9))
        };
        session.transaction_exclusive(transaction).await
    };
    let visit = tokio::time::timeout(secs(60), fixture.visit(id.clone(), work));
    visit.await.expect("it ends")?;
    assert_fails!(
        reported.recv().await.expect("the transaction reports"),
        SessionError::LockTimeout
    );
    assert_eq!(fixture.shown(&id).await, Some(values([("user", json!(9))])));
    Ok(())
}
