//! Records that are wholly or partly corrupt.

mod common;

use common::*;
use serde_json::json;
use sessile_core::{Meta, Record, SessionError, SessionId, Storage, UnreadablePolicy, Visit};

/// Stores a record with a corrupt payload.
async fn corrupt(fixture: &Fixture) -> SessionId {
    with_payload(fixture, b"S\x01 this is not a record".to_vec()).await
}

async fn with_payload(fixture: &Fixture, payload: Vec<u8>) -> SessionId {
    let id = unknown_id();
    let record = Record::new(Meta::new(fixture.now()), payload);
    fixture.storage.create(&id.key(), record).await.expect("the id is new");
    id
}

/// Stores a record with two valid values, of which the second slides out after ten seconds, and a corrupt namespace.
async fn half_corrupt(fixture: &Fixture) -> SessionId {
    let ten_seconds = [0x90, 0x4e];
    let mut payload = vec![b'S', 1, 1, 0];
    payload.extend([2, 1, b'a', 0, 1, b'1', 1, b'b', 1]);
    payload.extend(ten_seconds);
    payload.extend([1, b'2']);
    payload.extend([1, 1, b'n', 0, 0, 1, 99]);
    with_payload(fixture, payload).await
}

#[tokio::test(start_paused = true)]
async fn starting_fails_and_keeps_the_record() -> Result<(), SessionError> {
    let fixture = fixture();
    let session = &fixture.session;
    let id = corrupt(&fixture).await;
    let before = fixture.record(&id).await;
    fixture
        .visit(id.clone(), async {
            assert_fails!(session.start_readonly().await, SessionError::Unreadable(_));
            assert_fails!(session.start().await, SessionError::Unreadable(_));
            let update = session.transaction_exclusive(async || session.set("a", json!(1)));
            assert_fails!(update.await, SessionError::Unreadable(_));
            assert!(!session.is_active());
            assert!(fixture.is_free(&id).await);
            Ok(())
        })
        .await?;
    assert_eq!(fixture.record(&id).await, before);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn the_policy_can_drop_the_record_and_start_without_a_session() -> Result<(), SessionError> {
    let fixture = fixture_with(|builder| builder.on_unreadable(UnreadablePolicy::Drop));
    let session = &fixture.session;
    for lock in [false, true] {
        let id = corrupt(&fixture).await;
        fixture
            .visit(id.clone(), async {
                if lock {
                    session.start().await?;
                } else {
                    session.start_readonly().await?;
                }
                assert!(session.is_active() && !session.exists());
                Ok(())
            })
            .await?;
        assert_eq!(fixture.record(&id).await, None);
        let strict = Visit::attach(corrupt(&fixture).await);
        assert_fails!(
            fixture.visit(strict, async { session.start().await }).await,
            SessionError::Unknown
        );
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_corrupt_namespace_fails_only_calls_that_access_it() -> Result<(), SessionError> {
    let fixture = fixture();
    let session = &fixture.session;
    let id = half_corrupt(&fixture).await;
    session
        .enter(id.clone().into(), async {
            assert_eq!(session.keys()?, ["a", "b"]);
            let namespace = session.namespace("n");
            assert_fails!(namespace.get("x"), SessionError::Unreadable(_));
            assert_fails!(namespace.set("x", json!(1)), SessionError::Unreadable(_));
            assert_fails!(namespace.keys(), SessionError::Unreadable(_));
            session.set("a", json!(3))
        })
        .await?;
    assert_eq!(fixture.shown(&id).await.expect("it is there")["a"], json!(3));
    // Destroying the namespace does not read it.
    session
        .enter(id.clone().into(), async {
            assert!(session.namespace("n").destroy()?);
            assert_eq!(session.namespace("n").get("x")?, None);
            Ok(())
        })
        .await?;
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_close_that_cannot_be_prepared_leaves_the_visit_readable_and_unlocked() -> Result<(), SessionError> {
    let fixture = fixture();
    let session = &fixture.session;
    let id = half_corrupt(&fixture).await;
    fixture
        .visit(id.clone(), async {
            session.start().await?;
            // Values that have expired by now would have to be removed from every namespace.
            pass(secs(10)).await;
            session.set("a", json!(3))?;
            assert_fails!(session.close().await, SessionError::Unreadable(_));
            assert!(session.is_readable() && !session.is_writable());
            assert_eq!(session.get("a")?, Some(json!(1)));
            assert!(fixture.is_free(&id).await);
            Ok(())
        })
        .await
}

#[tokio::test(start_paused = true)]
async fn the_policy_applies_to_corruption_found_while_removing_expired_values() -> Result<(), SessionError> {
    for policy in [UnreadablePolicy::Fail, UnreadablePolicy::Drop] {
        for lock in [false, true] {
            let fixture = fixture_with(|builder| builder.on_unreadable(policy));
            let session = &fixture.session;
            let id = half_corrupt(&fixture).await;
            pass(secs(10)).await;
            let start = async {
                match lock {
                    false => session.start_readonly().await,
                    true => session.start().await,
                }
            };
            let started = fixture.visit(id.clone(), start).await;
            match policy {
                UnreadablePolicy::Drop => started?,
                _ => assert_fails!(started, SessionError::Unreadable(_)),
            }
            assert_eq!(fixture.record(&id).await.is_some(), policy == UnreadablePolicy::Fail);
            if policy == UnreadablePolicy::Fail {
                assert!(fixture.is_free(&id).await);
            }
        }
    }
    Ok(())
}
