//! Visits that end without waiting, on an immediate storage.

use serde_json::json;
use sessile_core::{
    ActiveVisit, Ended, Expiration, IdChange, InSession, MINUTE, Session, SessionError, SessionId, Visit,
};
use sessile_memory::MemoryStorage;

use crate::common::*;

fn session_on(storage: MemoryStorage) -> Session {
    Session::builder(storage)
        .default_expiration(Expiration::Never)
        .max_record_bytes(1_000)
        .build()
}

fn plain() -> Session {
    session_on(storage())
}

async fn stored(session: &Session, expiration: Expiration) -> Result<SessionId, SessionError> {
    let work = async {
        session.set_expiration(expiration)?;
        session.set("user", json!(7))?;
        session.close().await?;
        session.id().ok_or(SessionError::Gone)
    };
    Ok(session.enter(Visit::new(), work).await?.output)
}

async fn user(session: &Session, id: &SessionId) -> Result<Option<serde_json::Value>, SessionError> {
    let work = async {
        session.start_readonly().await?;
        session.get("user")
    };
    session.init(id.clone().into(), work).await?
}

/// Returns a visit that has started the session.
async fn started(session: &Session, visit: impl Into<Visit>) -> Result<ActiveVisit, SessionError> {
    let visit = session.open(visit.into());
    session.start().in_session(visit.handle()).await?;
    Ok(visit)
}

#[tokio::test(start_paused = true)]
async fn a_visit_commits_creates_and_releases_immediately() -> Result<(), SessionError> {
    let session = plain();
    let id = stored(&session, Expiration::Never).await?;
    let visit = started(&session, id.clone()).await?;
    visit.handle().enter(|| session.set("user", json!(8)))?;
    let ended = visit.end_immediately(true).expect("it commits at once");
    ended.result?;
    assert!(ended.outcome.written);
    assert_eq!(ended.outcome.id, IdChange::Keep);
    assert_eq!(user(&session, &id).await?, Some(json!(8)));

    let visit = started(&session, id.clone()).await?;
    let ended = visit.end_immediately(true).expect("it releases at once");
    ended.result?;
    assert!(!ended.outcome.written);
    // The lock is free although the visit still exists.
    drop(started(&session, id.clone()).await?);

    let new = started(&session, Visit::new()).await?;
    new.handle().enter(|| session.set("user", json!(9)))?;
    let ended = new.end_immediately(true).expect("it creates at once");
    ended.result?;
    let IdChange::Set { id, .. } = ended.outcome.id else {
        panic!("the client gets the id")
    };
    assert_eq!(user(&session, &id).await?, Some(json!(9)));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_new_id_a_slide_that_is_due_and_a_slow_storage_take_a_future() -> Result<(), SessionError> {
    let session = plain();
    let id = stored(&session, Expiration::Never).await?;
    let rotates = started(&session, id).await?;
    rotates.handle().enter(|| session.regenerate_id())?;
    assert!(rotates.end_immediately(true).is_none());
    let ended = rotates.end(true).await;
    ended.result?;
    assert!(matches!(ended.outcome.id, IdChange::Set { .. }));

    let sliding = stored(&session, Expiration::sliding(MINUTE).into()).await?;
    let slides = started(&session, sliding.clone()).await?;
    pass(secs(30)).await;
    assert!(slides.end_immediately(true).is_none());
    slides.end(true).await.result?;
    pass(secs(45)).await;
    assert_eq!(user(&session, &sliding).await?, Some(json!(7)));

    let fixture = fixture();
    let id = fixture.stored([("user", json!(7))]).await;
    let waits = started(&fixture.session, id.clone()).await?;
    waits.handle().enter(|| fixture.session.set("user", json!(8)))?;
    assert!(waits.end_immediately(true).is_none());
    waits.end(true).await.result?;
    assert_eq!(fixture.shown(&id).await, Some(values([("user", json!(8))])));
    Ok(())
}

/// Ends a visit whose commit fails, immediately or by a future.
async fn fail(failure: Failure, immediate: bool) -> Result<Ended, SessionError> {
    let session = session_on(configured_storage(sessile_core::TokioClock::start(), |builder| {
        builder.lease(secs(6))
    }));
    let id = stored(&session, Expiration::Never).await?;
    let visit = started(&session, id.clone()).await?;
    visit.handle().enter(|| session.set("user", json!(8)))?;
    if matches!(failure, Failure::Large) {
        for name in ["one", "two", "three"] {
            visit.handle().enter(|| session.set(name, "x".repeat(400)))?;
        }
    }
    match failure {
        Failure::Late => pass(secs(10)).await,
        Failure::Destroyed => session.init(id.clone().into(), session.destroy()).await??,
        Failure::Large => {}
    }
    let ended = match immediate {
        true => visit.end_immediately(true).expect("it ends at once"),
        false => visit.end(true).await,
    };
    if !matches!(failure, Failure::Destroyed) {
        assert_eq!(user(&session, &id).await?, Some(json!(7)));
        // The lock is free although the visit still exists.
        drop(started(&session, id).await?);
    }
    Ok(ended)
}

#[derive(Debug, Clone, Copy)]
enum Failure {
    Late,
    Large,
    Destroyed,
}

#[tokio::test(start_paused = true)]
async fn an_immediate_commit_that_fails_is_reported_like_any_other() -> Result<(), SessionError> {
    for failure in [Failure::Late, Failure::Large, Failure::Destroyed] {
        let immediate = fail(failure, true).await?;
        let waited = fail(failure, false).await?;
        match (failure, &immediate.result) {
            (Failure::Late, Err(SessionError::LockLost))
            | (Failure::Large, Err(SessionError::TooLarge { .. }))
            | (Failure::Destroyed, Err(SessionError::Gone)) => {}
            other => panic!("{other:?}"),
        }
        let kinds = [&immediate.result, &waited.result].map(|result| format!("{result:?}"));
        assert_eq!(kinds[0], kinds[1], "{failure:?}");
        assert_eq!(immediate.outcome, waited.outcome, "{failure:?}");
    }
    Ok(())
}
