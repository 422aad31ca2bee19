//! Sessions, namespaces and values with every form of expiration end exactly at their deadline.

mod common;

use std::time::Duration;

use common::*;
use serde_json::json;
use sessile_core::{Expiration, HOUR, MINUTE, SessionError, SessionId, Visit};
use time::OffsetDateTime;

/// The item that has the expiration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Target {
    Session,
    Namespace,
    Key,
    KeyInNamespace,
}

const TARGETS: [Target; 4] = [Target::Session, Target::Namespace, Target::Key, Target::KeyInNamespace];

const FORMS: usize = 12;

/// Returns every form, and the time after which it ends without a visit.
fn forms(fixture: &Fixture) -> [(Expiration, Option<Duration>); FORMS] {
    let date = |after| OffsetDateTime::from(fixture.now() + after);
    let sliding = Expiration::sliding;
    [
        (Expiration::Never, None),
        (Expiration::Transient, None),
        (Expiration::At(date(MINUTE)), Some(MINUTE)),
        (Expiration::After(MINUTE), Some(MINUTE)),
        (sliding(MINUTE).into(), Some(MINUTE)),
        (sliding(MINUTE).or_transient().into(), Some(MINUTE)),
        (sliding(MINUTE).until(date(secs(20))).into(), Some(secs(20))),
        (sliding(MINUTE).until(date(HOUR)).into(), Some(MINUTE)),
        (sliding(MINUTE).at_most(secs(20)).into(), Some(secs(20))),
        (sliding(MINUTE).at_most(HOUR).into(), Some(MINUTE)),
        (
            sliding(MINUTE).until(date(secs(30))).at_most(secs(20)).into(),
            Some(secs(20)),
        ),
        (
            sliding(MINUTE).until(date(secs(20))).at_most(secs(30)).into(),
            Some(secs(20)),
        ),
    ]
}

/// Returns whether a session with this expiration ends because of missing visits, and not because of its limit.
fn ends_idle(expiration: Expiration, end: Duration) -> bool {
    matches!(expiration, Expiration::Sliding(_)) && end == MINUTE
}

/// Sets a value, and the expiration of the target.
fn put(fixture: &Fixture, target: Target, expiration: Expiration) -> Result<(), SessionError> {
    let session = &fixture.session;
    let namespace = session.namespace("n");
    match target {
        Target::Session => {
            session.set("x", json!(1))?;
            session.set_expiration(expiration)
        }
        Target::Key => session.set_with_expiration("x", json!(1), expiration),
        Target::Namespace => {
            namespace.set("x", json!(1))?;
            namespace.set_expiration(expiration)
        }
        Target::KeyInNamespace => {
            namespace.set("x", json!(1))?;
            assert!(namespace.set_key_expiration("x", expiration)?);
            Ok(())
        }
    }
}

/// Returns whether the value is there.
fn is_there(fixture: &Fixture, target: Target) -> Result<bool, SessionError> {
    match target {
        Target::Session | Target::Key => fixture.session.contains("x"),
        Target::Namespace | Target::KeyInNamespace => fixture.session.namespace("n").contains("x"),
    }
}

async fn stored(fixture: &Fixture, target: Target, expiration: Expiration) -> Result<SessionId, SessionError> {
    let session = &fixture.session;
    let work = async {
        put(fixture, target, expiration)?;
        session.close().await?;
        session.id().ok_or(SessionError::Gone)
    };
    Ok(session.enter(Visit::new(), work).await?.output)
}

/// Returns whether a new visit finds the value.
async fn is_found(fixture: &Fixture, target: Target, id: &SessionId) -> Result<bool, SessionError> {
    let check = async {
        fixture.session.start_readonly().await?;
        is_there(fixture, target)
    };
    fixture.visit(id.clone(), check).await
}

#[tokio::test(start_paused = true)]
async fn each_form_ends_its_target_at_its_deadline() -> Result<(), SessionError> {
    let fixture = fixture();
    for target in TARGETS {
        for form in 0..FORMS {
            let (expiration, end) = forms(&fixture)[form];
            // Nothing is kept for ever: without a visit every session ends after 400 days.
            let end = end.unwrap_or(9_000 * HOUR);
            let is_endless = end > HOUR;
            let before = stored(&fixture, target, expiration).await?;
            let at = stored(&fixture, target, expiration).await?;
            pass(end - ms(1)).await;
            assert!(
                is_found(&fixture, target, &before).await?,
                "{target:?} {expiration:?}, before"
            );
            pass(ms(1)).await;
            assert_eq!(
                is_found(&fixture, target, &at).await?,
                is_endless,
                "{target:?} {expiration:?}, at"
            );
            let is_kept = target != Target::Session || is_endless;
            assert_eq!(
                fixture.record(&at).await.is_some(),
                is_kept,
                "{target:?} {expiration:?}"
            );
        }
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn each_form_ends_at_its_deadline_within_a_visit_too() -> Result<(), SessionError> {
    let fixture = fixture();
    for target in TARGETS {
        for form in 0..FORMS {
            let (expiration, end) = forms(&fixture)[form];
            let Some(end) = end else { continue };
            let id = stored(&fixture, target, expiration).await?;
            let check = async {
                fixture.session.start_readonly().await?;
                pass(end - ms(1)).await;
                assert!(is_there(&fixture, target)?, "{target:?} {expiration:?}");
                pass(ms(1)).await;
                match target {
                    // A visit in progress is activity.
                    Target::Session if ends_idle(expiration, end) => assert!(is_there(&fixture, target)?),
                    Target::Session => assert_fails!(is_there(&fixture, target), SessionError::Gone),
                    _ => assert!(!is_there(&fixture, target)?, "{target:?} {expiration:?}"),
                }
                Ok(())
            };
            fixture.visit(id, check).await?;
        }
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn values_end_at_their_deadline_in_a_session_that_is_not_stored_yet() -> Result<(), SessionError> {
    let fixture = fixture();
    for target in [Target::Namespace, Target::Key, Target::KeyInNamespace] {
        for form in 0..FORMS {
            let (expiration, end) = forms(&fixture)[form];
            let Some(end) = end else { continue };
            let session = &fixture.session;
            let work = async {
                session.set("stays", json!(0))?;
                put(&fixture, target, expiration)?;
                pass(end - ms(1)).await;
                assert!(is_there(&fixture, target)?, "{target:?} {expiration:?}");
                pass(ms(1)).await;
                assert!(!is_there(&fixture, target)?, "{target:?} {expiration:?}");
                session.close().await?;
                assert!(!is_there(&fixture, target)?, "{target:?} {expiration:?}, closed");
                session.id().ok_or(SessionError::Gone)
            };
            let id = session.enter(Visit::new(), work).await?.output;
            assert!(!is_found(&fixture, target, &id).await?, "{target:?} {expiration:?}");
        }
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_first_visit_may_last_longer_than_the_window_of_its_new_session() -> Result<(), SessionError> {
    let fixture = fixture_with(|builder| builder.default_expiration(Expiration::sliding(MINUTE)));
    let session = &fixture.session;
    for explicit in [false, true] {
        let work = async {
            if explicit {
                session.set_expiration(Expiration::sliding(MINUTE))?;
            }
            session.set("user", json!(7))?;
            pass(2 * MINUTE).await;
            assert_eq!(session.get("user")?, Some(json!(7)));
            session.close().await?;
            session.id().ok_or(SessionError::Gone)
        };
        let id = session.enter(Visit::new(), work).await?.output;
        pass(MINUTE - ms(1)).await;
        assert!(fixture.record(&id).await.is_some());
        pass(ms(1)).await;
        assert!(fixture.record(&id).await.is_none());
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn the_earliest_of_several_ends_applies() -> Result<(), SessionError> {
    let fixture = fixture();
    let session = &fixture.session;
    let lengths = [secs(10), secs(20), secs(30)];
    for (a, b, c) in [(0, 1, 2), (1, 0, 2), (2, 1, 0), (2, 0, 1), (1, 2, 0), (0, 2, 1)] {
        let (whole, namespace, key) = (lengths[a], lengths[b], lengths[c]);
        let work = async {
            session.set_expiration(Expiration::After(whole))?;
            let n = session.namespace("n");
            n.set_expiration(Expiration::sliding(namespace))?;
            n.set_with_expiration("x", json!(1), Expiration::After(key))?;
            session.close().await?;
            session.id().ok_or(SessionError::Gone)
        };
        let id = session.enter(Visit::new(), work).await?.output;
        pass(secs(10) - ms(1)).await;
        let shown = fixture.shown_in(&id, Some("n")).await;
        assert_eq!(shown, Some(values([("x", json!(1))])));
        pass(ms(1)).await;
        let shown = fixture.shown_in(&id, Some("n")).await.unwrap_or_default();
        assert_eq!(shown, values([]), "{whole:?} {namespace:?} {key:?}");
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn no_expiration_is_copied_to_another_target() -> Result<(), SessionError> {
    let fixture = fixture();
    let session = &fixture.session;
    let n = session.namespace("n");
    let work = async {
        session.set_expiration(Expiration::After(secs(20)))?;
        n.set_expiration(Expiration::After(secs(10)))?;
        n.set_with_expiration("x", json!(1), Expiration::After(secs(30)))?;
        session.close().await?;
        session.id().ok_or(SessionError::Gone)
    };
    let id = session.enter(Visit::new(), work).await?.output;
    // With the other expirations removed, only the end of the value itself is left.
    let remove = async {
        n.set_expiration(Expiration::Never)?;
        session.set_expiration(Expiration::Never)
    };
    session.enter(id.clone().into(), remove).await?;
    pass(secs(30) - ms(1)).await;
    let shown = fixture.shown_in(&id, Some("n")).await;
    assert_eq!(shown, Some(values([("x", json!(1))])));
    pass(ms(1)).await;
    let shown = fixture.shown_in(&id, Some("n")).await;
    assert_eq!(shown, Some(values([])));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn set_keeps_an_expiration_and_set_with_expiration_replaces_it() -> Result<(), SessionError> {
    let fixture = fixture();
    let session = &fixture.session;
    let work = async {
        for name in ["kept", "replaced", "removed", "changed", "inserted"] {
            session.set_with_expiration(name, json!(1), Expiration::After(secs(10)))?;
        }
        session.close().await?;
        session.id().ok_or(SessionError::Gone)
    };
    let id = session.enter(Visit::new(), work).await?.output;
    pass(secs(5)).await;
    let change = async {
        session.set("kept", json!(2))?;
        session.set_with_expiration("replaced", json!(2), Expiration::After(secs(10)))?;
        assert!(session.set_key_expiration("removed", Expiration::Never)?);
        session.update("changed", |value| *value = json!(2))?;
        session.get_or_insert_with("inserted", || json!(2)).map(drop)
    };
    session.enter(id.clone().into(), change).await?;
    pass(secs(5)).await;
    let shown = fixture.shown(&id).await.expect("it is there");
    assert_eq!(shown, values([("replaced", json!(2)), ("removed", json!(1))]));
    pass(secs(5)).await;
    let shown = fixture.shown(&id).await.expect("it is there");
    assert_eq!(shown, values([("removed", json!(1))]));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn expired_items_cannot_be_changed() -> Result<(), SessionError> {
    let fixture = fixture();
    let session = &fixture.session;
    let n = session.namespace("n");
    let work = async {
        session.set_with_expiration("x", json!(1), Expiration::After(secs(10)))?;
        n.set("x", json!(1))?;
        n.set_expiration(Expiration::After(secs(10)))?;
        pass(secs(10)).await;
        assert_eq!((session.get("x")?, n.get("x")?), (None, None));
        assert!(!session.contains("x")? && !n.contains("x")?);
        assert!(session.keys()?.is_empty() && n.keys()?.is_empty());
        assert!(!session.unset("x")? && !n.unset("x")?);
        assert!(!session.set_key_expiration("x", Expiration::Never)?);
        assert!(!n.set_key_expiration("x", Expiration::Never)?);
        assert!(!n.destroy()?);
        assert_eq!(session.get_or_insert_with("x", || json!(2))?, json!(2));
        // The old deadline does not apply to the new items.
        n.set("x", json!(3))?;
        pass(HOUR).await;
        assert_eq!((session.get("x")?, n.get("x")?), (Some(json!(2)), Some(json!(3))));
        session.close().await?;
        session.id().ok_or(SessionError::Gone)
    };
    let id = session.enter(Visit::new(), work).await?.output;
    assert_eq!(fixture.shown(&id).await, Some(values([("x", json!(2))])));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn expired_items_leave_the_storage_with_the_next_commit() -> Result<(), SessionError> {
    let fixture = fixture();
    let session = &fixture.session;
    let id = fixture.stored([]).await;
    let empty = fixture.record(&id).await.expect("it is there").payload;
    let fill = async {
        session.set_with_expiration("x", json!("x".repeat(1_000)), Expiration::sliding(secs(10)))?;
        let n = session.namespace("n");
        n.set_with_expiration("x", json!("x".repeat(1_000)), Expiration::After(secs(10)))?;
        let gone = session.namespace("gone");
        gone.set("x", json!("x".repeat(1_000)))?;
        gone.set_expiration(Expiration::After(secs(10)))
    };
    session.enter(id.clone().into(), fill).await?;
    assert!(fixture.record(&id).await.expect("it is there").payload.len() > 3_000);
    pass(secs(10)).await;
    let change = async {
        session.namespace("n").set("y", json!(1))?;
        session.namespace("n").unset("y").map(drop)
    };
    session.enter(id.clone().into(), change).await?;
    assert_eq!(fixture.record(&id).await.expect("it is there").payload, empty);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn the_default_applies_to_a_session_that_has_none_when_it_starts() -> Result<(), SessionError> {
    let fixture = fixture_with(|builder| builder.default_expiration(Expiration::sliding(MINUTE).at_most(HOUR)));
    let session = &fixture.session;
    let until = OffsetDateTime::from(fixture.now() + HOUR);
    let default = Some(Expiration::from(Expiration::sliding(MINUTE).until(until)));
    let id = fixture.visit(Visit::new(), async {
        assert_eq!(session.expiration(), None);
        session.start_readonly().await?;
        assert_eq!(session.expiration(), None);
        session.start().await?;
        assert_eq!(session.expiration(), default);
        session.set("user", json!(7))?;
        session.close().await?;
        session.id().ok_or(SessionError::Gone)
    });
    let id = id.await?;
    pass(secs(59)).await;
    // A session that has an expiration keeps it.
    let check = async {
        session.start().await?;
        assert_eq!(session.expiration(), default);
        session.set_expiration(Expiration::Never)
    };
    session.enter(id.clone().into(), check).await?;
    pass(100 * HOUR).await;
    let check = async {
        assert_eq!(session.expiration(), Some(Expiration::Never));
        Ok(())
    };
    session.enter(id.into(), check).await?;
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn by_default_a_session_ends_a_day_after_the_last_visit_and_after_thirty_days() -> Result<(), SessionError> {
    use sessile_core::{DAY, Session};
    let fixture = fixture();
    let session: Session = Session::builder(std::sync::Arc::clone(&fixture.storage)).build();
    let id = session.enter(Visit::new(), async {
        session.set("user", json!(7))?;
        session.close().await?;
        session.id().ok_or(SessionError::Gone)
    });
    let id = id.await?.output;
    let began = fixture.now();
    let mut last = began;
    while session
        .init(Visit::attach(id.clone()), session.start_readonly())
        .await?
        .is_ok()
    {
        last = fixture.now();
        pass(DAY - secs(1)).await;
    }
    let lived = began.until(last);
    assert!(lived > 29 * DAY && lived < 30 * DAY, "{lived:?}");

    let id = session.enter(Visit::new(), async {
        session.set("user", json!(7))?;
        session.close().await?;
        session.id().ok_or(SessionError::Gone)
    });
    let id = id.await?.output;
    pass(DAY).await;
    assert_eq!(fixture.record(&id).await, None);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn an_expiration_reads_as_it_was_set_and_after_as_the_date_it_became() -> Result<(), SessionError> {
    let fixture = fixture();
    let session = &fixture.session;
    let date = OffsetDateTime::from(fixture.now() + HOUR);
    for (set, read) in [
        (Expiration::Never, Expiration::Never),
        (Expiration::Transient, Expiration::Transient),
        (Expiration::At(date), Expiration::At(date)),
        (Expiration::After(HOUR), Expiration::At(date)),
        (
            Expiration::sliding(MINUTE).at_most(HOUR).or_transient().into(),
            Expiration::sliding(MINUTE).until(date).or_transient().into(),
        ),
    ] {
        let id = fixture.stored_as(set, []).await;
        let check = async {
            session.start_readonly().await?;
            Ok(session.expiration())
        };
        assert_eq!(fixture.visit(id, check).await?, Some(read));
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_date_that_has_passed_ends_its_target_at_once() -> Result<(), SessionError> {
    let fixture = fixture();
    let session = &fixture.session;
    let past = Expiration::At(OffsetDateTime::from(fixture.now()) - HOUR);
    let work = async {
        session.set_with_expiration("x", json!(1), past)?;
        assert_eq!(session.get("x")?, None);
        session.set("y", json!(1))?;
        session.set_expiration(past)?;
        assert_fails!(session.get("y"), SessionError::Gone);
        assert_fails!(session.set("y", json!(2)), SessionError::Gone);
        Ok::<_, SessionError>(())
    };
    session
        .init(Visit::new(), async {
            session.start().await?;
            work.await
        })
        .await??;
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_new_expiration_applies_within_the_visit_that_sets_it() -> Result<(), SessionError> {
    let fixture = fixture();
    let session = &fixture.session;
    let id = fixture.stored([("x", json!(1))]).await;
    pass(HOUR).await;
    let work = async {
        session.set_key_expiration("x", Expiration::sliding(secs(10)))?;
        session.set_expiration(Expiration::sliding(secs(20)))?;
        pass(secs(10) - ms(1)).await;
        assert!(session.contains("x")?);
        pass(ms(1)).await;
        assert!(!session.contains("x")?);
        // A visit in progress is activity, so its session does not idle out.
        pass(secs(10)).await;
        assert!(session.is_readable() && !session.contains("x")?);
        Ok::<_, SessionError>(())
    };
    fixture
        .visit(id, async {
            session.start().await?;
            work.await
        })
        .await
}

#[tokio::test(start_paused = true)]
async fn an_extension_that_is_not_committed_in_time_has_no_effect() -> Result<(), SessionError> {
    let fixture = fixture();
    let session = &fixture.session;
    for expiration in [
        Expiration::After(secs(10)),
        Expiration::sliding(HOUR).at_most(secs(10)).into(),
    ] {
        for committed in [false, true] {
            let id = fixture.stored_as(expiration, [("x", json!(1))]).await;
            let work = async {
                session.start().await?;
                session.set_expiration(Expiration::Never)?;
                if committed {
                    session.close().await?;
                }
                pass(secs(10)).await;
                match committed {
                    true => assert_eq!(session.get("x")?, Some(json!(1))),
                    false => {
                        assert_fails!(session.get("x"), SessionError::Gone);
                        assert_fails!(session.close().await, SessionError::Gone);
                    }
                }
                Ok(())
            };
            fixture.visit(id, work).await?;
        }
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_session_that_expires_while_it_is_locked_is_gone() -> Result<(), SessionError> {
    let fixture = fixture();
    let session = &fixture.session;
    let id = fixture.stored_as(Expiration::After(secs(10)), [("x", json!(1))]).await;
    let work = async {
        session.start().await?;
        session.set("x", json!(2))?;
        pass(secs(10)).await;
        assert_fails!(session.get("x"), SessionError::Gone);
        assert_fails!(session.set("x", json!(3)), SessionError::Gone);
        assert_fails!(session.set_expiration(Expiration::Never), SessionError::Gone);
        assert_fails!(session.close().await, SessionError::Gone);
        assert_fails!(session.start().await, SessionError::Gone);
        Ok(())
    };
    fixture.visit(id, work).await?;
    assert_eq!(fixture.sessions().await, 0);
    Ok(())
}
