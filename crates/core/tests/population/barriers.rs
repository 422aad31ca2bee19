//! Barriers: the client of a session whose key was barred finds no session, and no error.

use sessile_core::{Expiration, HOUR, MINUTE, SessionError, SessionId, Storage, Visit};

use super::support::*;
use crate::common::*;

/// Returns the id of a session that has expired, under whose key there is a barrier now.
async fn barred(fixture: &Fixture) -> SessionId {
    let id = visit(&fixture.session, Visit::new(), || {
        fixture.session.log_in("ada")?;
        fixture.session.set_expiration(Expiration::After(MINUTE))
    });
    let id = id.await.unwrap();
    pass(HOUR).await;
    // Nobody has seen the session, so it could still be created.
    assert_eq!(fixture.elsewhere(None).registry().by_owner("ada").await.unwrap(), []);
    let found = fixture
        .storage
        .read(&id.key())
        .await
        .unwrap()
        .found()
        .expect("a barrier");
    assert!(!found.record.meta.facts.is_session());
    id
}

async fn finds_nothing(fixture: &Fixture) {
    let id = barred(fixture).await;
    let session = &fixture.session;
    let read = session.init(Visit::from(id.clone()), async {
        session.start_readonly().await?;
        session.get("a")
    });
    assert_eq!(read.await.unwrap().unwrap(), None);
    for _ in 0..2 {
        let strict = session.init(Visit::attach(id.clone()), async { session.start().await });
        assert_fails!(strict.await.unwrap(), SessionError::Unknown);
        let strict = session.init(Visit::attach(id.clone()), async { session.start_readonly().await });
        assert_fails!(strict.await.unwrap(), SessionError::Unknown);
    }
    let changed = session.init(Visit::from(id.clone()), async {
        let transaction = session.transaction(|| async { session.set("a", 1) });
        transaction.await
    });
    changed.await.unwrap().unwrap();
    // The client's next id comes from a session of its own, and other ids of the client are tried.
    let other = visit(session, Visit::new(), || session.set("a", 2)).await.unwrap();
    let seen = visit(session, Visit::from(id.clone()).or(other.clone()), || {
        assert_eq!(session.get("a")?, Some(2.into()));
        Ok(())
    });
    assert_eq!(seen.await.unwrap(), other);
    let new = visit(session, id.clone(), || session.set("a", 1)).await.unwrap();
    assert_ne!(new, id);
    fixture.assert_idle("after all visits");
}

#[tokio::test(start_paused = true)]
async fn a_visit_finds_no_session_behind_one() {
    finds_nothing(&limited(None)).await;
}

/// The plain functions of the storage.
#[tokio::test(start_paused = true)]
async fn a_visit_finds_none_immediately() {
    let mut fixture = limited(None);
    fixture.session = fixture.elsewhere(None);
    finds_nothing(&fixture).await;
}

#[tokio::test(start_paused = true)]
async fn a_visit_finds_none_in_an_epoch() {
    finds_nothing(&fixture_with(|builder| builder.epochs(true))).await;
}
