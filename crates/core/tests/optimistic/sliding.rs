//! Updates move sliding expirations and remove expired values.

use serde_json::json;
use sessile_core::{Expiration, MINUTE, SessionError, SessionId};
use sessile_testkit::Verb;

use crate::common::*;
use crate::{Runs, add};

async fn deadline(world: &World, id: &SessionId) -> sessile_core::Timestamp {
    let record = world.record(id).await.expect("it is there");
    record.meta.deadline.expect("it has one")
}

#[tokio::test(start_paused = true)]
async fn sliding_expirations_move_with_and_without_a_change() -> Result<(), SessionError> {
    for changes in [false, true] {
        let world = world();
        let session = &world.session;
        let id = world
            .stored_as(Expiration::sliding(MINUTE), [("count", json!(0))])
            .await;
        pass(secs(30)).await;
        let now = world.now();
        world.calls.reset();
        let update = session.update(async || match changes {
            true => add(session, "count"),
            false => Ok(()),
        });
        world.visit(id.clone(), update).await?;
        let second = if changes { Verb::Replace } else { Verb::Touch };
        assert_eq!(world.calls.take(), [(Verb::Read, 1), (second, 1)]);
        assert_eq!(deadline(&world, &id).await, now + MINUTE);
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_deadline_that_another_visit_moved_is_never_moved_back() -> Result<(), SessionError> {
    for changes in [false, true] {
        let world = world();
        let session = &world.session;
        let id = world
            .stored_as(Expiration::sliding(MINUTE), [("count", json!(0))])
            .await;
        pass(secs(30)).await;
        // The write is planned, and another visit uses the session before it happens.
        world.delays.before(Verb::Replace, secs(20));
        world.delays.before(Verb::Touch, secs(20));
        let update = session.update(async || match changes {
            true => add(session, "count"),
            false => Ok(()),
        });
        let beside = async {
            pass(secs(19)).await;
            let other = world.elsewhere();
            other.init(id.clone().into(), other.start_readonly()).await??;
            Ok::<_, SessionError>(deadline(&world, &id).await)
        };
        let (updated, moved) = tokio::join!(world.visit(id.clone(), update), beside);
        updated?;
        assert!(deadline(&world, &id).await >= moved?);
        let count = values([("count", json!(u64::from(changes)))]);
        assert_eq!(world.shown(&id).await, Some(count));
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn an_expired_value_is_removed_under_the_lock() -> Result<(), SessionError> {
    let world = world();
    let session = &world.session;
    let id = world
        .stored_as(Expiration::sliding(MINUTE), [("count", json!(0))])
        .await;
    let work = async { session.set_with_expiration("dead", json!("d".repeat(100)), Expiration::sliding(secs(10))) };
    session.enter(id.clone().into(), work).await?;
    pass(secs(30)).await;
    world.calls.reset();
    let runs = Runs::default();
    let update = async || {
        runs.next();
        assert_eq!(session.get("dead")?, None);
        add(session, "count")
    };
    world.visit(id.clone(), session.update(update)).await?;
    assert_eq!(runs.count(), 1);
    assert_eq!(world.calls.of(Verb::Lock), 1);
    assert_eq!(world.calls.of(Verb::Replace), 0);
    let record = world.record(&id).await.expect("it is there");
    assert!(record.payload.len() < 100);
    assert_eq!(world.shown(&id).await, Some(values([("count", json!(1))])));
    Ok(())
}
