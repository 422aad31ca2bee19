//! Refreshing the loaded data in a visit that lasts.

mod common;

use common::*;
use serde_json::json;
use sessile_core::{InSession, SessionError, StorageErrorKind, Visit};
use sessile_testkit::{Fault, Operation};

#[tokio::test(start_paused = true)]
async fn writes_of_other_visits_are_seen() -> Result<(), SessionError> {
    let fixture = fixture();
    let session = &fixture.session;
    let id = fixture.stored([("user", json!(7))]).await;
    let work = async {
        assert_fails!(session.refresh().await, SessionError::NotStarted);
        session.start_readonly().await?;
        let other = fixture.other_session();
        other
            .enter(id.clone().into(), async { other.set("user", json!(8)) })
            .await?;
        assert_eq!(session.get("user")?, Some(json!(7)));
        session.refresh().await?;
        assert_eq!(session.get("user")?, Some(json!(8)));
        // Does not wait for a writer either.
        fixture.while_locked(&id, session.refresh()).await
    };
    fixture.visit(id.clone(), work).await
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_outlives_its_visit_notices_a_logout() -> Result<(), SessionError> {
    let fixture = fixture();
    let session = &fixture.session;
    let id = fixture.stored([("user", json!(7))]).await;
    let visit = session.open(id.clone().into());
    session.start_readonly().in_session(visit.handle()).await?;
    let handle = visit.handle().clone();
    visit.close().await?;
    drop(visit);

    let other = fixture.other_session();
    other.init(id.into(), other.destroy()).await??;
    assert_eq!(handle.enter(|| session.get("user"))?, Some(json!(7)), "until it looks");
    for _ in 0..2 {
        let looked = session.refresh().in_session(&handle).await;
        assert_fails!(looked, SessionError::Gone);
        assert_fails!(handle.enter(|| session.get("user")), SessionError::Gone);
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_session_that_has_moved_is_not_read_on_under_its_old_id() -> Result<(), SessionError> {
    let fixture = fixture();
    let session = &fixture.session;
    let id = fixture.stored([("user", json!(7))]).await;
    let work = async {
        session.start_readonly().await?;
        let other = fixture.other_session();
        other.enter(id.clone().into(), async { other.regenerate_id() }).await?;
        assert_fails!(session.refresh().await, SessionError::Superseded);
        assert_fails!(session.get("user"), SessionError::Gone);
        Ok(())
    };
    fixture.visit(id.clone(), work).await
}

#[tokio::test(start_paused = true)]
async fn a_refresh_without_a_stored_session_changes_nothing() -> Result<(), SessionError> {
    let fixture = fixture();
    let session = &fixture.session;
    let id = fixture.stored([("user", json!(7))]).await;
    let writable = async {
        session.start().await?;
        session.set("user", json!(8))?;
        fixture.calls.reset();
        session.refresh().await?;
        fixture.calls.assert_none();
        assert_eq!(session.get("user")?, Some(json!(8)));
        session.close().await
    };
    fixture.visit(id.clone(), writable).await?;
    let virtual_session = async {
        session.start_readonly().await?;
        fixture.calls.reset();
        session.refresh().await?;
        fixture.calls.assert_none();
        Ok(())
    };
    fixture.visit(Visit::new(), virtual_session).await
}

#[tokio::test(start_paused = true)]
async fn a_failed_refresh_keeps_the_loaded_data() -> Result<(), SessionError> {
    let fixture = fixture();
    let session = &fixture.session;
    let id = fixture.stored([("user", json!(7))]).await;
    let work = async {
        session.start_readonly().await?;
        let down = Fault::before(StorageErrorKind::Unavailable);
        fixture.faults.fail_next(Operation::Read, down);
        assert_fails!(session.refresh().await, SessionError::Storage(_));
        assert_eq!(session.get("user")?, Some(json!(7)));
        fixture.delays.before(Operation::Read, secs(5));
        assert!(tokio::time::timeout(secs(1), session.refresh()).await.is_err());
        assert_eq!(session.get("user")?, Some(json!(7)));
        Ok(())
    };
    fixture.visit(id, work).await
}
