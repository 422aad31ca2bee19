//! A task is no activity of the client.

use std::time::Duration;

use serde_json::json;
use sessile_core::{Expiration, HOUR, MINUTE, Meta, Record, SessionError, SessionId, Storage};

use super::add;
use crate::common::*;

async fn meta(fixture: &Fixture, id: &SessionId) -> Meta {
    fixture.record(id).await.expect("it is there").meta
}

async fn sliding(fixture: &Fixture, window: Duration) -> SessionId {
    fixture
        .stored_as(Expiration::sliding(window), [("count", json!(0))])
        .await
}

#[tokio::test(start_paused = true)]
async fn a_task_that_writes_moves_no_sliding_expiration() -> Result<(), SessionError> {
    let fixture = fixture();
    let session = &fixture.session;
    let id = sliding(&fixture, 10 * MINUTE).await;
    let before = meta(&fixture, &id).await;
    pass(9 * MINUTE).await;
    session.run_in(&id.key(), async || add(session)).await?;
    let after = meta(&fixture, &id).await;
    assert_eq!(
        (after.last_active, after.deadline),
        (before.last_active, before.deadline)
    );
    assert_eq!(after.version, before.version + 1);

    pass(MINUTE - ms(1)).await;
    session.run_in(&id.key(), async || add(session)).await?;
    pass(ms(1)).await;
    assert_fails!(
        session.run_in(&id.key(), async || add(session)).await,
        SessionError::Gone
    );

    // A visit of the client does move it.
    let id = sliding(&fixture, 10 * MINUTE).await;
    pass(9 * MINUTE).await;
    session.enter(id.clone().into(), async { add(session) }).await?;
    pass(9 * MINUTE).await;
    session.run_in(&id.key(), async || add(session)).await?;
    Ok(())
}

/// Every write of a client moves the last activity of a session in which nothing slides.
#[tokio::test(start_paused = true)]
async fn a_task_that_writes_does_not_move_the_last_activity() -> Result<(), SessionError> {
    let fixture = fixture();
    let session = &fixture.session;
    let id = fixture.stored([("count", json!(0))]).await;
    let before = meta(&fixture, &id).await;
    pass(MINUTE).await;
    let shown = session.run_in(&id.key(), async || {
        add(session)?;
        session.close().await?;
        Ok(session.last_active_at())
    });
    assert_eq!(shown.await?, Some(before.last_active.into()));
    let after = meta(&fixture, &id).await;
    assert_eq!(
        (after.last_active, after.deadline),
        (before.last_active, before.deadline)
    );
    session.enter(id.clone().into(), async { add(session) }).await?;
    assert_eq!(meta(&fixture, &id).await.last_active, fixture.now());
    Ok(())
}

/// The ways of a task to the storage that could move something: at the start, at the end, in a transaction.
#[tokio::test(start_paused = true)]
async fn a_task_moves_nothing_in_any_other_way() -> Result<(), SessionError> {
    let fixture = fixture();
    let session = &fixture.session;
    let id = sliding(&fixture, 10 * MINUTE).await;
    let before = meta(&fixture, &id).await;
    let unmoved = async || {
        let now = meta(&fixture, &id).await;
        assert_eq!((now.last_active, now.deadline), (before.last_active, before.deadline));
        pass(MINUTE + secs(1)).await;
    };
    unmoved().await;
    session.run_in(&id.key(), async || session.get("count")).await?;
    unmoved().await;
    let slow = async || {
        pass(MINUTE + secs(1)).await;
        session.get("count")
    };
    session.run_in(&id.key(), slow).await?;
    unmoved().await;
    let several = async || {
        session.release().await?;
        session.start_passive().await?;
        session.transaction(async || add(session)).await?;
        session.transaction_exclusive(async || add(session)).await?;
        session.start().await?;
        add(session)?;
        pass(ms(1)).await;
        Err::<(), _>(SessionError::NotInitialised)
    };
    assert_fails!(session.run_in(&id.key(), several).await, SessionError::NotInitialised);
    unmoved().await;
    let failing = async || Err::<(), _>(SessionError::NotInitialised);
    assert_fails!(session.run_in(&id.key(), failing).await, SessionError::NotInitialised);
    unmoved().await;
    Ok(())
}

/// Renewing the lock of a running task does not keep its session alive either.
#[tokio::test(start_paused = true)]
async fn a_session_that_idles_out_under_a_task_is_gone() {
    let fixture = fixture();
    let session = &fixture.session;
    let id = sliding(&fixture, MINUTE).await;
    let task = session.run_in(&id.key(), async || {
        pass(MINUTE + secs(1)).await;
        add(session)
    });
    assert_fails!(task.await, SessionError::Gone);
}

#[tokio::test(start_paused = true)]
async fn a_task_outlasts_the_lease_of_its_lock() -> Result<(), SessionError> {
    let fixture = fixture();
    let session = &fixture.session;
    let id = fixture.stored([("count", json!(0))]).await;
    let task = async || {
        pass(MINUTE).await;
        assert!(!fixture.is_free(&id).await);
        add(session)
    };
    session.run_in(&id.key(), task).await?;
    Ok(())
}

/// An expiration that a task sets is exact, also in a session that has been idle for long.
#[tokio::test(start_paused = true)]
async fn an_expiration_that_a_task_sets_begins_then() -> Result<(), SessionError> {
    let fixture = fixture_with(|builder| builder.max_idle(2 * HOUR));
    let session = &fixture.session;
    for (expiration, lives) in [
        (Expiration::After(5 * MINUTE), 5 * MINUTE),
        (Expiration::sliding(5 * MINUTE).into(), 5 * MINUTE),
        (Expiration::sliding(10 * HOUR).at_most(7 * MINUTE).into(), 7 * MINUTE),
        // The idle limit of all sessions counts from the last activity.
        (Expiration::After(5 * HOUR), HOUR),
        (Expiration::Never, HOUR),
    ] {
        let id = sliding(&fixture, 2 * HOUR).await;
        pass(HOUR).await;
        let before = meta(&fixture, &id).await;
        session
            .run_in(&id.key(), async || session.set_expiration(expiration))
            .await?;
        let after = meta(&fixture, &id).await;
        assert_eq!(after.last_active, before.last_active);
        assert_eq!(after.deadline, Some(fixture.now() + lives), "{expiration:?}");
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_value_that_a_task_sets_expires_on_time() -> Result<(), SessionError> {
    let fixture = fixture();
    let session = &fixture.session;
    let id = sliding(&fixture, HOUR).await;
    pass(30 * MINUTE).await;
    let set = async || session.set_with_expiration("notice", json!(1), Expiration::After(5 * MINUTE));
    session.run_in(&id.key(), set).await?;
    let get = async || session.run_in(&id.key(), async || session.get("notice")).await;
    pass(5 * MINUTE - ms(1)).await;
    assert_eq!(get().await?, Some(json!(1)));
    pass(ms(1)).await;
    assert_eq!(get().await?, None);
    Ok(())
}

/// A task gives a session no default expiration, which would end sessions that have been idle for long.
#[tokio::test(start_paused = true)]
async fn a_session_without_an_expiration_stays_without() -> Result<(), SessionError> {
    let fixture = fixture_with(|builder| builder.default_expiration(Expiration::sliding(MINUTE)).max_idle(None));
    let session = &fixture.session;
    let id = unknown_id();
    // The record of a version that gave it no lifetime: without values and namespaces.
    let record = Record::new(Meta::new(fixture.now()), &b"S\x01\x00\x00\x00"[..]);
    fixture.storage.create(&id.key(), record).await?;
    pass(HOUR).await;
    session.run_in(&id.key(), async || add(session)).await?;
    assert_eq!(meta(&fixture, &id).await.deadline, None);
    Ok(())
}

/// A task also writes what it removes because it has expired, and only that.
#[tokio::test(start_paused = true)]
async fn a_task_removes_expired_values_without_moving_the_others() -> Result<(), SessionError> {
    let fixture = fixture();
    let session = &fixture.session;
    let id = sliding(&fixture, HOUR).await;
    let prepare = async {
        session.set_with_expiration("short", json!(1), Expiration::sliding(5 * MINUTE))?;
        session.set_with_expiration("long", json!(1), Expiration::sliding(20 * MINUTE))
    };
    session.enter(id.clone().into(), prepare).await?;
    let before = meta(&fixture, &id).await;
    pass(10 * MINUTE).await;
    session.run_in(&id.key(), async || add(session)).await?;
    let names: Vec<_> = fixture.shown(&id).await.expect("it is there").into_keys().collect();
    assert_eq!(names, ["count", "long"]);
    assert_eq!(meta(&fixture, &id).await.last_active, before.last_active);
    pass(10 * MINUTE).await;
    let long = session.run_in(&id.key(), async || session.get("long")).await?;
    assert_eq!(long, None);
    Ok(())
}
