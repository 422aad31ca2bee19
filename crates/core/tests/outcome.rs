//! What the client is told when a visit ends.

mod common;

use std::time::Duration;

use common::*;
use serde_json::json;
use sessile_core::{
    DAY, Expiration, HOUR, IdChange, InSession, MINUTE, OpenVisit, Outcome, SessionError, SessionId, ShownWindow,
    StorageErrorKind, Visit, WindowChange,
};
use sessile_testkit::{Fault, Verb};

/// Runs work in an open visit, ends it, and returns what the client is told.
async fn outcome(
    world: &World,
    visit: impl Into<Visit>,
    work: impl Future<Output = Result<(), SessionError>>,
) -> Result<Outcome, SessionError> {
    let visit = world.session.open(visit.into());
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
async fn a_visit_that_leaves_its_session_alone_has_nothing_to_say() -> Result<(), SessionError> {
    let world = world();
    let id = world.stored([("user", json!(7))]).await;
    for visit in [Visit::new(), Visit::from(id), Visit::from(unknown_id())] {
        let told = outcome(&world, visit, async { Ok(()) }).await?;
        assert_eq!(told.id, IdChange::Keep);
        assert_eq!((told.window, told.candidate), (WindowChange::Keep, None));
        assert_eq!((told.read, told.written), (false, false));
    }
    world.calls.assert_none();
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_visit_that_only_reads_keeps_the_id() -> Result<(), SessionError> {
    let world = world();
    let id = world.stored([("user", json!(7))]).await;
    let told = outcome(&world, id, async { world.session.start_readonly().await }).await?;
    assert_eq!(told.id, IdChange::Keep);
    assert_eq!((told.window, told.candidate), (WindowChange::Keep, Some(0)));
    assert_eq!((told.read, told.written), (true, false));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_new_session_sets_its_id_for_as_long_as_it_lives() -> Result<(), SessionError> {
    let world = world();
    let session = &world.session;
    let date = time::OffsetDateTime::from(world.now() + HOUR);
    for (expiration, expected) in [
        (Expiration::Never, Some(Duration::MAX)),
        (Expiration::Transient, None),
        (Expiration::After(MINUTE), Some(MINUTE)),
        (Expiration::At(date), Some(HOUR)),
        // Idleness is for the server to notice.
        (Expiration::sliding(MINUTE).into(), Some(Duration::MAX)),
        (Expiration::sliding(MINUTE).at_most(secs(10)).into(), Some(secs(10))),
        (Expiration::sliding(MINUTE).or_transient().into(), None),
    ] {
        let told = outcome(&world, Visit::new(), async {
            session.start().await?;
            session.set_expiration(expiration)
        });
        let told = told.await?;
        assert!(told.written);
        assert_eq!(max_age(told.clone()), expected, "{expiration:?}");
        assert!(world.record(&id_of(told)).await.is_some());
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_window_is_named_as_long_as_anything_ends_with_it() -> Result<(), SessionError> {
    let world = world();
    let session = &world.session;
    let id = world.stored([("user", json!(7))]).await;
    let told = outcome(&world, id.clone(), async {
        session.start().await?;
        session
            .namespace("any")
            .set_with_expiration("x", json!(1), Expiration::Transient)
    });
    let WindowChange::Set(window) = told.await?.window else {
        panic!("the client has to know of the window")
    };
    let read = |shown| {
        outcome(&world, Visit::from(id.clone()).window(shown), async {
            session.start_readonly().await
        })
    };
    // The client is told until it shows that it knows.
    assert_eq!(read(ShownWindow::Nothing).await?.window, WindowChange::Set(window));
    assert_eq!(read(ShownWindow::Open(window)).await?.window, WindowChange::Keep);
    let told = outcome(&world, id.clone(), async {
        session.start().await?;
        session.namespace("any").destroy().map(drop)
    });
    assert_eq!(told.await?.window, WindowChange::Keep);
    assert_eq!(read(ShownWindow::Nothing).await?.window, WindowChange::Keep);
    assert_eq!(read(ShownWindow::Open(window)).await?.window, WindowChange::Remove);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_change_that_moves_no_deadline_keeps_the_id() -> Result<(), SessionError> {
    let world = world();
    let session = &world.session;
    let id = world.stored([("user", json!(7))]).await;
    let told = outcome(&world, id, async {
        session.start().await?;
        session.set("user", json!(8))
    });
    let told = told.await?;
    assert_eq!(told.id, IdChange::Keep);
    assert_eq!((told.read, told.written), (true, true));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn an_end_that_slides_is_not_told() -> Result<(), SessionError> {
    let world = world();
    let session = &world.session;
    let id = world.stored_as(Expiration::sliding(MINUTE), []).await;
    pass(secs(30)).await;
    let told = outcome(&world, id.clone(), async { session.start_readonly().await }).await?;
    assert_eq!((told.id, told.written), (IdChange::Keep, false));
    // At the end of a visit it moves as well.
    let told = outcome(&world, id.clone(), async {
        session.start_readonly().await?;
        pass(secs(30)).await;
        Ok(())
    });
    assert_eq!(told.await?.id, IdChange::Keep);
    assert_eq!(world.record(&id).await.unwrap().meta.last_active, world.now());
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn an_expiration_that_was_set_is_told_whatever_becomes_of_the_deadline() -> Result<(), SessionError> {
    let world = world();
    let session = &world.session;
    let id = world.stored_as(Expiration::Transient, []).await;
    for (expiration, expected) in [
        // "Remember me": the deadline stays what it was, and the cookie must not go with the window any more.
        (Expiration::Never, Some(Duration::MAX)),
        (Expiration::Transient, None),
        (Expiration::sliding(MINUTE).at_most(HOUR).into(), Some(HOUR)),
    ] {
        let told = outcome(&world, id.clone(), async {
            session.start().await?;
            session.set_expiration(expiration)
        });
        let told = told.await?;
        assert_eq!(id_of(told.clone()), id);
        assert_eq!(max_age(told), expected, "{expiration:?}");
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn the_memory_of_an_id_is_renewed_now_and_then() -> Result<(), SessionError> {
    for idle in [Some(400 * DAY), None] {
        let world = world_with(|builder| builder.max_idle(idle));
        let session = &world.session;
        for expiration in [Expiration::Never, Expiration::sliding(150 * DAY).into()] {
            let id = world.stored_as(expiration, []).await;
            let mut told_at = Vec::new();
            for day in (9..=450).step_by(9) {
                pass(9 * DAY).await;
                let told = outcome(&world, id.clone(), async { session.start_readonly().await }).await?;
                if told.id != IdChange::Keep {
                    assert_eq!(max_age(told), Some(Duration::MAX));
                    told_at.push(day);
                }
            }
            // A browser forgets a cookie after 400 days.
            assert_eq!(told_at.len(), 4, "{expiration:?}: {told_at:?}");
        }
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn an_id_in_a_form_that_goes_out_of_use_is_told_anew_if_it_names_the_session() -> Result<(), SessionError> {
    let world = world();
    let id = world.stored([("user", json!(7))]).await;
    let told = |visit: Visit| outcome(&world, visit, async { world.session.start_readonly().await });
    assert_eq!(id_of(told(Visit::from(id.clone()).renew(0)).await?), id);
    assert_eq!(told(Visit::from(id.clone()).renew(1)).await?.id, IdChange::Keep);
    assert_eq!(told(Visit::from(id.clone()).renew(64)).await?.id, IdChange::Keep);
    let second = Visit::from(unknown_id()).or(id.clone());
    assert_eq!(told(second.clone().renew(0)).await?.id, IdChange::Keep);
    assert_eq!(id_of(told(second.renew(1)).await?), id);
    assert_eq!(told(Visit::from(unknown_id()).renew(0)).await?.id, IdChange::Keep);

    // Who does not look does not know, and who was overtaken has nothing to say.
    let untouched = outcome(&world, Visit::from(id.clone()).renew(0), async { Ok(()) });
    assert_eq!(untouched.await?.id, IdChange::Keep);
    let overtaken = outcome(&world, Visit::from(id.clone()).renew(0), async {
        world.session.start_readonly().await?;
        destroy_elsewhere(&world, &id).await?;
        assert!(matches!(world.session.start().await, Err(SessionError::Gone)));
        Ok(())
    });
    assert_eq!(overtaken.await?.id, IdChange::Keep);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn an_unknown_id_is_left_alone_or_replaced() -> Result<(), SessionError> {
    let world = world();
    let session = &world.session;
    let told = outcome(&world, unknown_id(), async { session.start_readonly().await }).await?;
    // By the time this answer arrives, the client may carry another.
    assert_eq!((told.id, told.candidate), (IdChange::Keep, None));
    let told = outcome(&world, unknown_id(), async { session.start().await }).await?;
    assert_eq!((told.id, told.written), (IdChange::Keep, false));
    let unknown = unknown_id();
    let told = outcome(&world, unknown.clone(), async {
        session.start().await?;
        session.set("user", json!(7))
    });
    assert_ne!(id_of(told.await?), unknown);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_destroyed_session_is_removed_and_its_successor_set() -> Result<(), SessionError> {
    let world = world();
    let session = &world.session;
    let id = world.stored([("user", json!(7))]).await;
    let told = outcome(&world, id, async { session.destroy().await }).await?;
    assert_eq!((told.id, told.read, told.written), (IdChange::Remove, true, true));

    let id = world.stored([("user", json!(7))]).await;
    let told = outcome(&world, id.clone(), async {
        session.start().await?;
        session.destroy().await?;
        session.start().await?;
        session.set("user", json!(8))
    });
    let new = id_of(told.await?);
    assert_ne!(new, id);
    assert_eq!(world.shown(&new).await, Some(values([("user", json!(8))])));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn destroying_what_was_never_stored_says_nothing() -> Result<(), SessionError> {
    let world = world();
    let told = outcome(&world, Visit::new(), async {
        world.session.start().await?;
        world.session.destroy().await
    });
    assert_eq!(told.await?.id, IdChange::Keep);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_session_found_gone_at_close_keeps_the_id() -> Result<(), SessionError> {
    let world = world();
    let session = &world.session;
    let id = world.stored([("user", json!(7))]).await;
    let visit = session.open(id.clone().into());
    let work = async {
        session.start().await?;
        session.set("user", json!(8))?;
        destroy_elsewhere(&world, &id).await
    };
    work.in_session(visit.handle()).await?;
    assert_fails!(visit.close().await, SessionError::Gone);
    assert_eq!(visit.outcome().id, IdChange::Keep);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_session_found_gone_keeps_the_id_even_if_it_was_to_be_renewed() -> Result<(), SessionError> {
    let world = world();
    let session = &world.session;
    let id = world.stored([]).await;
    pass(101 * DAY).await;
    let told = outcome(&world, id.clone(), async {
        session.start_readonly().await?;
        destroy_elsewhere(&world, &id).await?;
        assert_fails!(session.start().await, SessionError::Gone);
        Ok(())
    });
    assert_eq!(told.await?.id, IdChange::Keep);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_session_found_gone_is_not_told_even_if_this_visit_has_made_it() -> Result<(), SessionError> {
    let world = world();
    let session = &world.session;
    let visit = session.open(Visit::new());
    let work = async {
        session.start().await?;
        session.set("user", json!(7))?;
        session.close().await?;
        session.start().await?;
        session.set("user", json!(8))?;
        let id = session.id().ok_or(SessionError::Gone)?;
        destroy_elsewhere(&world, &id).await
    };
    work.in_session(visit.handle()).await?;
    assert_fails!(visit.close().await, SessionError::Gone);
    assert_eq!(visit.outcome().id, IdChange::Keep);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_session_that_expires_during_the_visit_keeps_the_id() -> Result<(), SessionError> {
    let world = world();
    let session = &world.session;
    let id = world.stored_as(Expiration::After(MINUTE), [("user", json!(7))]).await;
    let told = outcome(&world, id, async {
        session.start_readonly().await?;
        pass(MINUTE).await;
        assert_fails!(session.get("user"), SessionError::Gone);
        Ok(())
    });
    assert_eq!(told.await?.id, IdChange::Keep);
    Ok(())
}

async fn destroy_elsewhere(world: &World, id: &SessionId) -> Result<(), SessionError> {
    let other = world.elsewhere();
    other.init(id.clone().into(), async { other.destroy().await }).await?
}

/// Gives the session a new id in a visit of its own.
async fn rotate(world: &World, id: &SessionId) -> Result<SessionId, SessionError> {
    let told = outcome(world, id.clone(), async {
        world.session.start().await?;
        world.session.regenerate_id()
    });
    Ok(id_of(told.await?))
}

#[tokio::test(start_paused = true)]
async fn a_new_id_is_set_and_parallel_visits_leave_it_alone() -> Result<(), SessionError> {
    let world = world();
    let session = &world.session;
    let id = world.stored([("user", json!(7))]).await;
    let new = rotate(&world, &id).await?;
    assert_eq!(world.shown(&new).await, Some(values([("user", json!(7))])));

    let told = outcome(&world, id.clone(), async { session.start_readonly().await }).await?;
    assert_eq!((told.id, told.read), (IdChange::Keep, true));

    let visit = session.open(id.clone().into());
    let work = async {
        session.start().await?;
        session.set("user", json!(8))
    };
    work.in_session(visit.handle()).await?;
    assert_fails!(visit.close().await, SessionError::Superseded);
    assert_eq!(visit.outcome().id, IdChange::Keep);

    // Ending it ends the session that the client means, wherever that has moved.
    let told = outcome(&world, id.clone(), async { session.destroy().await }).await?;
    assert_eq!((told.id, told.written), (IdChange::Remove, true));
    assert_eq!(world.record(&new).await, None);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_client_that_was_never_told_its_new_id_can_begin_anew_at_once() -> Result<(), SessionError> {
    let world = world();
    let session = &world.session;
    for started in [false, true] {
        let id = world.stored([("user", json!(7))]).await;
        let lost = rotate(&world, &id).await?;
        let told = outcome(&world, id, async {
            if started {
                session.start().await?;
            }
            session.destroy().await?;
            session.start().await?;
            session.set("user", json!(8))
        });
        let new = id_of(told.await?);
        assert_eq!(world.shown(&new).await, Some(values([("user", json!(8))])));
        assert_eq!(world.record(&lost).await, None);
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn an_alias_keeps_the_id_unless_it_changes_again() -> Result<(), SessionError> {
    let world = world_with(|builder| builder.rotation_grace(secs(10)));
    let session = &world.session;
    let id = world.stored_as(Expiration::sliding(MINUTE), []).await;
    let new = rotate(&world, &id).await?;
    pass(secs(9)).await;
    // The end moves, but to say so under the old id would undo the new one.
    let told = outcome(&world, id.clone(), async { session.start_readonly().await }).await?;
    assert_eq!(told.id, IdChange::Keep);

    let newest = rotate(&world, &id).await?;
    assert!(newest != new && newest != id);
    assert!(world.record(&newest).await.is_some());
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_new_id_that_could_not_be_stored_is_not_told() -> Result<(), SessionError> {
    let world = world();
    let session = &world.session;
    let id = world.stored([("user", json!(7))]).await;
    let visit = session.open(id.clone().into());
    let work = async {
        session.start().await?;
        session.regenerate_id()
    };
    work.in_session(visit.handle()).await?;
    let down = Fault::before(StorageErrorKind::Unavailable);
    world.faults.fail_next(Verb::Rotate, down);
    assert_fails!(visit.close().await, SessionError::Storage(_));
    assert_eq!(visit.outcome().id, IdChange::Keep);
    assert_eq!(visit.handle().enter(|| session.id()), Some(id.clone()));
    assert_eq!(world.shown(&id).await, Some(values([("user", json!(7))])));
    Ok(())
}

/// Whether the visit has nothing to do when it is closed, and when it is released. It may be sealed by that.
fn idle(visit: &OpenVisit) -> (bool, bool) {
    (visit.end_at_once(true).is_some(), visit.end_at_once(false).is_some())
}

#[tokio::test(start_paused = true)]
async fn a_visit_ends_at_once_if_that_asks_the_storage_for_nothing() -> Result<(), SessionError> {
    let world = world();
    let session = &world.session;
    let id = world.stored_as(Expiration::sliding(MINUTE), []).await;

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
    // Whoever closes it now is to be told that the value was lost.
    assert_eq!(idle(&visit), (false, true));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_visit_that_is_dropped_gives_its_lock_back_and_writes_nothing() -> Result<(), SessionError> {
    let world = world();
    let session = &world.session;
    let id = world.stored([("user", json!(7))]).await;
    let visit = session.open(id.clone().into());
    let work = async {
        session.start().await?;
        session.set("user", json!(8))
    };
    work.in_session(visit.handle()).await?;
    assert!(!world.is_free(&id).await);
    drop(visit);
    assert!(world.is_free(&id).await);
    assert_eq!(world.shown(&id).await, Some(values([("user", json!(7))])));
    Ok(())
}
