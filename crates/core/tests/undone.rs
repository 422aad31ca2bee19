//! Changes that were undone because they could not be stored are reported.

mod common;

use common::*;
use serde_json::json;
use sessile_core::{Expiration, InSession, SessionError, SessionId, StorageErrorKind, Visit};
use sessile_testkit::{Fault, Operation};

/// The ways to lose a change: the commit fails, or its future is dropped, before or after it acts.
#[derive(Debug, Clone, Copy)]
enum Loss {
    Refused,
    Unanswered,
    Dropped,
}

const LOSSES: [Loss; 3] = [Loss::Refused, Loss::Unanswered, Loss::Dropped];

/// Closes the visit so that the change is lost, and leaves the visit in that state.
async fn lose(fixture: &Fixture, operation: Operation, loss: Loss) {
    let session = &fixture.session;
    match loss {
        Loss::Refused => fixture
            .faults
            .fail_next(operation, Fault::before(StorageErrorKind::Unavailable)),
        Loss::Unanswered => fixture
            .faults
            .fail_next(operation, Fault::after(StorageErrorKind::Unavailable)),
        Loss::Dropped => {
            fixture.delays.before(operation, secs(5));
            let closed = tokio::time::timeout(secs(1), session.close()).await;
            assert!(closed.is_err(), "the close is dropped");
            fixture.delays.clear();
            return;
        }
    }
    assert_fails!(session.close().await, SessionError::Storage(_));
}

async fn changed(fixture: &Fixture, id: &SessionId, operation: Operation) -> Result<(), SessionError> {
    let session = &fixture.session;
    session.start().await?;
    session.set("user", json!(8))?;
    if operation == Operation::Rotate {
        session.regenerate_id()?;
        assert_ne!(session.id().as_ref(), Some(id));
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_close_after_one_that_failed_fails_too() -> Result<(), SessionError> {
    for operation in [Operation::Commit, Operation::Create, Operation::Rotate] {
        for loss in LOSSES {
            let fixture = fixture();
            let session = &fixture.session;
            let id = fixture.stored([("user", json!(7))]).await;
            let visit = match operation {
                Operation::Create => Visit::new(),
                _ => Visit::from(id.clone()),
            };
            let work = async {
                changed(&fixture, &id, operation).await?;
                lose(&fixture, operation, loss).await;
                for _ in 0..2 {
                    assert_fails!(session.close().await, SessionError::Undone);
                }
                assert!(session.is_readable() && !session.is_writable());
                Ok(())
            };
            fixture.visit(visit, work).await?;
        }
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn the_end_of_a_visit_reports_what_was_undone_in_it() -> Result<(), SessionError> {
    for loss in LOSSES {
        let fixture = fixture();
        let id = fixture.stored([("user", json!(7))]).await;
        let visit = fixture.session.open(id.clone().into());
        let work = async {
            changed(&fixture, &id, Operation::Commit).await?;
            lose(&fixture, Operation::Commit, loss).await;
            Ok::<_, SessionError>(())
        };
        work.in_session(visit.handle()).await?;
        assert!(visit.end_immediately(true).is_none(), "{loss:?}");
        assert_fails!(visit.close().await, SessionError::Undone);
        // A release intends to write nothing, so it succeeds.
        assert!(visit.end_immediately(false).is_some());
        visit.release().await?;
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn concurrent_closes_both_report_a_lost_change() -> Result<(), SessionError> {
    let fixture = fixture();
    let session = &fixture.session;
    let id = fixture.stored([("user", json!(7))]).await;
    let work = async {
        changed(&fixture, &id, Operation::Commit).await?;
        fixture.delays.before(Operation::Commit, secs(1));
        let down = Fault::before(StorageErrorKind::Unavailable);
        fixture.faults.fail_next(Operation::Commit, down);
        let (first, second) = tokio::join!(session.close(), session.close());
        assert_fails!(first, SessionError::Storage(_));
        assert_fails!(second, SessionError::Undone);
        Ok(())
    };
    fixture.visit(id.clone(), work).await
}

#[tokio::test(start_paused = true)]
async fn starting_releasing_and_destroying_begin_anew() -> Result<(), SessionError> {
    for way in ["start", "release", "transaction", "destroy"] {
        let fixture = fixture();
        let session = &fixture.session;
        let id = fixture.stored([("user", json!(7))]).await;
        let work = async {
            changed(&fixture, &id, Operation::Commit).await?;
            lose(&fixture, Operation::Commit, Loss::Refused).await;
            match way {
                "start" => {
                    session.start().await?;
                    assert_eq!(session.get("user")?, Some(json!(7)));
                    session.set("user", json!(9))?;
                }
                "release" => session.release().await?,
                "destroy" => session.destroy().await?,
                _ => {
                    let write = async || session.set("user", json!(9));
                    session.transaction_exclusive(write).await?;
                }
            }
            session.close().await
        };
        fixture.visit(id.clone(), work).await?;
        let expected = match way {
            "destroy" => None,
            "release" => Some(values([("user", json!(7))])),
            _ => Some(values([("user", json!(9))])),
        };
        assert_eq!(fixture.shown(&id).await, expected, "{way}");
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_close_with_nothing_to_write_never_fails() -> Result<(), SessionError> {
    let fixture = fixture();
    let session = &fixture.session;
    for kind in [
        StorageErrorKind::Unavailable,
        StorageErrorKind::Gone,
        StorageErrorKind::LockLost,
    ] {
        for slides in [false, true] {
            let id = match slides {
                false => fixture.stored([]).await,
                true => fixture.stored_as(Expiration::sliding(secs(60)), []).await,
            };
            let work = async {
                session.start().await?;
                pass(secs(8)).await;
                if slides {
                    fixture.faults.fail_next(Operation::Touch, Fault::before(kind));
                }
                fixture.faults.fail_next(Operation::Release, Fault::before(kind));
                session.close().await
            };
            fixture.visit(id, work).await?;
            assert_eq!(fixture.faults.pending(), 0, "all of it was tried");
        }
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_session_can_be_read_though_its_end_cannot_be_moved() -> Result<(), SessionError> {
    let fixture = fixture();
    let session = &fixture.session;
    for lock in [false, true] {
        let id = fixture
            .stored_as(Expiration::sliding(secs(60)), [("user", json!(7))])
            .await;
        pass(secs(30)).await;
        let down = Fault::before(StorageErrorKind::Unavailable);
        fixture.faults.fail_next(Operation::Touch, down);
        let work = async {
            match lock {
                false => session.start_readonly().await?,
                true => session.start().await?,
            }
            session.get("user")
        };
        assert_eq!(fixture.visit(id, work).await?, Some(json!(7)));
        assert_eq!(fixture.faults.pending(), 0, "it was tried");
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_record_whose_creation_is_not_recorded_is_removed() -> Result<(), SessionError> {
    for loss in [Loss::Unanswered, Loss::Dropped] {
        let fixture = fixture();
        let session = &fixture.session;
        let work = async {
            session.start().await?;
            session.set("user", json!(7))?;
            match loss {
                Loss::Dropped => {
                    // The storage has acted, and its reply is pending.
                    fixture.delays.after(Operation::Create, secs(5));
                    let closed = tokio::time::timeout(secs(1), session.close()).await;
                    assert!(closed.is_err(), "the close is dropped");
                    fixture.delays.clear();
                }
                _ => lose(&fixture, Operation::Create, loss).await,
            }
            pass(secs(1)).await;
            Ok(())
        };
        fixture.visit(Visit::new(), work).await?;
        assert_eq!(fixture.sessions().await, 0, "{loss:?}");
    }
    Ok(())
}
