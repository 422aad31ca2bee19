//! New ids: known immediately, stored by the close, which invalidates the old one.

mod common;

use common::*;
use serde_json::json;
use sessile_core::{Expiration, IdChange, InSession, MINUTE, SessionError, SessionId, StorageErrorKind, Visit};
use sessile_testkit::{Fault, Operation};

/// Gives the session a new id.
async fn rotate(fixture: &Fixture, id: &SessionId) -> Result<SessionId, SessionError> {
    let session = &fixture.session;
    let work = async {
        session.regenerate_id()?;
        session.close().await?;
        session.id().ok_or(SessionError::Gone)
    };
    Ok(session.enter(id.clone().into(), work).await?.output)
}

#[tokio::test(start_paused = true)]
async fn the_new_id_is_known_at_once_and_the_record_moves_at_the_close() -> Result<(), SessionError> {
    let fixture = fixture();
    let session = &fixture.session;
    let id = fixture.stored([("user", json!(7))]).await;
    let created = fixture.record(&id).await.expect("it is there").meta.created_at;
    pass(MINUTE).await;
    let work = async {
        session.start().await?;
        session.set("role", json!("admin"))?;
        session.regenerate_id()?;
        let new = session.id().ok_or(SessionError::Gone)?;
        assert_ne!(new, id);
        assert_eq!(fixture.record(&new).await, None);
        assert!(fixture.record(&id).await.is_some());
        fixture.calls.reset();
        session.close().await?;
        assert_eq!(fixture.calls.take(), [(Operation::Rotate, 1)]);
        assert_eq!(session.id(), Some(new.clone()));
        assert_eq!(session.key(), Some(new.key()));
        assert_eq!(session.get("user")?, Some(json!(7)));
        assert_eq!(session.created_at(), Some(created.into()));
        // The visit continues under the new id.
        session
            .transaction_exclusive(async || session.set("more", json!(1)))
            .await?;
        Ok(new)
    };
    let new = fixture.visit(id.clone(), work).await?;
    assert_eq!(fixture.record(&id).await, None);
    let expected = values([("user", json!(7)), ("role", json!("admin")), ("more", json!(1))]);
    assert_eq!(fixture.shown(&new).await, Some(expected));
    assert!(fixture.is_free(&new).await);
    assert_eq!(id.key().shard(), new.key().shard());
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn the_last_of_several_new_ids_counts() -> Result<(), SessionError> {
    let fixture = fixture();
    let session = &fixture.session;
    let id = fixture.stored([]).await;
    let work = async {
        session.regenerate_id()?;
        let first = session.id();
        session.regenerate_id()?;
        assert_ne!(session.id(), first);
        session.close().await?;
        session.id().ok_or(SessionError::Gone)
    };
    let new = session.enter(id.clone().into(), work).await?.output;
    assert!(fixture.record(&new).await.is_some());
    assert_eq!(fixture.sessions().await, 1);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_virtual_session_is_stored_under_the_id_that_was_announced() -> Result<(), SessionError> {
    let fixture = fixture();
    let session = &fixture.session;
    let work = async {
        session.start().await?;
        session.regenerate_id()?;
        let announced = session.id().ok_or(SessionError::Gone)?;
        assert!(session.exists());
        fixture.calls.assert_none();
        session.close().await?;
        assert_eq!(session.id(), Some(announced.clone()));
        Ok(announced)
    };
    let id = fixture.visit(Visit::new(), work).await?;
    assert!(fixture.record(&id).await.is_some());
    // If it exists already, it is not replaced without the application noticing.
    let work = async {
        session.start().await?;
        session.regenerate_id()?;
        fixture
            .faults
            .fail_next(Operation::Create, Fault::before(StorageErrorKind::Exists));
        assert_fails!(session.close().await, SessionError::Storage(_));
        assert!(!session.exists());
        Ok(())
    };
    fixture.visit(Visit::new(), work).await?;
    assert_eq!(fixture.sessions().await, 1);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_new_id_needs_a_writable_visit() -> Result<(), SessionError> {
    let fixture = fixture();
    let session = &fixture.session;
    let id = fixture.stored([]).await;
    let work = async {
        assert_fails!(session.regenerate_id(), SessionError::NotStarted);
        session.start_readonly().await?;
        assert_fails!(session.regenerate_id(), SessionError::NotWritable);
        session.transaction_exclusive(async || session.regenerate_id()).await?;
        assert_ne!(session.id(), Some(id.clone()));
        assert_fails!(session.regenerate_id(), SessionError::NotWritable);
        Ok(())
    };
    fixture.visit(id.clone(), work).await
}

#[tokio::test(start_paused = true)]
async fn a_failure_keeps_the_old_id_valid() -> Result<(), SessionError> {
    let fixture = fixture();
    let session = &fixture.session;
    for kind in [
        StorageErrorKind::Unavailable,
        StorageErrorKind::Exists,
        StorageErrorKind::Full,
    ] {
        let id = fixture.stored([("user", json!(7))]).await;
        let work = async {
            session.start().await?;
            session.set("user", json!(8))?;
            session.regenerate_id()?;
            let announced = session.id().ok_or(SessionError::Gone)?;
            fixture.faults.fail_next(Operation::Rotate, Fault::before(kind));
            assert_fails!(session.close().await, SessionError::Storage(_));
            assert_eq!(session.id(), Some(id.clone()));
            assert_eq!(session.key(), Some(id.key()));
            assert_eq!(session.get("user")?, Some(json!(7)));
            assert!(fixture.is_free(&id).await);
            assert_eq!(fixture.record(&announced).await, None);
            // The next close does not move it either.
            session
                .transaction_exclusive(async || session.set("user", json!(9)))
                .await?;
            assert_eq!(session.id(), Some(id.clone()));
            Ok(())
        };
        fixture.visit(id.clone(), work).await?;
        assert_eq!(fixture.shown(&id).await, Some(values([("user", json!(9))])));
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn the_old_id_is_invalid_at_once_and_a_visit_with_it_starts_empty() -> Result<(), SessionError> {
    let fixture = fixture();
    let session = &fixture.session;
    let id = fixture.stored([("user", json!(7))]).await;
    let new = rotate(&fixture, &id).await?;
    for lock in [false, true] {
        let work = async {
            match lock {
                false => session.start_readonly().await?,
                true => session.start().await?,
            }
            assert!(session.is_active() && !session.exists());
            assert_eq!(session.get("user")?, None);
            session.close().await
        };
        fixture.visit(id.clone(), work).await?;
    }
    assert_eq!(fixture.sessions().await, 1);
    assert_eq!(fixture.shown(&new).await, Some(values([("user", json!(7))])));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_visit_with_the_old_id_that_changes_anything_fails_to_close() -> Result<(), SessionError> {
    let fixture = fixture();
    let session = &fixture.session;
    let id = fixture.stored([("user", json!(7))]).await;
    let new = rotate(&fixture, &id).await?;
    let work = async {
        session.start().await?;
        session.set("user", json!(8))?;
        assert_fails!(session.close().await, SessionError::Superseded);
        assert!(session.is_readable() && !session.is_writable());
        assert_eq!(session.get("user")?, None);
        let transaction = session.transaction_exclusive(async || session.set("user", json!(8)));
        assert_fails!(transaction.await, SessionError::Superseded);
        Ok(())
    };
    fixture.visit(id, work).await?;
    assert_eq!(fixture.sessions().await, 1);
    assert_eq!(fixture.shown(&new).await, Some(values([("user", json!(7))])));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_strict_visit_with_the_old_id_fails() -> Result<(), SessionError> {
    let fixture = fixture();
    let id = fixture.stored([]).await;
    rotate(&fixture, &id).await?;
    let strict = fixture.visit(Visit::attach(id), async { fixture.session.start_readonly().await });
    assert_fails!(strict.await, SessionError::Superseded);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_visit_that_has_read_before_fails_and_keeps_the_loaded_data() -> Result<(), SessionError> {
    let fixture = fixture();
    let session = &fixture.session;
    let id = fixture.stored([("user", json!(7))]).await;
    let work = async {
        session.start_readonly().await?;
        rotate_elsewhere(&fixture, &id).await?;
        assert_eq!(session.get("user")?, Some(json!(7)));
        assert_fails!(session.start().await, SessionError::Superseded);
        let transaction = session.transaction_exclusive(async || session.set("user", json!(8)));
        assert_fails!(transaction.await, SessionError::Superseded);
        Ok(())
    };
    fixture.visit(id.clone(), work).await?;
    assert_eq!(fixture.sessions().await, 1);
    Ok(())
}

async fn rotate_elsewhere(fixture: &Fixture, id: &SessionId) -> Result<(), SessionError> {
    let other = fixture.other_session();
    other.enter(id.clone().into(), async { other.regenerate_id() }).await?;
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_visit_that_waits_for_the_lock_meanwhile_starts_empty() -> Result<(), SessionError> {
    let fixture = fixture();
    let session = &fixture.session;
    let id = fixture.stored([("user", json!(7))]).await;
    let rotating = session.enter(id.clone().into(), async {
        pass(secs(1)).await;
        session.regenerate_id()
    });
    let waiting = session.init(id.clone().into(), async {
        pass(ms(1)).await;
        session.start().await?;
        assert!(!session.exists());
        session.set("user", json!(8))?;
        assert_fails!(session.close().await, SessionError::Superseded);
        Ok::<_, SessionError>(())
    });
    let (rotated, waited) = tokio::join!(rotating, waiting);
    rotated.and(waited?)?;
    assert_eq!(fixture.sessions().await, 1);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn during_the_grace_the_old_id_leads_to_the_session_and_not_after() -> Result<(), SessionError> {
    let fixture = fixture_with(|builder| builder.rotation_grace(secs(10)));
    let session = &fixture.session;
    let id = fixture.stored([("user", json!(7))]).await;
    let new = rotate(&fixture, &id).await?;
    pass(secs(10) - ms(1)).await;
    let work = async {
        session.start_readonly().await?;
        assert_eq!(session.get("user")?, Some(json!(7)));
        assert_eq!(session.id(), Some(id.clone()));
        assert_eq!(session.key(), Some(new.key()));
        session
            .transaction_exclusive(async || session.set("user", json!(8)))
            .await
    };
    fixture.visit(id.clone(), work).await?;
    assert_eq!(fixture.shown(&new).await, Some(values([("user", json!(8))])));
    pass(ms(1)).await;
    let work = async {
        session.start_readonly().await?;
        assert!(!session.exists());
        session.get("user")
    };
    assert_eq!(fixture.visit(id, work).await?, None);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn destroying_by_an_alias_destroys_the_session() -> Result<(), SessionError> {
    let fixture = fixture_with(|builder| builder.rotation_grace(secs(10)));
    let id = fixture.stored([("user", json!(7))]).await;
    let new = rotate(&fixture, &id).await?;
    fixture.visit(id, async { fixture.session.destroy().await }).await?;
    assert_eq!(fixture.record(&new).await, None);
    assert_eq!(fixture.sessions().await, 0);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_foreign_id_is_exchanged_like_any_other() -> Result<(), SessionError> {
    let fixture = fixture();
    let foreign = SessionId::parse("an.id_that-came.from-elsewhere_and.is-long").expect("it is well formed");
    let own = fixture.stored([("user", json!(7))]).await;
    let record = fixture.record(&own).await.expect("it is there");
    use sessile_core::Storage;
    fixture.storage.create(&foreign.key(), record).await?;
    let new = rotate(&fixture, &foreign).await?;
    assert_eq!(new.expose().len(), SessionId::LEN);
    assert_eq!(fixture.record(&foreign).await, None);
    assert_eq!(fixture.shown(&new).await, Some(values([("user", json!(7))])));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_refresh_during_the_grace_does_not_restore_the_old_id() -> Result<(), SessionError> {
    let fixture = fixture_with(|builder| builder.rotation_grace(secs(10)));
    let session = &fixture.session;
    let id = fixture.stored([("user", json!(7))]).await;
    let visit = session.open(id.clone().into());
    session.start_readonly().in_session(visit.handle()).await?;
    let new = rotate(&fixture, &id).await?;
    let work = async {
        session.refresh().await?;
        session.start().await?;
        session.set_expiration(Expiration::After(secs(3_600)))
    };
    work.in_session(visit.handle()).await?;
    visit.close().await?;
    // The client was told the new one.
    assert_eq!(visit.outcome().id, IdChange::Keep);
    assert!(fixture.record(&new).await.is_some());
    Ok(())
}
