//! The outcome of a visit: the changes that the client has to be told.

mod common;

use std::time::Duration;

use common::*;
use serde_json::json;
use sessile_core::{
    ActiveVisit, DAY, Expiration, HOUR, IdChange, InSession, MINUTE, Outcome, SessionError, SessionId, ShownWindow,
    StorageErrorKind, Visit, WindowChange,
};
use sessile_testkit::{Fault, Operation};

/// Runs work in an open visit, ends it, and returns the outcome.
async fn outcome(
    fixture: &Fixture,
    visit: impl Into<Visit>,
    work: impl Future<Output = Result<(), SessionError>>,
) -> Result<Outcome, SessionError> {
    let visit = fixture.session.open(visit.into());
    work.in_session(visit.handle()).await?;
    visit.close().await?;
    Ok(visit.outcome())
}

fn max_age(outcome: Outcome) -> Option<Duration> {
    match outcome.id {
        IdChange::Set { max_age, .. } => max_age,
        other => panic!("no id is set: {other:?}"),
    }
}

fn id_of(outcome: Outcome) -> SessionId {
    match outcome.id {
        IdChange::Set { id, .. } => id,
        other => panic!("no id is set: {other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn a_visit_that_does_not_use_its_session_changes_nothing_at_the_client() -> Result<(), SessionError> {
    let fixture = fixture();
    let id = fixture.stored([("user", json!(7))]).await;
    for visit in [Visit::new(), Visit::from(id), Visit::from(unknown_id())] {
        let result = outcome(&fixture, visit, async { Ok(()) }).await?;
        assert_eq!(result.id, IdChange::Keep);
        assert_eq!((result.window, result.candidate), (WindowChange::Keep, None));
        assert_eq!((result.read, result.written), (false, false));
    }
    fixture.calls.assert_none();
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_visit_that_only_reads_keeps_the_id() -> Result<(), SessionError> {
    let fixture = fixture();
    let id = fixture.stored([("user", json!(7))]).await;
    let result = outcome(&fixture, id, async { fixture.session.start_readonly().await }).await?;
    assert_eq!(result.id, IdChange::Keep);
    assert_eq!((result.window, result.candidate), (WindowChange::Keep, Some(0)));
    assert_eq!((result.read, result.written), (true, false));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_new_session_sets_its_id_for_as_long_as_it_lives() -> Result<(), SessionError> {
    let fixture = fixture();
    let session = &fixture.session;
    let date = time::OffsetDateTime::from(fixture.now() + HOUR);
    for (expiration, expected) in [
        (Expiration::Never, Some(Duration::MAX)),
        (Expiration::Transient, None),
        (Expiration::After(MINUTE), Some(MINUTE)),
        (Expiration::At(date), Some(HOUR)),
        // The idle limit is enforced by the server only.
        (Expiration::sliding(MINUTE).into(), Some(Duration::MAX)),
        (Expiration::sliding(MINUTE).at_most(secs(10)).into(), Some(secs(10))),
        (Expiration::sliding(MINUTE).or_transient().into(), None),
    ] {
        let result = outcome(&fixture, Visit::new(), async {
            session.start().await?;
            session.set_expiration(expiration)
        });
        let result = result.await?;
        assert!(result.written);
        assert_eq!(max_age(result.clone()), expected, "{expiration:?}");
        assert!(fixture.record(&id_of(result)).await.is_some());
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_window_is_named_as_long_as_anything_ends_with_it() -> Result<(), SessionError> {
    let fixture = fixture();
    let session = &fixture.session;
    let id = fixture.stored([("user", json!(7))]).await;
    let result = outcome(&fixture, id.clone(), async {
        session.start().await?;
        session
            .namespace("any")
            .set_with_expiration("x", json!(1), Expiration::Transient)
    });
    let WindowChange::Set(window) = result.await?.window else {
        panic!("the client has to know of the window")
    };
    let read = |shown| {
        outcome(&fixture, Visit::from(id.clone()).window(shown), async {
            session.start_readonly().await
        })
    };
    // The client is told until it shows that it knows.
    assert_eq!(read(ShownWindow::Nothing).await?.window, WindowChange::Set(window));
    assert_eq!(read(ShownWindow::Open(window)).await?.window, WindowChange::Keep);
    let result = outcome(&fixture, id.clone(), async {
        session.start().await?;
        session.namespace("any").destroy().map(drop)
    });
    assert_eq!(result.await?.window, WindowChange::Keep);
    assert_eq!(read(ShownWindow::Nothing).await?.window, WindowChange::Keep);
    assert_eq!(read(ShownWindow::Open(window)).await?.window, WindowChange::Remove);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_change_that_moves_no_deadline_keeps_the_id() -> Result<(), SessionError> {
    let fixture = fixture();
    let session = &fixture.session;
    let id = fixture.stored([("user", json!(7))]).await;
    let result = outcome(&fixture, id, async {
        session.start().await?;
        session.set("user", json!(8))
    });
    let result = result.await?;
    assert_eq!(result.id, IdChange::Keep);
    assert_eq!((result.read, result.written), (true, true));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_sliding_expiration_is_not_sent_to_the_client() -> Result<(), SessionError> {
    let fixture = fixture();
    let session = &fixture.session;
    let id = fixture.stored_as(Expiration::sliding(MINUTE), []).await;
    pass(secs(30)).await;
    let result = outcome(&fixture, id.clone(), async { session.start_readonly().await }).await?;
    assert_eq!((result.id, result.written), (IdChange::Keep, false));
    // At the end of a visit it moves as well.
    let result = outcome(&fixture, id.clone(), async {
        session.start_readonly().await?;
        pass(secs(30)).await;
        Ok(())
    });
    assert_eq!(result.await?.id, IdChange::Keep);
    assert_eq!(fixture.record(&id).await.unwrap().meta.last_active, fixture.now());
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_new_expiration_is_sent_to_the_client_even_if_the_deadline_stays() -> Result<(), SessionError> {
    let fixture = fixture();
    let session = &fixture.session;
    let id = fixture.stored_as(Expiration::Transient, []).await;
    for (expiration, expected) in [
        // "Remember me": the deadline stays the same, but the cookie must no longer end with the window.
        (Expiration::Never, Some(Duration::MAX)),
        (Expiration::Transient, None),
        (Expiration::sliding(MINUTE).at_most(HOUR).into(), Some(HOUR)),
    ] {
        let result = outcome(&fixture, id.clone(), async {
            session.start().await?;
            session.set_expiration(expiration)
        });
        let result = result.await?;
        assert_eq!(id_of(result.clone()), id);
        assert_eq!(max_age(result), expected, "{expiration:?}");
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn an_id_is_given_to_the_client_again_periodically() -> Result<(), SessionError> {
    for idle in [Some(400 * DAY), None] {
        let fixture = fixture_with(|builder| builder.max_idle(idle));
        let session = &fixture.session;
        for expiration in [Expiration::Never, Expiration::sliding(150 * DAY).into()] {
            let id = fixture.stored_as(expiration, []).await;
            let mut told_at = Vec::new();
            for day in (9..=450).step_by(9) {
                pass(9 * DAY).await;
                let result = outcome(&fixture, id.clone(), async { session.start_readonly().await }).await?;
                if result.id != IdChange::Keep {
                    assert_eq!(max_age(result), Some(Duration::MAX));
                    told_at.push(day);
                }
            }
            // A browser deletes a cookie after 400 days.
            assert_eq!(told_at.len(), 4, "{expiration:?}: {told_at:?}");
        }
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn an_id_in_an_outdated_form_is_given_again_if_it_names_the_session() -> Result<(), SessionError> {
    let fixture = fixture();
    let id = fixture.stored([("user", json!(7))]).await;
    let renewing = |visit: Visit| outcome(&fixture, visit, async { fixture.session.start_readonly().await });
    assert_eq!(id_of(renewing(Visit::from(id.clone()).renew(0)).await?), id);
    assert_eq!(renewing(Visit::from(id.clone()).renew(1)).await?.id, IdChange::Keep);
    assert_eq!(renewing(Visit::from(id.clone()).renew(64)).await?.id, IdChange::Keep);
    let second = Visit::from(unknown_id()).or(id.clone());
    assert_eq!(renewing(second.clone().renew(0)).await?.id, IdChange::Keep);
    assert_eq!(id_of(renewing(second.renew(1)).await?), id);
    assert_eq!(renewing(Visit::from(unknown_id()).renew(0)).await?.id, IdChange::Keep);

    // A visit that does not look the session up, or was superseded, changes nothing.
    let untouched = outcome(&fixture, Visit::from(id.clone()).renew(0), async { Ok(()) });
    assert_eq!(untouched.await?.id, IdChange::Keep);
    let overtaken = outcome(&fixture, Visit::from(id.clone()).renew(0), async {
        fixture.session.start_readonly().await?;
        destroy_elsewhere(&fixture, &id).await?;
        assert!(matches!(fixture.session.start().await, Err(SessionError::Gone)));
        Ok(())
    });
    assert_eq!(overtaken.await?.id, IdChange::Keep);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn an_unknown_id_is_left_alone_or_replaced() -> Result<(), SessionError> {
    let fixture = fixture();
    let session = &fixture.session;
    let result = outcome(&fixture, unknown_id(), async { session.start_readonly().await }).await?;
    // By the time this response arrives, the client may have another id.
    assert_eq!((result.id, result.candidate), (IdChange::Keep, None));
    let result = outcome(&fixture, unknown_id(), async { session.start().await }).await?;
    assert_eq!((result.id, result.written), (IdChange::Keep, false));
    let unknown = unknown_id();
    let result = outcome(&fixture, unknown.clone(), async {
        session.start().await?;
        session.set("user", json!(7))
    });
    assert_ne!(id_of(result.await?), unknown);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_destroyed_session_is_removed_and_its_successor_set() -> Result<(), SessionError> {
    let fixture = fixture();
    let session = &fixture.session;
    let id = fixture.stored([("user", json!(7))]).await;
    let result = outcome(&fixture, id, async { session.destroy().await }).await?;
    assert_eq!((result.id, result.read, result.written), (IdChange::Remove, true, true));

    let id = fixture.stored([("user", json!(7))]).await;
    let result = outcome(&fixture, id.clone(), async {
        session.start().await?;
        session.destroy().await?;
        session.start().await?;
        session.set("user", json!(8))
    });
    let new = id_of(result.await?);
    assert_ne!(new, id);
    assert_eq!(fixture.shown(&new).await, Some(values([("user", json!(8))])));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn destroying_a_session_that_was_never_stored_changes_nothing_at_the_client() -> Result<(), SessionError> {
    let fixture = fixture();
    let result = outcome(&fixture, Visit::new(), async {
        fixture.session.start().await?;
        fixture.session.destroy().await
    });
    assert_eq!(result.await?.id, IdChange::Keep);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_session_found_gone_at_close_keeps_the_id() -> Result<(), SessionError> {
    let fixture = fixture();
    let session = &fixture.session;
    let id = fixture.stored([("user", json!(7))]).await;
    let visit = session.open(id.clone().into());
    let work = async {
        session.start().await?;
        session.set("user", json!(8))?;
        destroy_elsewhere(&fixture, &id).await
    };
    work.in_session(visit.handle()).await?;
    assert_fails!(visit.close().await, SessionError::Gone);
    assert_eq!(visit.outcome().id, IdChange::Keep);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_session_found_gone_keeps_the_id_even_if_it_was_to_be_renewed() -> Result<(), SessionError> {
    let fixture = fixture();
    let session = &fixture.session;
    let id = fixture.stored([]).await;
    pass(101 * DAY).await;
    let result = outcome(&fixture, id.clone(), async {
        session.start_readonly().await?;
        destroy_elsewhere(&fixture, &id).await?;
        assert_fails!(session.start().await, SessionError::Gone);
        Ok(())
    });
    assert_eq!(result.await?.id, IdChange::Keep);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn the_id_of_a_session_found_gone_is_not_sent_even_if_this_visit_created_it() -> Result<(), SessionError> {
    let fixture = fixture();
    let session = &fixture.session;
    let visit = session.open(Visit::new());
    let work = async {
        session.start().await?;
        session.set("user", json!(7))?;
        session.close().await?;
        session.start().await?;
        session.set("user", json!(8))?;
        let id = session.id().ok_or(SessionError::Gone)?;
        destroy_elsewhere(&fixture, &id).await
    };
    work.in_session(visit.handle()).await?;
    assert_fails!(visit.close().await, SessionError::Gone);
    assert_eq!(visit.outcome().id, IdChange::Keep);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_session_that_expires_during_the_visit_keeps_the_id() -> Result<(), SessionError> {
    let fixture = fixture();
    let session = &fixture.session;
    let id = fixture.stored_as(Expiration::After(MINUTE), [("user", json!(7))]).await;
    let result = outcome(&fixture, id, async {
        session.start_readonly().await?;
        pass(MINUTE).await;
        assert_fails!(session.get("user"), SessionError::Gone);
        Ok(())
    });
    assert_eq!(result.await?.id, IdChange::Keep);
    Ok(())
}

async fn destroy_elsewhere(fixture: &Fixture, id: &SessionId) -> Result<(), SessionError> {
    let other = fixture.other_session();
    other.init(id.clone().into(), async { other.destroy().await }).await?
}

/// Gives the session a new id in a visit of its own.
async fn rotate(fixture: &Fixture, id: &SessionId) -> Result<SessionId, SessionError> {
    let result = outcome(fixture, id.clone(), async {
        fixture.session.start().await?;
        fixture.session.regenerate_id()
    });
    Ok(id_of(result.await?))
}

#[tokio::test(start_paused = true)]
async fn a_new_id_is_set_and_parallel_visits_leave_it_alone() -> Result<(), SessionError> {
    let fixture = fixture();
    let session = &fixture.session;
    let id = fixture.stored([("user", json!(7))]).await;
    let new = rotate(&fixture, &id).await?;
    assert_eq!(fixture.shown(&new).await, Some(values([("user", json!(7))])));

    let result = outcome(&fixture, id.clone(), async { session.start_readonly().await }).await?;
    assert_eq!((result.id, result.read), (IdChange::Keep, true));

    let visit = session.open(id.clone().into());
    let work = async {
        session.start().await?;
        session.set("user", json!(8))
    };
    work.in_session(visit.handle()).await?;
    assert_fails!(visit.close().await, SessionError::Superseded);
    assert_eq!(visit.outcome().id, IdChange::Keep);

    // Destroying it ends the session that the client means, under its current key.
    let result = outcome(&fixture, id.clone(), async { session.destroy().await }).await?;
    assert_eq!((result.id, result.written), (IdChange::Remove, true));
    assert_eq!(fixture.record(&new).await, None);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_client_that_missed_its_new_id_can_begin_a_new_session() -> Result<(), SessionError> {
    let fixture = fixture();
    let session = &fixture.session;
    for started in [false, true] {
        let id = fixture.stored([("user", json!(7))]).await;
        let lost = rotate(&fixture, &id).await?;
        let result = outcome(&fixture, id, async {
            if started {
                session.start().await?;
            }
            session.destroy().await?;
            session.start().await?;
            session.set("user", json!(8))
        });
        let new = id_of(result.await?);
        assert_eq!(fixture.shown(&new).await, Some(values([("user", json!(8))])));
        assert_eq!(fixture.record(&lost).await, None);
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn an_alias_keeps_the_id_unless_it_changes_again() -> Result<(), SessionError> {
    let fixture = fixture_with(|builder| builder.rotation_grace(secs(10)));
    let session = &fixture.session;
    let id = fixture.stored_as(Expiration::sliding(MINUTE), []).await;
    let new = rotate(&fixture, &id).await?;
    pass(secs(9)).await;
    // The deadline moves, but telling it under the old id would overwrite the new one.
    let result = outcome(&fixture, id.clone(), async { session.start_readonly().await }).await?;
    assert_eq!(result.id, IdChange::Keep);

    let newest = rotate(&fixture, &id).await?;
    assert!(newest != new && newest != id);
    assert!(fixture.record(&newest).await.is_some());
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_new_id_that_could_not_be_stored_is_not_sent() -> Result<(), SessionError> {
    let fixture = fixture();
    let session = &fixture.session;
    let id = fixture.stored([("user", json!(7))]).await;
    let visit = session.open(id.clone().into());
    let work = async {
        session.start().await?;
        session.regenerate_id()
    };
    work.in_session(visit.handle()).await?;
    let down = Fault::before(StorageErrorKind::Unavailable);
    fixture.faults.fail_next(Operation::Rotate, down);
    assert_fails!(visit.close().await, SessionError::Storage(_));
    assert_eq!(visit.outcome().id, IdChange::Keep);
    assert_eq!(visit.handle().enter(|| session.id()), Some(id.clone()));
    assert_eq!(fixture.shown(&id).await, Some(values([("user", json!(7))])));
    Ok(())
}

/// Returns whether the visit has nothing to do when it is closed, and when it is released. This may seal it.
fn idle(visit: &ActiveVisit) -> (bool, bool) {
    (
        visit.end_immediately(true).is_some(),
        visit.end_immediately(false).is_some(),
    )
}

#[tokio::test(start_paused = true)]
async fn a_visit_ends_immediately_if_that_needs_no_storage_call() -> Result<(), SessionError> {
    let fixture = fixture();
    let session = &fixture.session;
    let id = fixture.stored_as(Expiration::sliding(MINUTE), []).await;

    let visit = session.open(id.clone().into());
    assert_eq!(idle(&visit), (true, true));
    session.start_readonly().in_session(visit.handle()).await?;
    assert_eq!(idle(&visit), (true, true));
    pass(secs(7)).await;
    assert_eq!(idle(&visit), (false, false));
    session.start().in_session(visit.handle()).await?;
    assert_eq!(idle(&visit), (false, false));
    visit.close().await?;
    assert_eq!(idle(&visit), (true, true));
    session.destroy().in_session(visit.handle()).await?;
    assert_eq!(idle(&visit), (true, true));

    let visit = session.open(Visit::new());
    session.start().in_session(visit.handle()).await?;
    assert_eq!(idle(&visit), (true, true));
    visit.handle().enter(|| session.set("user", json!(7)))?;
    assert_eq!(idle(&visit), (false, true));
    visit.release().await?;
    // The next close has to report that the value was lost.
    assert_eq!(idle(&visit), (false, true));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_visit_that_is_dropped_gives_its_lock_back_and_writes_nothing() -> Result<(), SessionError> {
    let fixture = fixture();
    let session = &fixture.session;
    let id = fixture.stored([("user", json!(7))]).await;
    let visit = session.open(id.clone().into());
    let work = async {
        session.start().await?;
        session.set("user", json!(8))
    };
    work.in_session(visit.handle()).await?;
    assert!(!fixture.is_free(&id).await);
    drop(visit);
    assert!(fixture.is_free(&id).await);
    assert_eq!(fixture.shown(&id).await, Some(values([("user", json!(7))])));
    Ok(())
}
