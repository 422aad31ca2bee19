//! Limits on the size of sessions.

mod common;

use common::*;
use serde_json::json;
use sessile_core::{Expiration, SessionError, SessionId, Visit};
use sessile_testkit::Operation;

const LIMIT: usize = 1_000;

fn limited() -> Fixture {
    fixture_with(|builder| builder.max_record_bytes(LIMIT))
}

/// Checks that a close fails because the session is too large, and returns its size.
async fn too_large(fixture: &Fixture, id: impl Into<Visit>) -> usize {
    let session = &fixture.session;
    let closed = fixture.visit(id, async {
        session.start().await?;
        for name in ["one", "two", "three"] {
            session.set(name, "x".repeat(400))?;
        }
        let closed = session.close().await;
        assert!(!session.contains("one")?, "the visit shows the stored session");
        closed
    });
    match closed.await {
        Err(SessionError::TooLarge { size, limit: LIMIT }) => size,
        other => panic!("it is not too large: {other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn a_session_that_would_be_too_large_is_not_changed() -> Result<(), SessionError> {
    let fixture = limited();
    let size = too_large(&fixture, Visit::new()).await;
    assert!((1_200..1_300).contains(&size), "{size}");
    assert_eq!(fixture.sessions().await, 0);

    let id = fixture.stored([("user", json!("ada"))]).await;
    too_large(&fixture, id.clone()).await;
    assert_eq!(fixture.shown(&id).await, Some(values([("user", json!("ada"))])));
    assert!(fixture.is_free(&id).await);
    assert_eq!(fixture.calls.of(Operation::Commit), 0);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn the_limit_itself_is_allowed() -> Result<(), SessionError> {
    let fixture = limited();
    let id = fixture.stored([]).await;
    let set = async |length: usize| {
        let session = &fixture.session;
        session
            .enter(id.clone().into(), async { session.set("x", "x".repeat(length)) })
            .await?;
        Ok(())
    };
    set(100).await?;
    let stored = async || fixture.record(&id).await.map(|record| record.payload.len());
    let overhead = stored().await.expect("it is stored") - 100 + 1; // The length then takes one byte more.
    set(LIMIT - overhead).await?;
    assert_eq!(stored().await, Some(LIMIT));
    assert_fails!(
        set(LIMIT - overhead + 1).await,
        SessionError::TooLarge {
            size: 1_001,
            limit: LIMIT
        }
    );
    assert_eq!(stored().await, Some(LIMIT));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_value_that_is_too_large_alone_is_refused_when_it_is_set() -> Result<(), SessionError> {
    let fixture = limited();
    let session = &fixture.session;
    let work = async {
        let set = session.set("x", "x".repeat(LIMIT));
        assert_fails!(
            set,
            SessionError::TooLarge {
                size: 1_002,
                limit: LIMIT
            }
        );
        let updated = session.update("x", |value| *value = json!("x".repeat(LIMIT)));
        assert_fails!(updated, SessionError::TooLarge { .. });
        assert!(session.keys()?.is_empty());
        session.set("y", 1)
    };
    session.enter(Visit::new(), work).await?;
    Ok(())
}

/// Stores a session that exceeds the limit, as if the limit had been lowered since.
async fn larger_than_allowed(fixture: &Fixture) -> SessionId {
    fixture
        .stored_as(Expiration::Never, [("big", json!("x".repeat(2_000))), ("n", json!(1))])
        .await
}

#[tokio::test(start_paused = true)]
async fn a_session_above_the_limit_can_be_written_unless_it_grows() -> Result<(), SessionError> {
    let fixture = limited();
    let session = &fixture.session;
    let id = larger_than_allowed(&fixture).await;
    let work = async {
        session.set("n", 2)?;
        session.regenerate_id()?;
        session.close().await?;
        session.id().ok_or(SessionError::Gone)
    };
    let id = session.enter(id.into(), work).await?.output;
    let grow = session.enter(id.clone().into(), async { session.set("m", "more") });
    assert_fails!(grow.await, SessionError::TooLarge { .. });
    session
        .enter(id.clone().into(), async { session.set("big", "small") })
        .await?;
    let shown = fixture.shown(&id).await;
    assert_eq!(shown, Some(values([("big", json!("small")), ("n", json!(2))])));
    let again = session.enter(id.into(), async { session.set("big", "x".repeat(2_000)) });
    assert_fails!(again.await, SessionError::TooLarge { .. });
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn the_default_limit_is_one_mebibyte() -> Result<(), SessionError> {
    let fixture = fixture();
    let session = &fixture.session;
    let set = async |length: usize| {
        session
            .enter(Visit::new(), async { session.set("x", "x".repeat(length)) })
            .await?;
        Ok(())
    };
    set(1_000_000).await?;
    assert_fails!(set(1 << 20).await, SessionError::TooLarge { limit: 1_048_576, .. });
    Ok(())
}
