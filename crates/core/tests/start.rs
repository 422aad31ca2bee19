//! Starting: for writing, for reading, and without an id.

mod common;

use std::time::Duration;

use common::*;
use serde_json::json;
use sessile_core::{Expiration, Lookup, MINUTE, SessionError, SessionId, Storage, StorageErrorKind, TokioClock, Visit};
use sessile_testkit::{Fault, Operation};

async fn change_elsewhere(fixture: &Fixture, id: &SessionId, user: u64) -> Result<(), SessionError> {
    let other = fixture.other_session();
    other
        .enter(id.clone().into(), async { other.set("user", json!(user)) })
        .await?;
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn start_locks_and_loads_in_one_call() -> Result<(), SessionError> {
    let fixture = fixture();
    let session = &fixture.session;
    let id = fixture.stored([("user", json!(7))]).await;
    fixture
        .visit(id.clone(), async {
            session.start().await?;
            assert_eq!(fixture.calls.take(), [(Operation::Lock, 1)]);
            assert!(session.is_active() && session.is_readable() && session.is_writable());
            assert_eq!(session.get("user")?, Some(json!(7)));
            assert_eq!(session.id(), Some(id.clone()));
            assert_eq!(session.key(), Some(id.key()));
            assert!(!fixture.is_free(&id).await);
            Ok(())
        })
        .await
}

#[tokio::test(start_paused = true)]
async fn starts_take_the_lock_in_the_order_of_arrival() -> Result<(), SessionError> {
    let fixture = fixture();
    let session = &fixture.session;
    let id = fixture.stored([("order", json!([]))]).await;
    let visit = async |number: u64| {
        pass(ms(number)).await;
        let work = async {
            pass(secs(1)).await;
            session.update("order", |order| {
                order.as_array_mut().expect("an array").push(json!(number))
            })
        };
        session.enter(id.clone().into(), work).await
    };
    let (a, b, c, d) = tokio::join!(visit(1), visit(2), visit(3), visit(4));
    a.and(b).and(c).and(d)?;
    assert_eq!(fixture.shown(&id).await, Some(values([("order", json!([1, 2, 3, 4]))])));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn fifty_parallel_visits_count_to_fifty() -> Result<(), SessionError> {
    let fixture = fixture_with(|builder| builder.lock_wait(MINUTE));
    let id = fixture.stored([("count", json!(0))]).await;
    let visits: Vec<_> = (0..50)
        .map(|_| {
            let (session, id) = (fixture.session.clone(), id.clone());
            tokio::spawn(async move {
                let count = async {
                    let count = session.get("count")?.and_then(|count| count.as_u64()).expect("a count");
                    pass(ms(10)).await;
                    session.set("count", json!(count + 1))
                };
                session.enter(id.into(), count).await
            })
        })
        .collect();
    for visit in visits {
        visit.await.expect("it ends")?;
    }
    assert_eq!(fixture.shown(&id).await, Some(values([("count", json!(50))])));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn start_does_nothing_in_a_visit_that_is_writable() -> Result<(), SessionError> {
    let fixture = fixture();
    let session = &fixture.session;
    let id = fixture.stored([("user", json!(7))]).await;
    let work = async {
        session.start().await?;
        session.set("user", json!(8))?;
        fixture.calls.reset();
        session.start().await?;
        session.start_readonly().await?;
        fixture.calls.assert_none();
        assert!(session.is_writable());
        assert_eq!(session.get("user")?, Some(json!(8)));
        Ok(())
    };
    fixture.visit(id, work).await?;
    // Nor in a visit whose session is not stored yet.
    let work = async {
        session.start().await?;
        session.set("user", json!(8))?;
        session.start().await?;
        session.start_readonly().await?;
        assert!(session.is_writable());
        assert_eq!(session.get("user")?, Some(json!(8)));
        Ok(())
    };
    fixture.visit(Visit::new(), work).await
}

#[tokio::test(start_paused = true)]
async fn start_locks_and_loads_anew_in_a_visit_that_has_read() -> Result<(), SessionError> {
    let fixture = fixture();
    let session = &fixture.session;
    let id = fixture.stored([("user", json!(7))]).await;
    let work = async {
        session.start_readonly().await?;
        change_elsewhere(&fixture, &id, 8).await?;
        assert_eq!(session.get("user")?, Some(json!(7)));
        assert_fails!(session.set("user", json!(9)), SessionError::NotWritable);
        session.start().await?;
        assert_eq!(session.get("user")?, Some(json!(8)));
        session.set("user", json!(9))?;
        session.close().await?;
        change_elsewhere(&fixture, &id, 10).await?;
        session.start().await?;
        assert_eq!(session.get("user")?, Some(json!(10)));
        Ok(())
    };
    fixture.visit(id.clone(), work).await
}

#[tokio::test(start_paused = true)]
async fn start_readonly_takes_no_lock_and_waits_for_no_writer() -> Result<(), SessionError> {
    let fixture = fixture();
    let session = &fixture.session;
    let id = fixture.stored([("user", json!(7))]).await;
    let read = async {
        let before = fixture.now();
        let look = async {
            session.start_readonly().await?;
            assert!(session.is_active() && session.is_readable() && !session.is_writable());
            assert_eq!(session.get("user")?, Some(json!(7)));
            session.close().await
        };
        fixture.visit(id.clone(), look).await?;
        assert_eq!(fixture.now(), before);
        assert_eq!(fixture.calls.take(), [(Operation::Read, 1)]);
        Ok::<_, SessionError>(())
    };
    fixture.while_locked(&id, read).await
}

#[tokio::test(start_paused = true)]
async fn start_readonly_does_nothing_in_a_visit_that_was_started() -> Result<(), SessionError> {
    let fixture = fixture();
    let session = &fixture.session;
    let id = fixture.stored([("user", json!(7))]).await;
    let work = async {
        session.start_readonly().await?;
        change_elsewhere(&fixture, &id, 8).await?;
        session.start_readonly().await?;
        assert_eq!(session.get("user")?, Some(json!(7)));
        assert_eq!(fixture.calls.take(), [(Operation::Read, 1)]);
        Ok(())
    };
    fixture.visit(id.clone(), work).await
}

#[tokio::test(start_paused = true)]
async fn without_an_id_starting_asks_the_storage_for_nothing() -> Result<(), SessionError> {
    let fixture = fixture();
    let session = &fixture.session;
    let work = async {
        session.start_readonly().await?;
        assert!(session.is_readable() && !session.is_writable() && !session.exists());
        assert_fails!(session.set("user", json!(7)), SessionError::NotWritable);
        session.start().await?;
        assert!(session.is_writable() && !session.exists());
        assert!(session.keys()?.is_empty());
        assert_eq!((session.created_at(), session.last_active_at()), (None, None));
        Ok(())
    };
    fixture.visit(Visit::new(), work).await?;
    fixture.calls.assert_none();
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn an_unknown_id_costs_one_call_is_not_adopted_and_leaves_nothing_behind() -> Result<(), SessionError> {
    let fixture = fixture();
    let session = &fixture.session;
    let before = fixture.storage.stats();
    for (lock, expected) in [(false, Operation::Read), (true, Operation::Lock)] {
        let id = unknown_id();
        let work = async {
            match lock {
                false => session.start_readonly().await?,
                true => session.start().await?,
            }
            assert!(session.is_active() && !session.exists());
            assert_eq!(session.is_writable(), lock);
            session.close().await
        };
        fixture.visit(id.clone(), work).await?;
        assert_eq!(fixture.calls.take(), [(expected, 1)]);
        assert_eq!(fixture.storage.stats(), before);

        // A session that is stored after all gets an id of its own.
        let work = async {
            session.set("user", json!(7))?;
            session.close().await?;
            session.id().ok_or(SessionError::Gone)
        };
        let new = session.enter(id.clone().into(), work).await?.output;
        assert_ne!(new, id);
        assert_eq!(fixture.record(&id).await, None);
        fixture.storage.destroy(&new.key()).await?;
        fixture.calls.reset();
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn an_expired_id_is_as_unknown_as_any() -> Result<(), SessionError> {
    let fixture = fixture();
    let session = &fixture.session;
    let id = fixture.stored_as(Expiration::After(MINUTE), [("user", json!(7))]).await;
    pass(MINUTE).await;
    let work = async {
        assert!(!session.exists());
        assert_eq!(session.get("user")?, None);
        Ok::<_, SessionError>(())
    };
    session.enter(id.clone().into(), work).await?;
    let strict = session.enter(Visit::attach(id), async { Ok::<_, SessionError>(()) });
    assert_fails!(strict.await, SessionError::Unknown);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_strict_visit_fails_when_there_is_no_such_session() -> Result<(), SessionError> {
    let fixture = fixture();
    let session = &fixture.session;
    let id = unknown_id();
    let work = async {
        for _ in 0..2 {
            assert_fails!(session.start().await, SessionError::Unknown);
            assert_fails!(session.start_readonly().await, SessionError::Unknown);
            let update = session.transaction_exclusive(async || session.set("user", json!(7)));
            assert_fails!(update.await, SessionError::Unknown);
        }
        assert!(!session.is_active());
        assert_eq!(session.id(), Some(id.clone()));
        Ok(())
    };
    fixture.visit(Visit::attach(id.clone()), work).await?;
    assert_eq!(fixture.sessions().await, 0);

    let id = fixture.stored([("user", json!(7))]).await;
    let work = async {
        assert_eq!(session.get("user")?, Some(json!(7)));
        Ok::<_, SessionError>(())
    };
    session.enter(Visit::attach(id), work).await?;
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_visit_that_has_seen_its_session_never_slips_into_another() -> Result<(), SessionError> {
    let fixture = fixture();
    let session = &fixture.session;
    for lock in [false, true] {
        let id = fixture.stored_as(Expiration::After(MINUTE), [("user", json!(7))]).await;
        let work = async {
            match lock {
                false => session.start_readonly().await?,
                true => {
                    session.start().await?;
                    session.close().await?;
                }
            }
            pass(MINUTE).await;
            assert_fails!(session.start().await, SessionError::Gone);
            let update = session.transaction_exclusive(async || session.set("user", json!(8)));
            assert_fails!(update.await, SessionError::Gone);
            assert!(!session.is_writable());
            Ok(())
        };
        fixture.visit(id, work).await?;
    }
    // A visit that has created its session has seen it as well.
    let work = async {
        session.start().await?;
        session.set("user", json!(7))?;
        session.close().await?;
        let id = session.id().ok_or(SessionError::Gone)?;
        fixture.storage.destroy(&id.key()).await?;
        assert_fails!(session.start().await, SessionError::Gone);
        Ok(())
    };
    fixture.visit(Visit::new(), work).await?;
    assert_eq!(fixture.sessions().await, 0);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_lock_that_is_not_free_in_time_is_an_error_and_the_visit_can_try_again() -> Result<(), SessionError> {
    let fixture = fixture_with(|builder| builder.lock_wait(secs(3)));
    let session = &fixture.session;
    let id = fixture.stored([("user", json!(7))]).await;
    let visit = fixture.visit(id.clone(), async {
        let wait = async {
            let before = fixture.now();
            assert_fails!(session.start().await, SessionError::LockTimeout);
            assert_eq!(before.until(fixture.now()), secs(3));
            assert!(!session.is_active());
            session.start_readonly().await?;
            let update = session.transaction_exclusive(async || session.set("user", json!(8)));
            assert_fails!(update.await, SessionError::LockTimeout);
            assert_eq!(session.get("user")?, Some(json!(7)));
            Ok::<_, SessionError>(())
        };
        fixture.while_locked(&id, wait).await?;
        session.start().await
    });
    visit.await
}

#[tokio::test(start_paused = true)]
async fn the_default_wait_limit_is_ten_seconds() -> Result<(), SessionError> {
    let fixture = fixture();
    let id = fixture.stored([]).await;
    let wait = async {
        let before = fixture.now();
        let entered = fixture
            .session
            .enter(id.clone().into(), async { Ok::<_, SessionError>(()) });
        assert_fails!(entered.await, SessionError::LockTimeout);
        assert_eq!(before.until(fixture.now()), secs(10));
    };
    fixture.while_locked(&id, wait).await;
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn too_many_waiters_is_an_error_at_once() -> Result<(), SessionError> {
    let fixture = fixture_on(configured_storage(TokioClock::start(), |builder| {
        builder.max_waiters(1)
    }));
    let session = &fixture.session;
    let id = fixture.stored([]).await;
    let wait = async {
        let enter = || session.enter(id.clone().into(), async { Ok::<_, SessionError>(()) });
        let refused = async {
            pass(ms(1)).await;
            let before = fixture.now();
            assert_fails!(enter().await, SessionError::TooManyWaiters);
            assert_eq!(fixture.now(), before);
        };
        let (waiting, ()) = tokio::join!(enter(), refused);
        assert_fails!(waiting, SessionError::LockTimeout);
    };
    fixture.while_locked(&id, wait).await;
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_failed_read_is_an_error_and_never_an_empty_session() -> Result<(), SessionError> {
    use StorageErrorKind::{Corrupt, Denied, Other, Timeout, Unavailable};
    let fixture = fixture();
    let session = &fixture.session;
    let id = fixture.stored([("user", json!(7))]).await;
    for operation in [Operation::Read, Operation::Lock] {
        for kind in [Unavailable, Timeout, Corrupt, Denied, Other] {
            for fault in [Fault::before(kind), Fault::after(kind)] {
                let work = async {
                    fixture.faults.fail_next(operation, fault);
                    let started = match operation {
                        Operation::Read => session.start_readonly().await,
                        _ => session.start().await,
                    };
                    let error = started.expect_err("the storage fails");
                    assert!(
                        matches!(&error, SessionError::Storage(error) if error.kind() == kind),
                        "{error:?}"
                    );
                    assert!(!session.is_active());
                    assert_eq!(session.id(), Some(id.clone()));
                    assert_fails!(session.get("user"), SessionError::NotStarted);
                    assert_fails!(session.set("user", json!(8)), SessionError::NotStarted);
                    Ok(())
                };
                fixture.visit(id.clone(), work).await?;
                // A lock whose reply was lost ends with its lease.
                pass(sessile_core::DEFAULT_LEASE).await;
            }
        }
    }
    assert_eq!(fixture.shown(&id).await, Some(values([("user", json!(7))])));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn the_times_of_creation_and_last_activity_are_available() -> Result<(), SessionError> {
    let fixture = fixture();
    let session = &fixture.session;
    let created = fixture.now();
    let id = fixture.stored_as(Expiration::sliding(MINUTE), []).await;
    pass(secs(30)).await;
    let active = fixture.now();
    let look = async {
        session.start_readonly().await?;
        assert_eq!(session.created_at(), Some(created.into()));
        assert_eq!(session.last_active_at(), Some(active.into()));
        Ok(())
    };
    fixture.visit(id, look).await
}

#[tokio::test(start_paused = true)]
async fn the_lock_of_a_storage_is_taken_with_no_wait_when_none_is_wanted() -> Result<(), SessionError> {
    let fixture = fixture_with(|builder| builder.lock_wait(Duration::ZERO));
    let id = fixture.stored([]).await;
    let held = fixture.storage.lock(&id.key(), Duration::ZERO).await?;
    assert!(matches!(held, Lookup::Found(_)));
    let before = fixture.now();
    let entered = fixture.session.enter(id.into(), async { Ok::<_, SessionError>(()) });
    assert_fails!(entered.await, SessionError::LockTimeout);
    assert_eq!(fixture.now(), before);
    Ok(())
}
