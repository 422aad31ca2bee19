//! Destroying a session: immediately, regardless of its lock, and permanently.

mod common;

use common::*;
use serde_json::json;
use sessile_core::{Expiration, InSession, MINUTE, SessionError, SessionId, StorageErrorKind, Visit};
use sessile_testkit::{Fault, Operation};

async fn destroy_elsewhere(fixture: &Fixture, id: &SessionId) -> Result<(), SessionError> {
    let other = fixture.other_session();
    other.init(id.clone().into(), async { other.destroy().await }).await?
}

#[tokio::test(start_paused = true)]
async fn a_session_is_destroyed_whether_it_was_started_or_not() -> Result<(), SessionError> {
    let fixture = fixture();
    let session = &fixture.session;
    for start in [None, Some(false), Some(true)] {
        let id = fixture.stored([("user", json!(7))]).await;
        fixture
            .visit(id.clone(), async {
                match start {
                    None => {}
                    Some(false) => session.start_readonly().await?,
                    Some(true) => session.start().await?,
                }
                session.destroy().await?;
                assert!(!session.exists() && !session.is_active() && !session.is_readable() && !session.is_writable());
                assert_eq!((session.id(), session.key(), session.expiration()), (None, None, None));
                assert_eq!((session.created_at(), session.last_active_at()), (None, None));
                assert_fails!(session.get("user"), SessionError::NotStarted);
                assert_fails!(session.set("user", json!(8)), SessionError::NotStarted);
                assert_fails!(session.regenerate_id(), SessionError::NotStarted);
                session.close().await
            })
            .await?;
        assert_eq!(fixture.record(&id).await, None);
        assert_eq!(fixture.calls.of(Operation::Destroy), 1);
        assert_eq!(
            fixture.calls.of(Operation::Release) + fixture.calls.of(Operation::Commit),
            0
        );
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn destroying_waits_for_no_lock_and_the_slow_writer_fails() -> Result<(), SessionError> {
    let fixture = fixture();
    let session = &fixture.session;
    let id = fixture.stored([("user", json!(7))]).await;
    let writer = session.enter(id.clone().into(), async {
        session.set("user", json!(8))?;
        pass(secs(5)).await;
        Ok(())
    });
    let logout = async {
        pass(secs(1)).await;
        let before = fixture.now();
        destroy_elsewhere(&fixture, &id).await?;
        assert_eq!(fixture.now(), before);
        Ok::<_, SessionError>(())
    };
    let (written, destroyed) = tokio::join!(writer, logout);
    destroyed?;
    assert_fails!(written, SessionError::Gone);
    assert_eq!(fixture.record(&id).await, None);
    assert_eq!(fixture.sessions().await, 0);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn afterwards_start_begins_a_new_session_with_a_new_id() -> Result<(), SessionError> {
    let fixture = fixture();
    let session = &fixture.session;
    let id = fixture.stored([("user", json!(7))]).await;
    let new = fixture.visit(id.clone(), async {
        session.start().await?;
        session.destroy().await?;
        session.start().await?;
        assert!(session.is_writable() && !session.exists());
        assert_eq!(session.get("user")?, None);
        session.set("more", json!(8))?;
        session.close().await?;
        session.id().ok_or(SessionError::Gone)
    });
    let new = new.await?;
    assert_ne!(new, id);
    assert_eq!(fixture.record(&id).await, None);
    assert_eq!(fixture.shown(&new).await, Some(values([("more", json!(8))])));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_strict_visit_may_begin_a_new_session_after_destroying() -> Result<(), SessionError> {
    let fixture = fixture();
    let session = &fixture.session;
    let id = fixture.stored([("user", json!(7))]).await;
    fixture
        .visit(Visit::attach(id), async {
            session.destroy().await?;
            session.start().await?;
            assert!(session.is_writable());
            Ok(())
        })
        .await
}

#[tokio::test(start_paused = true)]
async fn only_a_destroy_by_the_visit_itself_allows_a_new_session() -> Result<(), SessionError> {
    let fixture = fixture();
    let session = &fixture.session;
    let id = fixture.stored([("user", json!(7))]).await;
    fixture
        .visit(id.clone(), async {
            session.start_readonly().await?;
            destroy_elsewhere(&fixture, &id).await?;
            for _ in 0..2 {
                assert_fails!(session.start().await, SessionError::Gone);
                let transaction = session.transaction_exclusive(async || session.set("user", json!(8)));
                assert_fails!(transaction.await, SessionError::Gone);
                assert!(!session.is_writable());
            }
            session.destroy().await?;
            session.start().await
        })
        .await?;
    assert_eq!(fixture.sessions().await, 0);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn nothing_that_a_parallel_visit_does_later_brings_the_session_back() -> Result<(), SessionError> {
    let fixture = fixture();
    let session = &fixture.session;
    let id = fixture
        .stored_as(Expiration::sliding(MINUTE), [("user", json!(7))])
        .await;
    let reader = session.open(id.clone().into());
    let writer = session.open(id.clone().into());
    session.start_readonly().in_session(reader.handle()).await?;
    let write = async {
        session.start().await?;
        session.set("user", json!(8))?;
        session.regenerate_id()
    };
    write.in_session(writer.handle()).await?;
    pass(secs(10)).await;
    destroy_elsewhere(&fixture, &id).await?;
    reader.close().await?;
    assert_fails!(writer.close().await, SessionError::Gone);
    assert_eq!(fixture.sessions().await, 0);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn destroying_twice_is_fine() -> Result<(), SessionError> {
    let fixture = fixture();
    let session = &fixture.session;
    let id = fixture.stored([]).await;
    fixture
        .visit(id, async {
            session.destroy().await?;
            session.destroy().await
        })
        .await?;
    fixture.visit(unknown_id(), async { session.destroy().await }).await
}

#[tokio::test(start_paused = true)]
async fn a_destroy_that_fails_leaves_the_visit_as_it_was() -> Result<(), SessionError> {
    let fixture = fixture();
    let session = &fixture.session;
    let id = fixture.stored([("user", json!(7))]).await;
    fixture
        .visit(id.clone(), async {
            session.start().await?;
            session.set("user", json!(8))?;
            let down = Fault::before(StorageErrorKind::Unavailable);
            fixture.faults.fail_next(Operation::Destroy, down);
            assert_fails!(session.destroy().await, SessionError::Storage(_));
            assert!(session.is_writable());
            assert_eq!(session.id(), Some(id.clone()));
            session.close().await
        })
        .await?;
    assert_eq!(fixture.shown(&id).await, Some(values([("user", json!(8))])));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_destroy_whose_reply_is_lost_has_still_destroyed() -> Result<(), SessionError> {
    let fixture = fixture();
    let session = &fixture.session;
    let id = fixture.stored([("user", json!(7))]).await;
    fixture
        .visit(id.clone(), async {
            session.start().await?;
            session.set("user", json!(8))?;
            let lost = Fault::after(StorageErrorKind::Timeout);
            fixture.faults.fail_next(Operation::Destroy, lost);
            assert_fails!(session.destroy().await, SessionError::Storage(_));
            assert_fails!(session.close().await, SessionError::Gone);
            session.destroy().await?;
            session.start().await
        })
        .await?;
    assert_eq!(fixture.record(&id).await, None);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_start_that_is_under_way_fails_and_leaves_no_lock() -> Result<(), SessionError> {
    let fixture = fixture();
    let session = &fixture.session;
    let operations = [(Operation::Lock, true), (Operation::Read, false)];
    let calls = operations
        .into_iter()
        .flat_map(|operation| [(operation, false), (operation, true)]);
    for ((operation, start), slow_reply) in calls {
        let id = fixture.stored([("user", json!(7))]).await;
        match slow_reply {
            false => fixture.delays.before(operation, secs(2)),
            true => fixture.delays.after(operation, secs(2)),
        }
        let visit = fixture.visit(id.clone(), async {
            let start = async {
                match start {
                    true => session.start().await,
                    false => session.start_readonly().await,
                }
            };
            let destroy = async {
                pass(secs(1)).await;
                session.destroy().await
            };
            let (started, destroyed) = tokio::join!(start, destroy);
            assert_fails!(started, SessionError::Gone);
            destroyed?;
            assert!(!session.is_active());
            session.start().await
        });
        visit.await?;
        fixture.delays.clear();
        assert_eq!(fixture.sessions().await, 0);
    }
    Ok(())
}

/// Delays a close, before or after it takes effect, and destroys meanwhile. Nothing may remain.
async fn destroy_during_close(operation: Operation) -> Result<(), SessionError> {
    let fixture = fixture();
    let session = &fixture.session;
    for slow_reply in [false, true] {
        fixture.delays.clear();
        let visit = match operation {
            Operation::Create => Visit::new(),
            _ => fixture.stored([("user", json!(7))]).await.into(),
        };
        match slow_reply {
            false => fixture.delays.before(operation, secs(2)),
            true => fixture.delays.after(operation, secs(2)),
        }
        let visit = fixture.visit(visit, async {
            session.start().await?;
            session.set("user", json!(8))?;
            if operation == Operation::Rotate {
                session.regenerate_id()?;
            }
            let destroy = async {
                pass(secs(1)).await;
                let before = fixture.now();
                session.destroy().await?;
                assert_eq!(fixture.now(), before);
                Ok::<_, SessionError>(())
            };
            let (closed, destroyed) = tokio::join!(session.close(), destroy);
            destroyed?;
            assert!(matches!(closed, Ok(()) | Err(SessionError::Gone)), "{closed:?}");
            assert!(!session.is_active() && !session.exists());
            assert_eq!(fixture.calls.of(operation), 1);
            Ok(())
        });
        visit.await?;
        fixture.calls.reset();
        assert_eq!(fixture.sessions().await, 0, "{operation}, slow reply: {slow_reply}");
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_commit_under_way_in_the_same_visit_brings_nothing_back() -> Result<(), SessionError> {
    destroy_during_close(Operation::Commit).await
}

#[tokio::test(start_paused = true)]
async fn a_new_id_under_way_in_the_same_visit_does_not_outlive_it() -> Result<(), SessionError> {
    destroy_during_close(Operation::Rotate).await
}

#[tokio::test(start_paused = true)]
async fn a_new_session_under_way_in_the_same_visit_does_not_outlive_it() -> Result<(), SessionError> {
    destroy_during_close(Operation::Create).await
}

/// The reply of a login was lost, so the browser still has the replaced id.
#[tokio::test(start_paused = true)]
async fn destroying_by_a_replaced_id_ends_the_session_and_allows_a_new_one() -> Result<(), SessionError> {
    let fixture = fixture();
    let (session, other) = (&fixture.session, fixture.other_session());
    for start in [false, true] {
        let id = fixture.stored([("user", json!(7))]).await;
        let replace = async {
            other.regenerate_id()?;
            other.close().await?;
            Ok::<_, SessionError>(other.id())
        };
        let visit = async {
            if start {
                session.start_readonly().await?;
            }
            let replaced = other.enter(id.clone().into(), replace).await?.output;
            session.destroy().await?;
            session.start().await?;
            session.set("user", json!(8))?;
            session.close().await?;
            Ok((replaced, session.id()))
        };
        let (replaced, begun) = fixture.visit(id.clone(), visit).await?;
        let replaced = replaced.expect("the other visit has an id");
        assert_eq!(
            fixture.record(&replaced).await,
            None,
            "the session lives under its new id"
        );
        let begun = begun.expect("this visit has begun another session");
        assert_eq!(fixture.shown(&begun).await, Some(values([("user", json!(8))])));
    }
    Ok(())
}
