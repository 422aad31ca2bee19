//! Closing and releasing: what reaches the storage, when, and what can be read afterwards.

mod common;

use common::*;
use serde_json::json;
use sessile_core::{Entropy, Expiration, MINUTE, SessionError, StorageErrorKind, Visit};
use sessile_testkit::{Fault, Operation};

#[tokio::test(start_paused = true)]
async fn nothing_is_stored_before_the_close_and_everything_in_one_step() -> Result<(), SessionError> {
    let fixture = fixture();
    let session = &fixture.session;
    let id = fixture.stored([("user", json!(7))]).await;
    let work = async {
        session.start().await?;
        session.set("user", json!(8))?;
        session.namespace("n").set("x", json!(1))?;
        session.set_expiration(Expiration::After(MINUTE))?;
        assert_eq!(fixture.shown(&id).await, Some(values([("user", json!(7))])));
        fixture.calls.reset();
        session.close().await?;
        assert_eq!(fixture.calls.take(), [(Operation::Commit, 1)]);
        Ok(())
    };
    fixture.visit(id.clone(), work).await?;
    fixture.calls.assert_none();
    assert_eq!(fixture.shown(&id).await, Some(values([("user", json!(8))])));
    assert_eq!(fixture.shown_in(&id, Some("n")).await, Some(values([("x", json!(1))])));
    let record = fixture.record(&id).await.expect("it is there");
    assert_eq!(record.meta.deadline, Some(fixture.now() + MINUTE));
    assert_eq!(record.meta.version, 2);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn after_the_close_the_visit_reads_what_was_written_and_writes_no_more() -> Result<(), SessionError> {
    let fixture = fixture();
    let session = &fixture.session;
    let id = fixture.stored([("user", json!(7))]).await;
    let work = async {
        session.start().await?;
        session.set("user", json!(8))?;
        session.namespace("n").set("x", json!(1))?;
        session.close().await?;
        assert!(fixture.is_free(&id).await);
        assert!(session.is_active() && session.is_readable() && !session.is_writable());
        assert_eq!(session.get("user")?, Some(json!(8)));
        assert_eq!(session.namespace("n").get("x")?, Some(json!(1)));
        for _ in 0..2 {
            assert_fails!(session.set("user", json!(9)), SessionError::NotWritable);
            assert_fails!(session.unset("user"), SessionError::NotWritable);
            assert_fails!(session.update("user", |_| ()), SessionError::NotWritable);
            assert_fails!(session.set_expiration(Expiration::Never), SessionError::NotWritable);
            assert_fails!(
                session.set_key_expiration("user", Expiration::Never),
                SessionError::NotWritable
            );
            assert_fails!(session.namespace("n").destroy(), SessionError::NotWritable);
            assert_fails!(session.regenerate_id(), SessionError::NotWritable);
            session.close().await?;
        }
        assert_eq!(session.get_or_insert_with("user", || json!(9))?, json!(8));
        assert_fails!(
            session.get_or_insert_with("none", || json!(9)),
            SessionError::NotWritable
        );
        Ok(())
    };
    fixture.visit(id.clone(), work).await?;
    assert_eq!(fixture.shown(&id).await, Some(values([("user", json!(8))])));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn data_that_was_not_changed_is_not_written() -> Result<(), SessionError> {
    let fixture = fixture();
    let session = &fixture.session;
    let id = fixture.stored([("user", json!(7))]).await;
    let before = fixture.record(&id).await;
    let work = async {
        session.start().await?;
        session.set("user", json!(7))?;
        session.update("user", |_| ())?;
        session.unset("none")?;
        session.get_or_insert_with("user", || json!(9))?;
        session.set_key_expiration("none", Expiration::Never)?;
        session.namespace("none").unset("none")?;
        session.namespace("none").destroy()?;
        fixture.calls.reset();
        session.close().await?;
        assert_eq!(fixture.calls.take(), [(Operation::Release, 1)]);
        Ok(())
    };
    fixture.visit(id.clone(), work).await?;
    assert_eq!(fixture.record(&id).await, before);
    assert!(fixture.is_free(&id).await);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_session_is_virtual_until_it_is_closed_with_something_in_it() -> Result<(), SessionError> {
    let fixture = fixture();
    let session = &fixture.session;
    let work = async {
        session.start().await?;
        session.close().await?;
        session.start().await?;
        assert!(session.is_writable());
        session.close().await?;
        assert!(!session.exists());
        fixture.calls.assert_none();
        session.start().await?;
        session.set("user", json!(7))?;
        assert!(!session.exists());
        fixture.calls.assert_none();
        session.close().await?;
        assert_eq!(fixture.calls.take(), [(Operation::Create, 1)]);
        let id = session.id().ok_or(SessionError::Gone)?;
        assert_eq!(session.key(), Some(id.key()));
        assert_eq!(session.created_at(), Some(fixture.now().into()));
        assert_eq!(session.get("user")?, Some(json!(7)));
        // From here on it is a session like any other.
        session.start().await?;
        session.set("user", json!(8))?;
        session.close().await?;
        assert_eq!(fixture.calls.take(), [(Operation::Lock, 1), (Operation::Commit, 1)]);
        assert_eq!(session.id(), Some(id.clone()));
        Ok(id)
    };
    let id = fixture.visit(Visit::new(), work).await?;
    assert_eq!(id.expose().len(), sessile_core::SessionId::LEN);
    assert_eq!(fixture.shown(&id).await, Some(values([("user", json!(8))])));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_virtual_session_that_is_left_without_a_close_was_never_there() -> Result<(), SessionError> {
    let fixture = fixture();
    let session = &fixture.session;
    let work = async {
        session.start().await?;
        session.set("user", json!(7))?;
        session.release().await?;
        assert!(session.is_readable() && !session.is_writable());
        assert_eq!(session.get("user")?, None);
        session.start().await?;
        session.set("user", json!(8))
    };
    fixture.visit(Visit::new(), work).await?;
    fixture.calls.assert_none();
    assert_eq!(fixture.sessions().await, 0);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn release_unlocks_undoes_and_keeps_what_was_loaded_readable() -> Result<(), SessionError> {
    let fixture = fixture();
    let session = &fixture.session;
    let id = fixture
        .stored_as(Expiration::After(MINUTE), [("user", json!(7)), ("gone", json!(1))])
        .await;
    fixture.calls.reset();
    let expiration = Some(Expiration::At((fixture.now() + MINUTE).into()));
    let work = async {
        session.start().await?;
        session.set("user", json!(8))?;
        session.unset("gone")?;
        session.set_expiration(Expiration::Never)?;
        session.namespace("n").set("x", json!(1))?;
        session.regenerate_id()?;
        session.release().await?;
        assert_eq!(fixture.calls.take(), [(Operation::Lock, 1), (Operation::Release, 1)]);
        assert!(fixture.is_free(&id).await);
        assert!(session.is_readable() && !session.is_writable());
        assert_eq!(session.get("user")?, Some(json!(7)));
        assert_eq!(session.get("gone")?, Some(json!(1)));
        assert_eq!(session.namespace("n").get("x")?, None);
        assert_eq!(session.expiration(), expiration);
        assert_eq!(session.id(), Some(id.clone()));
        // A second release does nothing, and a later close has nothing to write.
        session.release().await?;
        session.close().await?;
        fixture.calls.assert_none();
        Ok(())
    };
    fixture.visit(id.clone(), work).await?;
    let expected = values([("user", json!(7)), ("gone", json!(1))]);
    assert_eq!(fixture.shown(&id).await, Some(expected));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn release_does_nothing_in_a_visit_that_is_not_writable() -> Result<(), SessionError> {
    let fixture = fixture();
    let session = &fixture.session;
    let id = fixture.stored([("user", json!(7))]).await;
    let work = async {
        session.release().await?;
        session.start_readonly().await?;
        session.release().await?;
        session.close().await?;
        assert!(session.is_readable());
        assert_eq!(fixture.calls.take(), [(Operation::Read, 1)]);
        Ok(())
    };
    fixture.visit(id, work).await
}

#[tokio::test(start_paused = true)]
async fn a_close_that_fails_undoes_unlocks_and_can_be_made_good() -> Result<(), SessionError> {
    use StorageErrorKind::{Denied, Full, Other, Timeout, Unavailable};
    let fixture = fixture();
    let session = &fixture.session;
    for kind in [Unavailable, Timeout, Full, Denied, Other] {
        let id = fixture.stored([("user", json!(7))]).await;
        let work = async {
            session.start().await?;
            session.set("user", json!(8))?;
            fixture.faults.fail_next(Operation::Commit, Fault::before(kind));
            let error = session.close().await.expect_err("the storage fails");
            assert!(
                matches!(&error, SessionError::Storage(error) if error.kind() == kind),
                "{error:?}"
            );
            assert!(session.is_readable() && !session.is_writable());
            assert_eq!(session.get("user")?, Some(json!(7)));
            assert!(fixture.is_free(&id).await);
            assert_eq!(fixture.shown(&id).await, Some(values([("user", json!(7))])));
            session.start().await?;
            session.set("user", json!(8))?;
            session.close().await
        };
        fixture.visit(id.clone(), work).await?;
        assert_eq!(fixture.shown(&id).await, Some(values([("user", json!(8))])));
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_commit_whose_reply_is_lost_is_complete_and_leaves_no_lock() -> Result<(), SessionError> {
    let fixture = fixture();
    let session = &fixture.session;
    let id = fixture.stored([("user", json!(7))]).await;
    let work = async {
        session.start().await?;
        session.set("user", json!(8))?;
        session.set("more", json!(9))?;
        fixture
            .faults
            .fail_next(Operation::Commit, Fault::after(StorageErrorKind::Timeout));
        assert_fails!(session.close().await, SessionError::Storage(_));
        assert!(fixture.is_free(&id).await);
        // The visit does not know of the commit and shows the old data.
        assert_eq!(session.get("user")?, Some(json!(7)));
        session.start().await?;
        assert_eq!(session.get("user")?, Some(json!(8)));
        Ok(())
    };
    fixture.visit(id.clone(), work).await?;
    let expected = values([("user", json!(8)), ("more", json!(9))]);
    assert_eq!(fixture.shown(&id).await, Some(expected));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_new_session_that_cannot_be_stored_leaves_the_visit_without_one() -> Result<(), SessionError> {
    let fixture = fixture();
    let session = &fixture.session;
    let work = async {
        session.start().await?;
        session.set("user", json!(7))?;
        fixture
            .faults
            .fail_next(Operation::Create, Fault::before(StorageErrorKind::Full));
        assert_fails!(session.close().await, SessionError::Storage(_));
        assert!(session.is_readable() && !session.exists());
        assert_eq!(session.get("user")?, None);
        session.start().await?;
        session.set("user", json!(8))?;
        session.close().await?;
        session.id().ok_or(SessionError::Gone)
    };
    let id = fixture.visit(Visit::new(), work).await?;
    assert_eq!(fixture.shown(&id).await, Some(values([("user", json!(8))])));
    assert_eq!(fixture.sessions().await, 1);
    Ok(())
}

/// A broken source of random bits.
#[derive(Debug)]
struct Stuck;

impl Entropy for Stuck {
    fn fill(&self, bytes: &mut [u8]) {
        bytes.fill(7);
    }
}

#[tokio::test(start_paused = true)]
async fn an_id_that_is_taken_is_an_error_and_the_other_session_stays_as_it_is() -> Result<(), SessionError> {
    let fixture = fixture_with(|builder| builder.entropy(Stuck));
    let session = &fixture.session;
    let store = async |user: u64| {
        let work = async {
            session.set("user", json!(user))?;
            session.close().await?;
            session.id().ok_or(SessionError::Gone)
        };
        let finished = session.enter(Visit::new(), work).await?;
        Ok::<_, SessionError>(finished.output)
    };
    let id = store(7).await?;
    let error = store(8).await.expect_err("the id is taken");
    assert!(
        matches!(&error, SessionError::Storage(error) if error.kind() == StorageErrorKind::Exists),
        "{error:?}"
    );
    assert_eq!(fixture.calls.of(Operation::Create), 2);
    assert_eq!(fixture.shown(&id).await, Some(values([("user", json!(7))])));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_commit_after_the_lock_was_lost_writes_nothing() -> Result<(), SessionError> {
    let fixture = fixture();
    let session = &fixture.session;
    let id = fixture.stored([("user", json!(7))]).await;
    let work = async {
        session.start().await?;
        session.set("user", json!(8))?;
        fixture
            .faults
            .fail_always(Operation::Renew, Fault::before(StorageErrorKind::Unavailable));
        pass(MINUTE).await;
        let other = fixture.other_session();
        other
            .enter(id.clone().into(), async { other.set("user", json!(9)) })
            .await?;
        assert_fails!(session.close().await, SessionError::LockLost);
        assert_eq!(session.get("user")?, Some(json!(7)));
        Ok(())
    };
    fixture.visit(id.clone(), work).await?;
    assert_eq!(fixture.shown(&id).await, Some(values([("user", json!(9))])));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_set_during_a_close_is_refused_and_not_lost_silently() -> Result<(), SessionError> {
    let fixture = fixture();
    let session = &fixture.session;
    let id = fixture.stored([("user", json!(7))]).await;
    fixture.delays.before(Operation::Commit, secs(1));
    let work = async {
        session.start().await?;
        session.set("user", json!(8))?;
        let late = async {
            pass(ms(1)).await;
            assert_eq!(session.get("user")?, Some(json!(8)));
            assert_fails!(session.set("user", json!(9)), SessionError::NotWritable);
            Ok::<_, SessionError>(())
        };
        let (closed, late) = tokio::join!(session.close(), late);
        closed.and(late)
    };
    fixture.visit(id.clone(), work).await?;
    assert_eq!(fixture.shown(&id).await, Some(values([("user", json!(8))])));
    Ok(())
}
