//! The scenarios: one for each phase of a visit, and one for each event.

use std::future::{Future, pending};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use sessile_core::{
    Events, Expiration, InSession, Key, Limit, MINUTE, Meta, OnMismatch, OsEntropy, Record, SECOND, Session,
    SessionError, SessionId, ShownWindow, Storage, StorageErrorKind, UnreadablePolicy, Untyped, Visit,
};
use sessile_testkit::{Fault, Operation};
use tokio::time::{sleep, timeout};

use crate::callback::{COUNT, Source};
use crate::fixture::{CallbackValue, Fixture, Scenario, Setup, trigger_current, within};
use crate::storage::CallbackOnDrop;

type RunFuture<'a> = Pin<Box<dyn Future<Output = Result<(), SessionError>> + 'a>>;

const VALUE: Key<Untyped, CallbackValue> = Key::new("value");

/// The stored value is not a number.
const MISFIT: Key<Untyped, u64> = Key::new("misfit");

/// The value has a default expiration that the application computes.
const DATED: Key<Untyped, u64> = Key::new("dated").expiring(|| {
    trigger_current(Source::Closure);
    Expiration::After(MINUTE)
});

/// All scenarios, with their names and the settings of their sessions.
pub(crate) const SCENARIOS: &[(&str, Setup, Scenario)] = &[
    ("a session is created", unchanged, created),
    ("a session gets a new id", unchanged, rotated),
    ("a session is destroyed", unchanged, destroyed),
    ("an id names no session", unchanged, unknown),
    ("a session has moved", unchanged, superseded),
    ("a record cannot be read", unchanged, unreadable),
    ("a record that cannot be read is dropped", dropping, unreadable_dropped),
    ("a commit is refused", unchanged, refused),
    ("a lock cannot be released", unchanged, release_failed),
    ("a sliding expiration cannot be moved", unchanged, slide_failed),
    ("a transaction", unchanged, transaction),
    ("a transaction that is dropped", unchanged, transaction_dropped),
    ("a release", unchanged, released),
    ("a visit that is left open", unchanged, left_open),
    ("a start that is dropped", unchanged, start_dropped),
    ("values are changed", unchanged, values),
    ("values are of other types", unchanged, mismatched),
    ("values have expired", unchanged, purged),
    ("values end with the window", unchanged, windows),
    ("a session is read again", unchanged, refreshed),
    ("a user logs in", unchanged, authenticated),
    ("an owner logs in too often", listening, logged_in),
    ("a session ends that is watched", watching, ended),
    ("a listener panics", panicking, created),
    ("a round of the maintenance fails", watching, round_failed),
    ("an end cannot be noted", watching, mark_failed),
    ("a visit comes with two ids", unchanged, candidates),
    ("a lock is renewed", unchanged, renewed),
    ("a lock is released while it is renewed", unchanged, renewal_dropped),
    ("a stream and a task continue", unchanged, scopes),
    #[cfg(feature = "axum")]
    ("errors become responses", unchanged, responses),
];

fn unchanged(builder: Builder) -> Builder {
    builder
}

fn dropping(builder: Builder) -> Builder {
    builder.on_unreadable(UnreadablePolicy::Drop)
}

fn listening(builder: Builder) -> Builder {
    builder
        .limit(Limit::per_owner(1).evict_oldest())
        .events(Events::new().listen(|_| trigger_current(Source::Closure)))
}

fn watching(builder: Builder) -> Builder {
    builder.events(
        Events::new()
            .at_least_once()
            .listen(|_| trigger_current(Source::Closure)),
    )
}

fn panicking(builder: Builder) -> Builder {
    builder.events(Events::new().listen(|_| panic!("a fault of the application")))
}

type Builder = sessile_core::SessionBuilder<Untyped, Untyped>;

/// Returns a guard that triggers the callback when the future that holds it is dropped.
fn work_dropped(fixture: &Fixture) -> CallbackOnDrop {
    CallbackOnDrop(Arc::clone(&fixture.callback), Source::WorkDropped)
}

async fn create(fixture: &Fixture) -> Result<SessionId, SessionError> {
    let session = &fixture.session;
    let work = async {
        let _dropped = work_dropped(fixture);
        session.start().await?;
        session.set("user", json!(7))?;
        session.set(VALUE, fixture.value())?;
        session.close().await?;
        session.id().ok_or(SessionError::Gone)
    };
    fixture.visit(Visit::new(), work).await
}

fn created(fixture: &Fixture) -> RunFuture<'_> {
    Box::pin(async { create(fixture).await.map(drop) })
}

async fn moved(fixture: &Fixture, id: SessionId) -> Result<SessionId, SessionError> {
    let session = &fixture.session;
    let work = async {
        session.start().await?;
        session.regenerate_id()?;
        fixture.debug(&session.handle()?);
        session.close().await?;
        session.id().ok_or(SessionError::Gone)
    };
    fixture.visit(id, work).await
}

fn rotated(fixture: &Fixture) -> RunFuture<'_> {
    Box::pin(async {
        let id = fixture.stored(Expiration::Never).await;
        moved(fixture, id).await.map(drop)
    })
}

fn destroyed(fixture: &Fixture) -> RunFuture<'_> {
    Box::pin(async {
        let session = &fixture.session;
        for starts in [false, true] {
            let id = fixture.stored(Expiration::Never).await;
            let work = async {
                if starts {
                    session.start().await?;
                    session.set("user", json!(8))?;
                }
                session.destroy().await?;
                session.start().await?;
                session.set("user", json!(9))?;
                session.close().await?;
                session.destroy().await
            };
            fixture.visit(id, work).await?;
        }
        Ok(())
    })
}

fn unknown(fixture: &Fixture) -> RunFuture<'_> {
    Box::pin(async {
        let session = &fixture.session;
        let id = || SessionId::generate(&OsEntropy);
        fixture.visit(id(), async { session.start().await }).await?;
        fixture.visit(id(), async { session.start_readonly().await }).await?;
        let strict = fixture.visit(Visit::attach(id()), async { session.start().await });
        expect(strict.await, |error| matches!(error, SessionError::Unknown))
    })
}

fn superseded(fixture: &Fixture) -> RunFuture<'_> {
    Box::pin(async {
        let session = &fixture.session;
        let old = fixture.stored(Expiration::Never).await;
        let before = fixture.open(old.clone());
        within(&before, session.start_readonly()).await?;
        moved(fixture, old.clone()).await?;
        fixture.callback.set_visit(Some(before.handle().clone()));
        let start = within(&before, session.start()).await;
        expect(start, |error| matches!(error, SessionError::Superseded))?;
        fixture.visit(old.clone(), async { session.start().await }).await?;
        fixture
            .visit(old.clone(), async { session.start_readonly().await })
            .await?;
        fixture.visit(old, async { session.destroy().await }).await
    })
}

async fn unreadable_record(fixture: &Fixture) -> Result<SessionId, SessionError> {
    let id = SessionId::generate(&OsEntropy);
    let record = Record::new(Meta::new(fixture.storage.clock().now()), "nonsense");
    fixture.storage.create(&id.key(), record).await?;
    Ok(id)
}

fn unreadable(fixture: &Fixture) -> RunFuture<'_> {
    Box::pin(async {
        let session = &fixture.session;
        let id = unreadable_record(fixture).await?;
        let is_expected = |error: &SessionError| matches!(error, SessionError::Unreadable(_));
        let start = fixture.visit(id.clone(), async { session.start().await });
        expect(start.await, is_expected)?;
        let start = fixture.visit(id, async { session.start_readonly().await });
        expect(start.await, is_expected)
    })
}

fn unreadable_dropped(fixture: &Fixture) -> RunFuture<'_> {
    Box::pin(async {
        let session = &fixture.session;
        let id = unreadable_record(fixture).await?;
        fixture.visit(id, async { session.start().await }).await?;
        let id = unreadable_record(fixture).await?;
        fixture.visit(id, async { session.start_readonly().await }).await
    })
}

fn refused(fixture: &Fixture) -> RunFuture<'_> {
    Box::pin(async {
        let session = &fixture.session;
        // The session is destroyed, has moved or cannot be reached, or the response has been sent.
        for case in 0..4 {
            let id = fixture.stored(Expiration::Never).await;
            let visit = fixture.open(id.clone());
            within(&visit, session.start()).await?;
            visit.handle().enter(|| session.set("user", json!(8)))?;
            let other_session = fixture.other_session();
            match case {
                0 => {
                    other_session
                        .init(id.into(), async { other_session.destroy().await })
                        .await??
                }
                1 => fixture
                    .faults
                    .fail_next(Operation::Commit, Fault::before(StorageErrorKind::Unavailable)),
                2 => fixture
                    .faults
                    .fail_next(Operation::Commit, Fault::after(StorageErrorKind::Timeout)),
                _ => {
                    visit.handle().enter(|| session.regenerate_id())?;
                    visit.seal();
                }
            }
            expect(visit.close().await, |_| true)?;
            let _ = visit.handle().enter(|| session.get("user"));
            expect(within(&visit, session.close()).await, |_| true)?;
        }
        Ok(())
    })
}

fn release_failed(fixture: &Fixture) -> RunFuture<'_> {
    Box::pin(async {
        let session = &fixture.session;
        let id = fixture.stored(Expiration::Never).await;
        let fault = || Fault::after(StorageErrorKind::Unavailable);
        fixture.faults.fail_next(Operation::Release, fault());
        fixture.visit(id.clone(), async { session.start().await }).await?;
        fixture.faults.fail_next(Operation::Release, fault());
        let work = async {
            session.start().await?;
            session.close().await
        };
        fixture.visit(id, work).await
    })
}

fn slide_failed(fixture: &Fixture) -> RunFuture<'_> {
    Box::pin(async {
        let session = &fixture.session;
        let id = fixture.stored(Expiration::sliding(10 * MINUTE)).await;
        let fault = || Fault::before(StorageErrorKind::Unavailable);
        sleep(5 * MINUTE).await;
        fixture.faults.fail_next(Operation::Touch, fault());
        fixture
            .visit(id.clone(), async { session.start_readonly().await })
            .await?;
        fixture.faults.fail_next(Operation::Touch, fault());
        fixture.visit(id.clone(), async { session.start().await }).await?;
        let work = async {
            session.start_readonly().await?;
            sleep(2 * MINUTE).await;
            fixture.faults.fail_next(Operation::Touch, fault());
            Ok(())
        };
        fixture.visit(id.clone(), work).await?;
        let work = async {
            session.start_readonly().await?;
            sleep(2 * MINUTE).await;
            Ok(())
        };
        fixture.visit(id, work).await
    })
}

fn transaction(fixture: &Fixture) -> RunFuture<'_> {
    Box::pin(async {
        let session = &fixture.session;
        let id = fixture.stored(Expiration::Never).await;
        for (visit, fails) in [(Visit::from(id), false), (Visit::new(), false), (Visit::new(), true)] {
            let work = async {
                session.start_readonly().await?;
                let inside = async || {
                    let _dropped = work_dropped(fixture);
                    fixture.callback.trigger(Source::Closure);
                    session.set("user", json!(8))?;
                    sleep(SECOND).await;
                    if fails { Err(SessionError::Unknown) } else { Ok(()) }
                };
                match session.transaction_exclusive(inside).await {
                    Err(SessionError::Unknown) if fails => Ok(()),
                    result => result,
                }
            };
            fixture.visit(visit, work).await?;
        }
        Ok(())
    })
}

fn transaction_dropped(fixture: &Fixture) -> RunFuture<'_> {
    Box::pin(async {
        let session = &fixture.session;
        let id = fixture.stored(Expiration::Never).await;
        let work = async {
            let inside = async || {
                let _dropped = work_dropped(fixture);
                session.set("user", json!(8))?;
                pending::<Result<(), SessionError>>().await
            };
            let dropped = timeout(Duration::from_millis(50), session.transaction_exclusive(inside)).await;
            drop(dropped);
            Ok(())
        };
        fixture.visit(id, work).await
    })
}

fn released(fixture: &Fixture) -> RunFuture<'_> {
    Box::pin(async {
        let session = &fixture.session;
        let id = fixture.stored(Expiration::Never).await;
        let work = async {
            session.start().await?;
            session.set("user", json!(8))?;
            session.release().await?;
            session.start().await?;
            session.set("user", json!(8))?;
            Err::<(), _>(SessionError::Unknown)
        };
        expect(fixture.visit(id, work).await, |error| {
            matches!(error, SessionError::Unknown)
        })
    })
}

fn left_open(fixture: &Fixture) -> RunFuture<'_> {
    Box::pin(async {
        let session = &fixture.session;
        let id = fixture.stored(Expiration::Never).await;
        for keeps_handle in [false, true] {
            let visit = fixture.open(id.clone());
            let handle = keeps_handle.then(|| visit.handle().clone());
            within(&visit, session.start()).await?;
            visit.handle().enter(|| session.set("user", json!(8)))?;
            if !keeps_handle {
                fixture.callback.set_visit(None);
            }
            drop(visit);
            if let Some(handle) = handle {
                let work = async {
                    session.start().await?;
                    session.set("user", json!(9))
                };
                work.in_session(&handle).await?;
            }
        }
        Ok(())
    })
}

fn start_dropped(fixture: &Fixture) -> RunFuture<'_> {
    Box::pin(async {
        let session = &fixture.session;
        let id = fixture.stored(Expiration::Never).await;
        for (operation, after) in [
            (Operation::Lock, false),
            (Operation::Lock, true),
            (Operation::Read, true),
            (Operation::Create, true),
        ] {
            match after {
                true => fixture.delays.after(operation, SECOND),
                false => fixture.delays.before(operation, SECOND),
            }
            let visit = match operation {
                Operation::Create => fixture.open(Visit::new()),
                _ => fixture.open(id.clone()),
            };
            let work = async {
                let _dropped = work_dropped(fixture);
                if operation == Operation::Read {
                    return session.start_readonly().await;
                }
                session.start().await?;
                session.set("user", json!(8))?;
                session.close().await
            };
            let dropped = timeout(SECOND / 2, within(&visit, work)).await;
            fixture.delays.clear();
            drop(dropped);
            fixture.callback.set_visit(None);
        }
        Ok(())
    })
}

fn values(fixture: &Fixture) -> RunFuture<'_> {
    Box::pin(async {
        let session = &fixture.session;
        let id = fixture.stored(Expiration::Never).await;
        let any = session.namespace("any");
        let work = async {
            session.start().await?;
            fixture.debug(session);
            session.set(DATED, 1)?;
            session.set(VALUE, fixture.value())?;
            session.get(VALUE)?;
            session.update(VALUE, |_| fixture.callback.trigger(Source::Closure))?;
            session.update(COUNT, |_| fixture.callback.trigger(Source::Closure))?;
            any.update(COUNT, |_| fixture.callback.trigger(Source::Closure))?;
            let make = || {
                fixture.callback.trigger(Source::Closure);
                fixture.value()
            };
            any.get_or_insert_with(VALUE, make)?;
            any.get_or_insert_with(VALUE, || fixture.value())?;
            session.set_with_expiration("user", json!(8), Expiration::sliding(MINUTE))?;
            session.set_key_expiration("user", Expiration::After(MINUTE))?;
            session.set_expiration(Expiration::sliding(MINUTE))?;
            any.set_expiration(Expiration::Never)?;
            let _ = (session.keys()?, session.contains("user")?, session.unset("user")?);
            any.destroy()?;
            session.close().await
        };
        fixture.visit(id, work).await
    })
}

fn mismatched(fixture: &Fixture) -> RunFuture<'_> {
    Box::pin(async {
        let session = &fixture.session;
        let id = fixture.stored(Expiration::Never).await;
        let work = async {
            session.start().await?;
            session.set("misfit", json!("text"))?;
            expect(session.get(MISFIT), |error| matches!(error, SessionError::Codec(_)))?;
            session.get(MISFIT.on_mismatch(OnMismatch::Unset))?;
            let make = || {
                trigger_current(Source::Closure);
                1
            };
            session.get(MISFIT.on_mismatch(OnMismatch::Default(make)))?;
            let migrated = MISFIT.migrate(|_| {
                trigger_current(Source::Closure);
                Some(1)
            });
            session.update(migrated, |_| ())
        };
        fixture.visit(id, work).await
    })
}

fn purged(fixture: &Fixture) -> RunFuture<'_> {
    Box::pin(async {
        let session = &fixture.session;
        for readonly in [true, false] {
            let id = fixture.stored(Expiration::sliding(10 * MINUTE)).await;
            sleep(5 * MINUTE).await;
            let work = async {
                match readonly {
                    true => session.start_readonly().await?,
                    false => {
                        session.start().await?;
                        session.set("user", json!(8))?;
                    }
                }
                session.get("dead").map(drop)
            };
            fixture.visit(id, work).await?;
        }
        Ok(())
    })
}

fn windows(fixture: &Fixture) -> RunFuture<'_> {
    Box::pin(async {
        let session = &fixture.session;
        let id = fixture.stored(Expiration::Never).await;
        let work = async {
            session.start().await?;
            session.set_with_expiration("draft", json!(1), Expiration::Transient)
        };
        fixture.visit(id.clone(), work).await?;
        let restarted = Visit::from(id.clone()).browser_restarted(true);
        fixture
            .visit(restarted, async { session.start_readonly().await })
            .await?;
        let shown = Visit::from(id).window(ShownWindow::Nothing);
        fixture.visit(shown, async { session.start().await }).await
    })
}

fn refreshed(fixture: &Fixture) -> RunFuture<'_> {
    Box::pin(async {
        let session = &fixture.session;
        let id = fixture.stored(Expiration::Never).await;
        let work = async {
            session.start_passive().await?;
            session.refresh().await?;
            let other_session = fixture.other_session();
            other_session
                .init(id.clone().into(), async { other_session.destroy().await })
                .await??;
            expect(session.refresh().await, |error| matches!(error, SessionError::Gone))?;
            expect(session.get("user"), |error| matches!(error, SessionError::Gone))
        };
        fixture.visit(id.clone(), work).await
    })
}

fn authenticated(fixture: &Fixture) -> RunFuture<'_> {
    Box::pin(async {
        let session = &fixture.session;
        let id = fixture.stored(Expiration::Never).await;
        let work = async {
            session.start().await?;
            session.mark_authenticated()?;
            session.close().await?;
            let _ = session.authenticated_at();
            Ok(())
        };
        fixture.visit(id, work).await
    })
}

fn logged_in(fixture: &Fixture) -> RunFuture<'_> {
    Box::pin(async {
        let session = &fixture.session;
        for _ in 0..2 {
            let work = async {
                session.start().await?;
                session.log_in("ada")?;
                session.close().await?;
                let _ = session.owner();
                session.require_fresh(MINUTE)
            };
            fixture.visit(Visit::new(), work).await?;
        }
        session.registry().by_owner("ada").await?;
        session.registry().end_all("ada").await?;
        session.registry().audit().await.map(drop)
    })
}

fn ended(fixture: &Fixture) -> RunFuture<'_> {
    Box::pin(async {
        let session = &fixture.session;
        for asked in [true, false] {
            let work = async {
                session.start().await?;
                session.log_in("ada")?;
                session.close().await?;
                session.on_end(|ended| {
                    let _ = ended.get("a");
                    trigger_current(Source::Closure);
                })?;
                if asked {
                    session.destroy().await?;
                }
                Ok(())
            };
            fixture.visit(Visit::new(), work).await?;
        }
        session.registry().maintain_once().await?;
        session.registry().end_all("ada").await?;
        session.registry().maintain_once().await.map(drop)
    })
}

fn round_failed(fixture: &Fixture) -> RunFuture<'_> {
    Box::pin(async {
        fixture
            .faults
            .fail_next(Operation::Read, Fault::before(StorageErrorKind::Unavailable));
        let registry = fixture.session.registry();
        let _ = timeout(SECOND, registry.maintain(MINUTE)).await;
        Ok(())
    })
}

fn mark_failed(fixture: &Fixture) -> RunFuture<'_> {
    Box::pin(async {
        let session = &fixture.session;
        let id = create(fixture).await?;
        fixture
            .faults
            .fail_next(Operation::Lock, Fault::before(StorageErrorKind::Unavailable));
        session.registry().end(&id.key()).await.map(drop)
    })
}

fn candidates(fixture: &Fixture) -> RunFuture<'_> {
    Box::pin(async {
        let session = &fixture.session;
        let id = fixture.stored(Expiration::Never).await;
        let both = || Visit::from(SessionId::generate(&OsEntropy)).or(id.clone());
        fixture.visit(both(), async { session.start_readonly().await }).await?;
        fixture.visit(both(), async { session.start().await }).await?;
        fixture.visit(both(), async { session.destroy().await }).await
    })
}

fn renewed(fixture: &Fixture) -> RunFuture<'_> {
    Box::pin(async {
        let session = &fixture.session;
        let id = fixture.stored(Expiration::sliding(2 * MINUTE)).await;
        let work = async {
            session.start().await?;
            sleep(5 * MINUTE).await;
            session.set("user", json!(8))?;
            session.close().await
        };
        fixture.visit(id, work).await
    })
}

fn renewal_dropped(fixture: &Fixture) -> RunFuture<'_> {
    Box::pin(async {
        let session = &fixture.session;
        let id = fixture.stored(Expiration::Never).await;
        let visit = fixture.open(id);
        // One task renews the lock, and the renewal is pending when another task releases the lock.
        fixture.delays.before(Operation::Renew, MINUTE);
        let renews = async {
            session.start().await?;
            for _ in 0..20 {
                sleep(SECOND).await;
            }
            Ok::<_, SessionError>(())
        };
        let releases = async {
            sleep(15 * SECOND).await;
            session.release().await
        };
        let (renews, releases) = tokio::join!(within(&visit, renews), within(&visit, releases));
        visit.close().await?;
        renews.and(releases)
    })
}

fn scopes(fixture: &Fixture) -> RunFuture<'_> {
    Box::pin(async {
        let session: &Session = &fixture.session;
        let id = fixture.stored(Expiration::Never).await;
        let visit = fixture.open(id);
        let handle = visit.handle().clone();
        let polled = async {
            let _dropped = work_dropped(fixture);
            session.start().await?;
            pending::<Result<(), SessionError>>().await
        };
        let dropped = timeout(SECOND, polled.in_session(&handle)).await;
        drop(dropped);
        visit.close().await?;
        let _ = visit.outcome();
        fixture.debug(&handle);
        drop(visit);
        let late = async {
            let _dropped = work_dropped(fixture);
            session
                .transaction_exclusive(async || session.set("user", json!(8)))
                .await
        };
        late.in_session(&handle).await
    })
}

#[cfg(feature = "axum")]
fn responses(fixture: &Fixture) -> RunFuture<'_> {
    use axum_core::extract::FromRequestParts;
    use axum_core::response::IntoResponse;

    Box::pin(async {
        let (mut parts, ()) = http::Request::new(()).into_parts();
        let missing = Session::<Untyped, Untyped>::from_request_parts(&mut parts, &()).await;
        drop(missing.map_err(IntoResponse::into_response));
        let work = async {
            for error in [SessionError::Gone, SessionError::LockTimeout, SessionError::NotStarted] {
                drop(error.into_response());
            }
            Ok(())
        };
        fixture.visit(Visit::new(), work).await
    })
}

/// Asserts that the call fails with this error.
fn expect<T>(result: Result<T, SessionError>, is_expected: impl Fn(&SessionError) -> bool) -> Result<(), SessionError> {
    match result {
        Err(error) if is_expected(&error) => Ok(()),
        Err(error) => Err(error),
        Ok(_) => Err(SessionError::AlreadyInitialised),
    }
}
