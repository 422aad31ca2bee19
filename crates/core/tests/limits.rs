//! Limits that apply to every session in addition to its own expiration, and the definition of activity.

mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use common::*;
use serde_json::json;
use sessile_core::{DAY, Expiration, HOUR, InSession, MINUTE, SessionError, SessionId, Visit};
use sessile_testkit::Operation;

/// Returns whether a new visit finds the session. Moves no expiration.
async fn is_there(fixture: &Fixture, id: &SessionId) -> bool {
    let session = &fixture.session;
    let started = session.init(Visit::attach(id.clone()).passive(true), session.start_readonly());
    match started.await.expect("the visit begins") {
        Ok(()) => true,
        Err(SessionError::Unknown | SessionError::Superseded) => false,
        Err(other) => panic!("{other:?}"),
    }
}

async fn create(fixture: &Fixture, expiration: impl Into<Expiration>) -> Result<SessionId, SessionError> {
    let session = &fixture.session;
    let expiration = expiration.into();
    let work = async {
        session.set_expiration(expiration)?;
        session.set("user", json!(7))?;
        session.close().await?;
        session.id().ok_or(SessionError::Gone)
    };
    Ok(session.enter(Visit::new(), work).await?.output)
}

fn endless() -> [Expiration; 4] {
    [
        Expiration::Never,
        Expiration::Transient,
        Expiration::After(10_000 * DAY),
        Expiration::sliding(10_000 * DAY).into(),
    ]
}

#[tokio::test(start_paused = true)]
async fn every_session_ends_after_a_long_time_without_a_visit() -> Result<(), SessionError> {
    for (fixture, idle) in [
        (fixture(), 400 * DAY),
        (fixture_with(|builder| builder.max_idle(HOUR)), HOUR),
    ] {
        for expiration in endless() {
            let id = create(&fixture, expiration).await?;
            pass(idle - ms(1)).await;
            assert!(is_there(&fixture, &id).await, "{expiration:?}");
            pass(ms(1)).await;
            assert!(!is_there(&fixture, &id).await, "{expiration:?}");
            assert_eq!(fixture.record(&id).await, None, "it has expired in the storage too");

            // Regular visits keep it alive.
            let id = create(&fixture, expiration).await?;
            for _ in 0..5 {
                pass(idle / 2).await;
                fixture.visit(id.clone(), fixture.session.start_readonly()).await?;
            }
            assert!(is_there(&fixture, &id).await, "{expiration:?}");
        }
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn every_session_ends_with_its_maximum_lifetime_in_spite_of_visits() -> Result<(), SessionError> {
    let fixture = fixture_with(|builder| builder.max_lifetime(HOUR));
    let session = &fixture.session;
    for expiration in endless() {
        let id = create(&fixture, expiration).await?;
        for _ in 0..3 {
            pass(15 * MINUTE).await;
            fixture.visit(id.clone(), session.start_readonly()).await?;
        }
        // It also ends within a visit, because the limit does not depend on activity.
        let work = async {
            session.start_readonly().await?;
            pass(15 * MINUTE - ms(1)).await;
            assert_eq!(session.get("user")?, Some(json!(7)));
            pass(ms(1)).await;
            assert_fails!(session.get("user"), SessionError::Gone);
            Ok(())
        };
        fixture.visit(id.clone(), work).await?;
        assert!(!is_there(&fixture, &id).await, "{expiration:?}");
        assert_eq!(fixture.record(&id).await, None, "it has expired in the storage too");
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn tighter_limits_apply_to_existing_sessions() -> Result<(), SessionError> {
    for lock in [false, true] {
        let fixture = fixture_with(|builder| builder.max_idle(HOUR).max_lifetime(2 * HOUR));
        let session = &fixture.session;
        // The other instance has no limits.
        let idle = fixture.stored([("user", json!(7))]).await;
        pass(HOUR).await;
        let old = fixture.stored([("user", json!(7))]).await;
        for id in [&idle, &old] {
            let expected = (id == &old).then(|| json!(7));
            let work = async {
                match lock {
                    false => session.start_readonly().await?,
                    true => session.start().await?,
                }
                session.get("user")
            };
            assert_eq!(fixture.visit(id.clone(), work).await?, expected);
            assert!(fixture.is_free(id).await);
        }
        for _ in 0..3 {
            pass(30 * MINUTE).await;
            fixture.visit(old.clone(), session.start_readonly()).await?;
        }
        assert!(is_there(&fixture, &old).await);
        pass(30 * MINUTE).await;
        assert!(!is_there(&fixture, &old).await);
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn authentication_restarts_both_limits_under_a_new_id() -> Result<(), SessionError> {
    let fixture = fixture_with(|builder| {
        builder
            .max_lifetime(DAY)
            .default_expiration(Expiration::sliding(HOUR).at_most(3 * HOUR))
    });
    let session = &fixture.session;
    // An anonymous session, shortly before its end.
    let anonymous = create(&fixture, Expiration::sliding(HOUR).at_most(50 * MINUTE)).await?;
    pass(49 * MINUTE).await;
    let work = async {
        assert_eq!(session.authenticated_at(), None);
        session.mark_authenticated()?;
        session.set("user", json!(8))?;
        session.close().await?;
        assert_eq!(session.authenticated_at(), Some(fixture.now().into()));
        session.id().ok_or(SessionError::Gone)
    };
    let id = session.enter(anonymous.clone().into(), work).await?.output;
    assert_ne!(id, anonymous);
    assert!(!is_there(&fixture, &anonymous).await);

    let begun = fixture.now();
    for _ in 0..5 {
        pass(30 * MINUTE).await;
        fixture.visit(id.clone(), session.start_readonly()).await?;
    }
    pass(30 * MINUTE - ms(1)).await;
    assert!(is_there(&fixture, &id).await);
    pass(ms(1)).await;
    assert_eq!(begun.until(fixture.now()), 3 * HOUR);
    assert!(!is_there(&fixture, &id).await);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn authentication_invalidates_the_old_id_at_once_in_spite_of_grace() -> Result<(), SessionError> {
    let fixture = fixture_with(|builder| builder.rotation_grace(MINUTE));
    let session = &fixture.session;
    for rotate_as_well in [false, true] {
        let before_login = create(&fixture, Expiration::Never).await?;
        let login = async {
            session.mark_authenticated()?;
            if rotate_as_well {
                session.regenerate_id()?;
            }
            Ok(())
        };
        session.enter(before_login.clone().into(), login).await?;
        assert!(!is_there(&fixture, &before_login).await);

        let rotated = create(&fixture, Expiration::Never).await?;
        session
            .enter(rotated.clone().into(), async { session.regenerate_id() })
            .await?;
        assert!(is_there(&fixture, &rotated).await);
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_new_id_alone_restarts_no_limit() -> Result<(), SessionError> {
    let fixture = fixture_with(|builder| builder.max_lifetime(HOUR));
    let session = &fixture.session;
    let mut id = create(&fixture, Expiration::Never).await?;
    for _ in 0..3 {
        pass(15 * MINUTE).await;
        let work = async {
            session.regenerate_id()?;
            session.close().await?;
            session.id().ok_or(SessionError::Gone)
        };
        id = session.enter(id.into(), work).await?.output;
    }
    pass(15 * MINUTE).await;
    assert!(!is_there(&fixture, &id).await);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_visit_longer_than_the_window_still_reads() -> Result<(), SessionError> {
    let fixture = fixture();
    let session = &fixture.session;
    let id = create(&fixture, Expiration::sliding(15 * MINUTE)).await?;
    for others in [true, false] {
        let visit = session.open(id.clone().into());
        let work = async {
            session.start_readonly().await?;
            for _ in 0..2 {
                pass(10 * MINUTE).await;
                if others {
                    let other = fixture.other_session();
                    other.init(id.clone().into(), other.start_readonly()).await??;
                }
            }
            session.get("user")
        };
        assert_eq!(work.in_session(visit.handle()).await?, Some(json!(7)));
        visit.close().await?;
        assert_eq!(visit.outcome().id, sessile_core::IdChange::Keep);
        // The storage ends the session by itself unless other visits keep it alive.
        assert_eq!(is_there(&fixture, &id).await, others);
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_session_idles_out_for_handles_that_outlive_the_visit() -> Result<(), SessionError> {
    let fixture = fixture();
    let session = &fixture.session;
    let id = create(&fixture, Expiration::sliding(15 * MINUTE)).await?;
    let visit = session.open(id.into());
    session.start_readonly().in_session(visit.handle()).await?;
    let handle = visit.handle().clone();
    pass(10 * MINUTE).await;
    visit.close().await?;
    drop(visit);
    pass(15 * MINUTE - ms(1)).await;
    assert_eq!(handle.enter(|| session.get("user"))?, Some(json!(7)));
    pass(ms(1)).await;
    assert_fails!(handle.enter(|| session.get("user")), SessionError::Gone);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_session_does_not_idle_out_while_it_is_locked() -> Result<(), SessionError> {
    // An upload, for example, can take longer than the sliding window.
    let fixture = fixture();
    let session = &fixture.session;
    for passive in [false, true] {
        let id = create(&fixture, Expiration::sliding(15 * MINUTE)).await?;
        let work = async {
            session.start().await?;
            session.set("upload", json!("begun"))?;
            for _ in 0..20 {
                pass(MINUTE).await;
                assert_eq!(session.get("user")?, Some(json!(7)));
            }
            session.set("upload", json!("done"))?;
            session.close().await
        };
        fixture.visit(Visit::from(id.clone()).passive(passive), work).await?;
        let expected = values([("user", json!(7)), ("upload", json!("done"))]);
        assert_eq!(fixture.shown(&id).await, Some(expected));
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_passive_visit_moves_no_expiration() -> Result<(), SessionError> {
    let fixture = fixture();
    let session = &fixture.session;
    for per_call in [false, true] {
        let id = create(&fixture, Expiration::sliding(HOUR)).await?;
        fixture.calls.reset();
        for _ in 0..5 {
            pass(10 * MINUTE).await;
            let visit = Visit::from(id.clone()).passive(!per_call);
            let check = async {
                match per_call {
                    true => session.start_passive().await?,
                    false => session.start_readonly().await?,
                }
                pass(MINUTE).await;
                session.get("user")
            };
            assert_eq!(fixture.visit(visit, check).await?, Some(json!(7)));
        }
        assert_eq!(fixture.calls.of(Operation::Touch), 0);
        pass(10 * MINUTE).await;
        assert!(!is_there(&fixture, &id).await);
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_passive_visit_that_writes_counts_as_activity() -> Result<(), SessionError> {
    let fixture = fixture();
    let session = &fixture.session;
    let id = create(&fixture, Expiration::sliding(HOUR)).await?;
    pass(59 * MINUTE).await;
    let work = async {
        session.start().await?;
        session.set("user", json!(8))?;
        session.close().await
    };
    fixture.visit(Visit::from(id.clone()).passive(true), work).await?;
    pass(59 * MINUTE).await;
    assert!(is_there(&fixture, &id).await);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_commit_keeps_values_that_other_visits_have_kept_alive() -> Result<(), SessionError> {
    let fixture = fixture();
    let session = &fixture.session;
    let id = create(&fixture, Expiration::Never).await?;
    let add = async { session.set_with_expiration("short", json!(1), Expiration::sliding(MINUTE)) };
    session.enter(id.clone().into(), add).await?;
    let work = async {
        session.start().await?;
        for _ in 0..3 {
            pass(secs(30)).await;
            let other = fixture.other_session();
            other.init(id.clone().into(), other.start_readonly()).await??;
        }
        session.set("user", json!(8))?;
        session.close().await
    };
    fixture.visit(id.clone(), work).await?;
    let expected = values([("user", json!(8)), ("short", json!(1))]);
    assert_eq!(fixture.shown(&id).await, Some(expected));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_stored_end_applies_until_another_is_committed() -> Result<(), SessionError> {
    let fixture = fixture();
    let session = &fixture.session;
    let id = create(&fixture, Expiration::After(MINUTE)).await?;
    let work = async {
        session.start().await?;
        session.set_expiration(Expiration::Never)?;
        pass(MINUTE - ms(1)).await;
        assert_eq!(session.get("user")?, Some(json!(7)));
        pass(ms(1)).await;
        // It has expired in the storage.
        assert_fails!(session.get("user"), SessionError::Gone);
        session.close().await
    };
    assert_fails!(fixture.visit(id, work).await, SessionError::Gone);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn the_limits_apply_to_values_before_and_after_they_are_stored() -> Result<(), SessionError> {
    for lifetime in [None, Some(HOUR)] {
        let fixture = fixture_with(|builder| builder.max_idle(DAY).max_lifetime(lifetime));
        let session = &fixture.session;
        let end = fixture.now() + lifetime.unwrap_or(DAY);
        let work = async {
            session.set("user", json!(7))?;
            assert_eq!(session.expires_at("user")?, Some(end.into()));
            session.close().await?;
            assert_eq!(session.expires_at("user")?, Some(end.into()));
            Ok::<_, SessionError>(())
        };
        session.enter(Visit::new(), work).await?;
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_failed_authentication_changes_no_id() -> Result<(), SessionError> {
    let is_over = Arc::new(AtomicBool::new(false));
    let observed = Arc::clone(&is_over);
    let expiration = move || match observed.load(Ordering::SeqCst) {
        true => Expiration::After(ms(0)),
        false => Expiration::Never,
    };
    let fixture = fixture_with(|builder| builder.default_expiration_with(expiration));
    let session = &fixture.session;
    let id = fixture.stored([("user", json!(7))]).await;
    let work = async {
        session.start().await?;
        is_over.store(true, Ordering::SeqCst);
        assert_fails!(session.mark_authenticated(), SessionError::ExpiredDefault(_));
        assert_eq!((session.id(), session.authenticated_at()), (Some(id.clone()), None));
        session.close().await
    };
    fixture.visit(id.clone(), work).await?;
    assert!(fixture.record(&id).await.is_some());
    Ok(())
}
