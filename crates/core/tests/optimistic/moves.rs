//! Transactions of a session that is destroyed or moved meanwhile.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use sessile_core::{Expiration, Session, SessionError, SessionId};
use sessile_testkit::Operation;

use crate::common::*;
use crate::{Runs, add, counted};

#[tokio::test(start_paused = true)]
async fn a_session_that_another_visit_destroyed_stays_gone() -> Result<(), SessionError> {
    for started in [false, true] {
        let fixture = fixture();
        let session = &fixture.session;
        let id = fixture.stored([("count", json!(0))]).await;
        let runs = Runs::default();
        let work = async {
            if started {
                session.start_readonly().await?;
            }
            let transaction = session.transaction(async || {
                runs.next();
                let other = fixture.other_session();
                other.init(id.clone().into(), other.destroy()).await??;
                add(session, "count")
            });
            assert_fails!(transaction.await, SessionError::Gone);
            session.close().await
        };
        fixture.visit(id.clone(), work).await?;
        assert_eq!(runs.count(), 1);
        assert_eq!(fixture.sessions().await, 0);
    }
    Ok(())
}

#[derive(Debug, Clone, Copy)]
enum When {
    Reading,
    Running,
    BeforeTheReplace,
    AfterTheReplace,
}

#[tokio::test(start_paused = true)]
async fn a_session_that_another_task_of_the_visit_destroyed_stays_gone() -> Result<(), SessionError> {
    use When::*;
    for when in [Reading, Running, BeforeTheReplace, AfterTheReplace] {
        let fixture = fixture();
        let session = &fixture.session;
        let id = fixture.stored([("count", json!(0))]).await;
        match when {
            Reading => fixture.delays.before(Operation::Read, secs(1)),
            BeforeTheReplace => fixture.delays.before(Operation::Replace, secs(1)),
            AfterTheReplace => fixture.delays.after(Operation::Replace, secs(1)),
            Running => {}
        }
        let work = async {
            let transaction = session.transaction(async || {
                add(session, "count")?;
                if matches!(when, Running) {
                    pass(secs(1)).await;
                }
                Ok(())
            });
            let destroy = async {
                pass(ms(500)).await;
                session.destroy().await
            };
            let (updated, destroyed) = tokio::join!(transaction, destroy);
            destroyed?;
            match updated {
                Err(SessionError::Gone) => {}
                other => panic!("{when:?}: expected Gone, got {other:?}"),
            }
            assert!(!session.is_active());
            session.close().await
        };
        fixture.visit(id.clone(), work).await?;
        assert_eq!(fixture.sessions().await, 0, "{when:?}");
    }
    Ok(())
}

/// Gives the session a new id in another visit.
async fn rotate(fixture: &Fixture, id: &SessionId, grace: Duration) -> Result<SessionId, SessionError> {
    let other: Session = Session::builder(Arc::clone(&fixture.storage))
        .default_expiration(Expiration::Never)
        .rotation_grace(grace)
        .build();
    let work = async {
        other.regenerate_id()?;
        other.close().await?;
        other.id().ok_or(SessionError::Gone)
    };
    Ok(other.enter(id.clone().into(), work).await?.output)
}

#[tokio::test(start_paused = true)]
async fn a_session_that_moves_is_followed_during_its_grace() -> Result<(), SessionError> {
    for grace in [secs(60), secs(0)] {
        let fixture = fixture();
        let session = &fixture.session;
        let id = fixture.stored([("count", json!(0))]).await;
        let runs = Runs::default();
        let moved = std::cell::RefCell::new(None);
        let work = async {
            let transaction = session.transaction(async || {
                if runs.next() == 1 {
                    let new = rotate(&fixture, &id, grace).await?;
                    moved.replace(Some(new));
                }
                add(session, "count")
            });
            transaction.await
        };
        let updated = fixture.visit(id.clone(), work).await;
        let new = moved.take().expect("it has moved");
        if grace == secs(0) {
            assert_fails!(updated, SessionError::Superseded);
            assert_eq!(runs.count(), 1);
            assert_eq!(fixture.shown(&new).await, counted(0));
        } else {
            updated?;
            assert_eq!(runs.count(), 2);
            assert_eq!(fixture.shown(&new).await, counted(1));
        }
        assert_eq!(fixture.sessions().await, 1);
    }
    Ok(())
}
