//! Sliding expirations: what moves them, what that costs, and that nothing that slid out comes back.

mod common;

use common::*;
use serde_json::json;
use sessile_core::{Expiration, HOUR, MINUTE, SessionError, SessionId, Storage, Visit};
use sessile_testkit::Verb;
use tokio::sync::oneshot;

/// A session that slides by the minute, with a value that slides out after ten seconds and one that stays.
async fn with_short_value(world: &World) -> Result<SessionId, SessionError> {
    let session = &world.session;
    let work = async {
        session.set_expiration(Expiration::sliding(MINUTE))?;
        session.set("plain", json!(0))?;
        session.set_with_expiration("short", json!(1), Expiration::sliding(secs(10)))?;
        session.close().await?;
        session.id().ok_or(SessionError::Gone)
    };
    session.enter(Visit::new(), work).await
}

/// Reads one value in a visit of its own.
async fn read(world: &World, id: &SessionId, name: &str) -> Result<Option<serde_json::Value>, SessionError> {
    let session = &world.session;
    world
        .visit(id.clone(), async {
            session.start_readonly().await?;
            session.get(name)
        })
        .await
}

#[tokio::test(start_paused = true)]
async fn what_slid_out_stays_out_when_it_could_not_be_removed_because_others_hold_the_lock() -> Result<(), SessionError>
{
    let world = world();
    let id = with_short_value(&world).await?;
    // With another value that slides, the visit's end has something to move.
    let add = async {
        world
            .session
            .set_with_expiration("long", json!(2), Expiration::sliding(MINUTE))
    };
    world.session.enter(id.clone().into(), add).await?;
    let reading = async {
        pass(secs(11)).await;
        read(&world, &id, "short").await
    };
    assert_eq!(world.while_locked(&id, reading).await?, None);
    pass(secs(1)).await;
    assert_eq!(read(&world, &id, "short").await?, None);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn what_slid_out_is_not_revived_by_a_visit_that_began_before_it_was_set() -> Result<(), SessionError> {
    let world = world();
    let session = &world.session;
    let id = world.stored_as(Expiration::sliding(MINUTE), []).await;
    let (ended, may_end) = oneshot::channel();
    let reader = world.visit(id.clone(), async {
        session.start_readonly().await?;
        may_end.await.expect("it is told");
        Ok(())
    });
    let others = async {
        session
            .enter(id.clone().into(), async {
                session.set_with_expiration("short", json!(1), Expiration::sliding(secs(5)))
            })
            .await?;
        pass(secs(20)).await;
        ended.send(()).expect("it waits");
        Ok::<_, SessionError>(())
    };
    let (reader, others) = tokio::join!(reader, others);
    reader.and(others)?;
    assert_eq!(read(&world, &id, "short").await?, None);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_visit_that_ends_late_does_not_lengthen_a_session_that_others_have_shortened() -> Result<(), SessionError> {
    let world = world();
    let session = &world.session;
    let id = world.stored_as(Expiration::sliding(HOUR), [("user", json!(7))]).await;
    let (ended, may_end) = oneshot::channel();
    let reader = world.visit(id.clone(), async {
        session.start_readonly().await?;
        may_end.await.expect("it is told");
        Ok(())
    });
    let others = async {
        session
            .enter(id.clone().into(), async {
                session.set_expiration(Expiration::After(5 * MINUTE))
            })
            .await?;
        pass(4 * MINUTE).await;
        ended.send(()).expect("it waits");
        Ok::<_, SessionError>(())
    };
    let (reader, others) = tokio::join!(reader, others);
    reader.and(others)?;
    pass(MINUTE).await;
    assert_eq!(world.record(&id).await, None);
    assert_eq!(world.calls.of(Verb::Touch), 0);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_session_that_is_over_is_missing_even_where_a_late_touch_has_kept_its_record() -> Result<(), SessionError> {
    let world = world();
    let session = &world.session;
    for lock in [false, true] {
        let id = world.stored_as(Expiration::After(MINUTE), [("user", json!(7))]).await;
        let late = world.now() + HOUR;
        world.storage.touch(&id.key(), Some(late), world.now()).await?;
        pass(MINUTE).await;

        let strict = world.visit(Visit::attach(id.clone()), async { session.start_readonly().await });
        assert_fails!(strict.await, SessionError::Unknown);
        world
            .visit(id.clone(), async {
                if lock {
                    session.start().await?;
                } else {
                    session.start_readonly().await?;
                }
                assert!(!session.exists());
                assert_eq!(session.get("user")?, None);
                Ok(())
            })
            .await?;
        assert_eq!(world.record(&id).await, None);
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_session_slides_on_while_others_keep_what_slid_out_in_it_from_being_removed() -> Result<(), SessionError> {
    let world = world();
    let id = with_short_value(&world).await?;
    let reading = async {
        for _ in 0..3 {
            pass(secs(50)).await;
            assert_eq!(read(&world, &id, "short").await?, None);
            assert_eq!(read(&world, &id, "plain").await?, Some(json!(0)));
        }
        Ok::<_, SessionError>(())
    };
    world.while_locked(&id, reading).await?;
    assert_eq!(world.shown(&id).await, Some(values([("plain", json!(0))])));
    Ok(())
}
