//! Sliding expirations: what moves them, what that costs, and that no expired value comes back.

mod common;

use common::*;
use serde_json::json;
use sessile_core::{Expiration, HOUR, MINUTE, SECOND, SessionError, SessionId, Storage, StorageErrorKind, Visit};
use sessile_testkit::{Fault, Operation};
use tokio::sync::oneshot;

/// Creates a session with a window of a minute, a value with a window of ten seconds and a value without one.
async fn with_short_value(fixture: &Fixture) -> Result<SessionId, SessionError> {
    let session = &fixture.session;
    let work = async {
        session.set_expiration(Expiration::sliding(MINUTE))?;
        session.set("plain", json!(0))?;
        session.set_with_expiration("short", json!(1), Expiration::sliding(secs(10)))?;
        session.close().await?;
        session.id().ok_or(SessionError::Gone)
    };
    Ok(session.enter(Visit::new(), work).await?.output)
}

/// Reads one value in a visit of its own.
async fn read(fixture: &Fixture, id: &SessionId, name: &str) -> Result<Option<serde_json::Value>, SessionError> {
    let session = &fixture.session;
    fixture
        .visit(id.clone(), async {
            session.start_readonly().await?;
            session.get(name)
        })
        .await
}

/// Starts the session for reading without using it.
async fn look(fixture: &Fixture, id: &SessionId) -> Result<(), SessionError> {
    fixture
        .visit(id.clone(), async { fixture.session.start_readonly().await })
        .await
}

#[tokio::test(start_paused = true)]
async fn each_visit_moves_the_end_those_that_only_read_included() -> Result<(), SessionError> {
    let fixture = fixture();
    let session = &fixture.session;
    let id = fixture
        .stored_as(Expiration::sliding(MINUTE), [("user", json!(7))])
        .await;
    for round in 0..9 {
        pass(secs(59)).await;
        match round % 3 {
            0 => look(&fixture, &id).await?,
            1 => {
                session
                    .enter(id.clone().into(), async { Ok::<_, SessionError>(()) })
                    .await?
                    .output
            }
            _ => {
                session
                    .enter(id.clone().into(), async { session.set("round", json!(round)) })
                    .await?
                    .output
            }
        }
    }
    pass(MINUTE - ms(1)).await;
    assert!(fixture.record(&id).await.is_some());
    pass(ms(1)).await;
    assert!(fixture.record(&id).await.is_none());
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn each_visit_moves_what_slides_inside_the_session_as_well() -> Result<(), SessionError> {
    let fixture = fixture();
    let session = &fixture.session;
    let n = session.namespace("n");
    let work = async {
        session.set_with_expiration("x", json!(1), Expiration::sliding(MINUTE))?;
        n.set("x", json!(2))?;
        n.set_expiration(Expiration::sliding(MINUTE))?;
        session.close().await?;
        session.id().ok_or(SessionError::Gone)
    };
    let id = session.enter(Visit::new(), work).await?.output;
    for _ in 0..5 {
        pass(secs(59)).await;
        look(&fixture, &id).await?;
    }
    pass(MINUTE - ms(1)).await;
    assert_eq!(fixture.shown(&id).await, Some(values([("x", json!(1))])));
    assert_eq!(fixture.shown_in(&id, Some("n")).await, Some(values([("x", json!(2))])));
    pass(ms(1)).await;
    assert_eq!(fixture.shown(&id).await, Some(values([])));
    assert_eq!(fixture.shown_in(&id, Some("n")).await, Some(values([])));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_long_visit_moves_the_end_when_it_starts_and_again_when_it_ends() -> Result<(), SessionError> {
    let fixture = fixture();
    let session = &fixture.session;
    for write in [None, Some(false), Some(true)] {
        let id = fixture
            .stored_as(Expiration::sliding(MINUTE), [("user", json!(7))])
            .await;
        fixture.calls.reset();
        pass(secs(30)).await;
        let visit = async {
            match write {
                None => session.start_readonly().await?,
                Some(_) => session.start().await?,
            }
            assert_eq!(fixture.calls.of(Operation::Touch), 1);
            pass(secs(40)).await;
            if write == Some(true) {
                session.set("user", json!(8))?;
            }
            session.close().await
        };
        fixture.visit(id.clone(), visit).await?;
        // A commit moves everything in the same step.
        let expected = match write {
            None => 2,
            // While the lock is held the session does not idle out.
            Some(false) => 3,
            Some(true) => 2,
        };
        assert_eq!(fixture.calls.of(Operation::Touch), expected, "write: {write:?}");
        pass(secs(59)).await;
        assert!(fixture.record(&id).await.is_some());
        pass(secs(1)).await;
        assert!(fixture.record(&id).await.is_none());
    }
    Ok(())
}

/// Returns the number of writes of a visit that comes this long after the last one.
async fn touches_after(fixture: &Fixture, id: &SessionId, pause: std::time::Duration) -> Result<u64, SessionError> {
    fixture.calls.reset();
    pass(pause).await;
    look(fixture, id).await?;
    assert_eq!(fixture.calls.of(Operation::Read), 1);
    assert_eq!(fixture.calls.total(), 1 + fixture.calls.of(Operation::Touch));
    Ok(fixture.calls.of(Operation::Touch))
}

#[tokio::test(start_paused = true)]
async fn an_end_is_only_written_when_it_would_move_by_more_than_a_minute() -> Result<(), SessionError> {
    let fixture = fixture();
    let id = fixture.stored_as(Expiration::sliding(HOUR), []).await;
    assert_eq!(touches_after(&fixture, &id, MINUTE).await?, 0);
    assert_eq!(touches_after(&fixture, &id, ms(1)).await?, 1);
    assert_eq!(touches_after(&fixture, &id, MINUTE).await?, 0);
    assert_eq!(touches_after(&fixture, &id, SECOND).await?, 1);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn an_end_is_written_when_it_moves_by_a_tenth_of_a_shorter_window() -> Result<(), SessionError> {
    let fixture = fixture();
    let session = &fixture.session;
    let id = fixture.stored_as(Expiration::sliding(MINUTE), []).await;
    assert_eq!(touches_after(&fixture, &id, secs(6)).await?, 0);
    assert_eq!(touches_after(&fixture, &id, ms(1)).await?, 1);

    let id = fixture.stored_as(Expiration::sliding(HOUR), []).await;
    let add = async {
        session
            .namespace("n")
            .set_with_expiration("x", json!(1), Expiration::sliding(secs(20)))
    };
    session.enter(id.clone().into(), add).await?;
    assert_eq!(touches_after(&fixture, &id, secs(2)).await?, 0);
    assert_eq!(touches_after(&fixture, &id, ms(1)).await?, 1);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn an_end_is_written_when_it_moves_by_the_configured_resolution() -> Result<(), SessionError> {
    let fixture = fixture_with(|builder| builder.touch_resolution(secs(5)));
    let id = fixture.stored_as(Expiration::sliding(HOUR), []).await;
    assert_eq!(touches_after(&fixture, &id, secs(5)).await?, 0);
    assert_eq!(touches_after(&fixture, &id, ms(1)).await?, 1);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn reading_every_second_costs_one_small_write_a_minute() -> Result<(), SessionError> {
    let fixture = fixture();
    let id = fixture.stored_as(Expiration::sliding(HOUR), []).await;
    fixture.calls.reset();
    for _ in 0..610 {
        pass(SECOND).await;
        look(&fixture, &id).await?;
    }
    assert_eq!(fixture.calls.take(), [(Operation::Read, 610), (Operation::Touch, 10)]);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_fixed_expiration_is_not_written() -> Result<(), SessionError> {
    let fixture = fixture();
    for expiration in [Expiration::Never, Expiration::Transient, Expiration::After(100 * HOUR)] {
        let id = fixture.stored_as(expiration, []).await;
        assert_eq!(touches_after(&fixture, &id, HOUR).await?, 0);
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn an_end_that_has_reached_its_limit_is_not_written_any_more() -> Result<(), SessionError> {
    let fixture = fixture();
    let id = fixture
        .stored_as(Expiration::sliding(HOUR).at_most(90 * MINUTE), [])
        .await;
    assert_eq!(touches_after(&fixture, &id, 20 * MINUTE).await?, 1);
    assert_eq!(touches_after(&fixture, &id, 20 * MINUTE).await?, 1);
    assert_eq!(touches_after(&fixture, &id, 20 * MINUTE).await?, 0);
    assert_eq!(touches_after(&fixture, &id, 29 * MINUTE).await?, 0);
    assert!(fixture.record(&id).await.is_some());
    pass(MINUTE).await;
    assert!(fixture.record(&id).await.is_none());
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_visit_that_never_starts_moves_nothing() -> Result<(), SessionError> {
    let fixture = fixture();
    let id = fixture.stored_as(Expiration::sliding(MINUTE), []).await;
    fixture.calls.reset();
    pass(secs(30)).await;
    fixture.visit(id, async { Ok(()) }).await?;
    fixture.calls.assert_none();
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn an_end_that_cannot_be_moved_when_the_visit_ends_fails_nothing() -> Result<(), SessionError> {
    let fixture = fixture();
    let session = &fixture.session;
    for operation in [Operation::Read, Operation::Touch] {
        let id = fixture
            .stored_as(Expiration::sliding(MINUTE), [("user", json!(7))])
            .await;
        let read = async {
            session.start_readonly().await?;
            pass(secs(30)).await;
            fixture
                .faults
                .fail_next(operation, Fault::before(StorageErrorKind::Unavailable));
            session.get("user")
        };
        assert_eq!(fixture.visit(id, read).await?, Some(json!(7)));
        assert_eq!(fixture.faults.pending(), 0);
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn an_expired_value_is_removed_by_the_first_reader() -> Result<(), SessionError> {
    let fixture = fixture();
    let id = with_short_value(&fixture).await?;
    let before = fixture.record(&id).await.expect("it is there");
    fixture.calls.reset();
    pass(secs(10)).await;
    assert_eq!(read(&fixture, &id, "short").await?, None);
    // In one commit, which also moves the other expirations; it does not have to be repeated.
    assert_eq!(
        fixture.calls.take(),
        [(Operation::Read, 1), (Operation::Lock, 1), (Operation::Commit, 1)]
    );
    let after = fixture.record(&id).await.expect("it is there");
    assert!(after.payload.len() < before.payload.len());
    assert_eq!(after.meta.last_active, fixture.now());
    assert_eq!(read(&fixture, &id, "short").await?, None);
    assert_eq!(fixture.calls.take(), [(Operation::Read, 1)]);
    assert!(fixture.is_free(&id).await);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn an_expired_value_is_not_revived_by_a_touch_even_if_its_removal_fails() -> Result<(), SessionError> {
    for (operation, kind) in [
        (Operation::Lock, StorageErrorKind::LockTimeout),
        (Operation::Lock, StorageErrorKind::TooManyWaiters),
        (Operation::Commit, StorageErrorKind::LockLost),
    ] {
        let fixture = fixture();
        let id = with_short_value(&fixture).await?;
        pass(secs(10)).await;
        fixture.faults.fail_next(operation, Fault::before(kind));
        // A visit that only reads does not fail because of locks.
        assert_eq!(read(&fixture, &id, "short").await?, None);
        assert_eq!(fixture.faults.pending(), 0);
        assert_eq!(read(&fixture, &id, "short").await?, None);
        assert_eq!(fixture.shown(&id).await, Some(values([("plain", json!(0))])));
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn an_expired_value_is_not_revived_by_a_writer_that_writes_nothing() -> Result<(), SessionError> {
    let fixture = fixture();
    let session = &fixture.session;
    let id = with_short_value(&fixture).await?;
    let write = async |release: bool| {
        let work = async {
            session.start().await?;
            assert_eq!(session.get("short")?, None);
            match release {
                true => session.release().await,
                false => session.close().await,
            }
        };
        fixture.visit(id.clone(), work).await
    };
    pass(secs(10)).await;
    for release in [true, true, false, true] {
        write(release).await?;
        pass(secs(1)).await;
    }
    assert_eq!(fixture.shown(&id).await, Some(values([("plain", json!(0))])));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_value_that_expires_under_the_lock_is_not_revived_by_the_commit() -> Result<(), SessionError> {
    let fixture = fixture();
    let session = &fixture.session;
    for change in [false, true] {
        let id = with_short_value(&fixture).await?;
        let work = async {
            assert_eq!(session.get("short")?, Some(json!(1)));
            pass(secs(10)).await;
            assert_eq!(session.get("short")?, None);
            if change {
                session.set("plain", json!(2))?;
            }
            session.close().await?;
            assert_eq!(session.get("short")?, None);
            Ok::<_, SessionError>(())
        };
        session.enter(id.clone().into(), work).await?;
        assert_eq!(read(&fixture, &id, "short").await?, None);
        let plain = if change { 2 } else { 0 };
        assert_eq!(fixture.shown(&id).await, Some(values([("plain", json!(plain))])));
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn an_expired_value_stays_expired_when_a_held_lock_prevents_its_removal() -> Result<(), SessionError> {
    let fixture = fixture();
    let id = with_short_value(&fixture).await?;
    // Another sliding value gives the end of the visit something to move.
    let add = async {
        fixture
            .session
            .set_with_expiration("long", json!(2), Expiration::sliding(MINUTE))
    };
    fixture.session.enter(id.clone().into(), add).await?;
    let reading = async {
        pass(secs(11)).await;
        read(&fixture, &id, "short").await
    };
    assert_eq!(fixture.while_locked(&id, reading).await?, None);
    pass(secs(1)).await;
    assert_eq!(read(&fixture, &id, "short").await?, None);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn an_expired_value_is_not_revived_by_a_visit_that_began_before_it_was_set() -> Result<(), SessionError> {
    let fixture = fixture();
    let session = &fixture.session;
    let id = fixture.stored_as(Expiration::sliding(MINUTE), []).await;
    let (ended, may_end) = oneshot::channel();
    let reader = fixture.visit(id.clone(), async {
        session.start_readonly().await?;
        may_end.await.expect("the signal is sent");
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
    assert_eq!(read(&fixture, &id, "short").await?, None);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_visit_that_ends_late_does_not_lengthen_a_session_that_others_have_shortened() -> Result<(), SessionError> {
    let fixture = fixture();
    let session = &fixture.session;
    let id = fixture.stored_as(Expiration::sliding(HOUR), [("user", json!(7))]).await;
    let (ended, may_end) = oneshot::channel();
    let reader = fixture.visit(id.clone(), async {
        session.start_readonly().await?;
        may_end.await.expect("the signal is sent");
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
    assert_eq!(fixture.record(&id).await, None);
    assert_eq!(fixture.calls.of(Operation::Touch), 0);
    Ok(())
}

/// A reader computes the new deadline; before its touch arrives, a writer sets another.
#[tokio::test(start_paused = true)]
async fn a_touch_that_a_commit_overtakes_leaves_the_end_that_was_committed() -> Result<(), SessionError> {
    // The second has no deadline of its own afterwards: only values in it slide.
    for before in [Expiration::sliding(HOUR).into(), Expiration::Never] {
        for after in [Expiration::After(5 * MINUTE), Expiration::sliding(5 * MINUTE).into()] {
            let fixture = fixture();
            let other = fixture.other_session();
            let id = fixture.stored_as(before, [("user", json!(7))]).await;
            let inside = async { other.set_with_expiration("short", json!(8), Expiration::sliding(HOUR)) };
            other.enter(id.clone().into(), inside).await?;
            pass(10 * MINUTE).await;

            fixture.delays.before(Operation::Touch, secs(10));
            let committed = fixture.now() + secs(1);
            let reader = look(&fixture, &id);
            let writer = async {
                pass(secs(1)).await;
                other
                    .enter(id.clone().into(), async { other.set_expiration(after) })
                    .await?;
                Ok(())
            };
            let (read, written) = tokio::join!(reader, writer);
            read.and(written)?;
            assert_eq!(
                fixture.calls.of(Operation::Touch),
                1,
                "the reader has moved what slides"
            );
            let meta = fixture.record(&id).await.map(|record| record.meta);
            let end = meta.and_then(|meta| meta.deadline);
            assert_eq!(end, Some(committed + 5 * MINUTE), "{before:?} became {after:?}");
        }
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_session_that_is_over_is_missing_even_where_its_record_is_kept() -> Result<(), SessionError> {
    let fixture = fixture();
    let session = &fixture.session;
    for lock in [false, true] {
        let id = fixture.stored_as(Expiration::After(MINUTE), [("user", json!(7))]).await;
        let late = fixture.now() + HOUR;
        assert!(fixture.storage.touch(&id.key(), 1, Some(late), fixture.now()).await?);
        pass(MINUTE).await;

        let strict = fixture.visit(Visit::attach(id.clone()), async { session.start_readonly().await });
        assert_fails!(strict.await, SessionError::Unknown);
        fixture
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
        // A parallel visit may still move the deadline: the record is removed when that has passed.
        assert!(fixture.record(&id).await.is_some());
        assert!(fixture.is_free(&id).await);
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_session_slides_on_while_a_held_lock_prevents_the_removal_of_expired_values() -> Result<(), SessionError> {
    let fixture = fixture();
    let id = with_short_value(&fixture).await?;
    let reading = async {
        for _ in 0..3 {
            pass(secs(50)).await;
            assert_eq!(read(&fixture, &id, "short").await?, None);
            assert_eq!(read(&fixture, &id, "plain").await?, Some(json!(0)));
        }
        Ok::<_, SessionError>(())
    };
    fixture.while_locked(&id, reading).await?;
    assert_eq!(fixture.shown(&id).await, Some(values([("plain", json!(0))])));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_visit_that_had_to_wait_moves_the_end_again_when_it_ends() -> Result<(), SessionError> {
    let fixture = fixture();
    let session = &fixture.session;
    for waits_outside in [false, true] {
        let id = fixture
            .stored_as(Expiration::sliding(MINUTE), [("user", json!(7))])
            .await;
        let visit = session.open(id.clone().into());
        let (visit, started) = visit.work(|| session.start_readonly()).await;
        started?;
        // Work that is not the first use of the visit may have waited before.
        if waits_outside {
            pass(secs(30)).await;
        }
        let work = async {
            if !waits_outside {
                pass(secs(30)).await;
            }
            session.get("user")
        };
        let (visit, value) = visit.work(|| work).await;
        assert_eq!(value?, Some(json!(7)));
        visit.close().await?;
        let ends = fixture.record(&id).await.and_then(|record| record.meta.deadline);
        assert_eq!(ends, Some(fixture.now() + MINUTE));
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_visit_that_waits_in_its_only_work_moves_the_end_again_when_it_ends() -> Result<(), SessionError> {
    let fixture = fixture();
    let session = &fixture.session;
    let id = fixture
        .stored_as(Expiration::sliding(MINUTE), [("user", json!(7))])
        .await;
    let work = async {
        session.start_readonly().await?;
        pass(secs(30)).await;
        Ok::<_, SessionError>(())
    };
    let (visit, done) = session.open(id.clone().into()).work(|| work).await;
    done?;
    visit.close().await?;
    let ends = fixture.record(&id).await.and_then(|record| record.meta.deadline);
    assert_eq!(ends, Some(fixture.now() + MINUTE));
    Ok(())
}
