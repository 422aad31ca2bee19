//! What visits do while they are signalled about: each phase of a visit, and each thing there is an event for.

use std::future::{Future, pending};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use sessile_core::{
    Expiration, InSession, Key, MINUTE, Meta, OnMismatch, OsEntropy, Record, SECOND, Session, SessionError, SessionId,
    ShownWindow, Storage, StorageErrorKind, Unreadable, Untyped, Visit,
};
use sessile_testkit::{Fault, Verb};
use tokio::time::{sleep, timeout};

use crate::bell::{COUNT, Source};
use crate::bench::{Bench, Ringing, Scene, Setup, ring_here, within};
use crate::storage::RingsDropped;

type Played<'a> = Pin<Box<dyn Future<Output = Result<(), SessionError>> + 'a>>;

const RINGING: Key<Untyped, Ringing> = Key::new("ringing");

/// What stands under it is no number.
const MISFIT: Key<Untyped, u64> = Key::new("misfit");

/// What stands under it has a default expiration that the application works out.
const DATED: Key<Untyped, u64> = Key::new("dated").expiring(|| {
    ring_here(Source::Closure);
    Expiration::After(MINUTE)
});

/// All scenes, with their names and how their sessions are set up.
pub(crate) const SCENES: &[(&str, Setup, Scene)] = &[
    ("a session is made", as_it_is, created),
    ("a session gets a new id", as_it_is, rotated),
    ("a session is destroyed", as_it_is, destroyed),
    ("an id names no session", as_it_is, unknown),
    ("a session has moved", as_it_is, superseded),
    ("a record cannot be read", as_it_is, unreadable),
    ("a record that cannot be read is dropped", dropping, unreadable_dropped),
    ("a commit is refused", as_it_is, refused),
    ("a lock cannot be given back", as_it_is, not_released),
    ("an end cannot be moved", as_it_is, not_moved),
    ("an update", as_it_is, update),
    ("an update that does not get to its end", as_it_is, update_dropped),
    ("a release", as_it_is, released),
    ("a visit that is left open", as_it_is, left_open),
    ("a start that is dropped", as_it_is, start_dropped),
    ("values are changed", as_it_is, values),
    ("values are of other types", as_it_is, mismatched),
    ("values have died", as_it_is, purged),
    ("values end with the window", as_it_is, windows),
    ("a session is read again", as_it_is, refreshed),
    ("somebody logs in", as_it_is, authenticated),
    ("a visit comes with two ids", as_it_is, candidates),
    ("a lock is renewed", as_it_is, renewed),
    ("a lock goes while it is renewed", as_it_is, renewal_cut),
    ("a stream and a task go on", as_it_is, scopes),
    #[cfg(feature = "axum")]
    ("errors become answers", as_it_is, answered),
];

fn as_it_is(builder: Builder) -> Builder {
    builder
}

fn dropping(builder: Builder) -> Builder {
    builder.on_unreadable(Unreadable::Drop)
}

type Builder = sessile_core::SessionBuilder<Untyped, Untyped>;

/// Rings when the future that holds it is dropped.
fn work_dropped(bench: &Bench) -> RingsDropped {
    RingsDropped(Arc::clone(&bench.bell), Source::WorkDropped)
}

async fn made(bench: &Bench) -> Result<SessionId, SessionError> {
    let session = &bench.session;
    let work = async {
        let _dropped = work_dropped(bench);
        session.start().await?;
        session.set("user", json!(7))?;
        session.set(RINGING, bench.value())?;
        session.close().await?;
        session.id().ok_or(SessionError::Gone)
    };
    bench.visit(Visit::new(), work).await
}

fn created(bench: &Bench) -> Played<'_> {
    Box::pin(async { made(bench).await.map(drop) })
}

async fn moved(bench: &Bench, id: SessionId) -> Result<SessionId, SessionError> {
    let session = &bench.session;
    let work = async {
        session.start().await?;
        session.regenerate_id()?;
        bench.debug(&session.handle()?);
        session.close().await?;
        session.id().ok_or(SessionError::Gone)
    };
    bench.visit(id, work).await
}

fn rotated(bench: &Bench) -> Played<'_> {
    Box::pin(async {
        let id = bench.stored(Expiration::Never).await;
        moved(bench, id).await.map(drop)
    })
}

fn destroyed(bench: &Bench) -> Played<'_> {
    Box::pin(async {
        let session = &bench.session;
        for starts in [false, true] {
            let id = bench.stored(Expiration::Never).await;
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
            bench.visit(id, work).await?;
        }
        Ok(())
    })
}

fn unknown(bench: &Bench) -> Played<'_> {
    Box::pin(async {
        let session = &bench.session;
        let id = || SessionId::generate(&OsEntropy);
        bench.visit(id(), async { session.start().await }).await?;
        bench.visit(id(), async { session.start_readonly().await }).await?;
        let strict = bench.visit(Visit::attach(id()), async { session.start().await });
        expect(strict.await, |error| matches!(error, SessionError::Unknown))
    })
}

fn superseded(bench: &Bench) -> Played<'_> {
    Box::pin(async {
        let session = &bench.session;
        let old = bench.stored(Expiration::Never).await;
        let before = bench.open(old.clone());
        within(&before, session.start_readonly()).await?;
        moved(bench, old.clone()).await?;
        bench.bell.about(Some(before.handle().clone()));
        let start = within(&before, session.start()).await;
        expect(start, |error| matches!(error, SessionError::Superseded))?;
        bench.visit(old.clone(), async { session.start().await }).await?;
        bench
            .visit(old.clone(), async { session.start_readonly().await })
            .await?;
        bench.visit(old, async { session.destroy().await }).await
    })
}

async fn damaged(bench: &Bench) -> Result<SessionId, SessionError> {
    let id = SessionId::generate(&OsEntropy);
    let record = Record::new(Meta::new(bench.storage.clock().now()), "nonsense");
    bench.storage.create(&id.key(), record).await?;
    Ok(id)
}

fn unreadable(bench: &Bench) -> Played<'_> {
    Box::pin(async {
        let session = &bench.session;
        let id = damaged(bench).await?;
        let is_it = |error: &SessionError| matches!(error, SessionError::Unreadable(_));
        let start = bench.visit(id.clone(), async { session.start().await });
        expect(start.await, is_it)?;
        let start = bench.visit(id, async { session.start_readonly().await });
        expect(start.await, is_it)
    })
}

fn unreadable_dropped(bench: &Bench) -> Played<'_> {
    Box::pin(async {
        let session = &bench.session;
        let id = damaged(bench).await?;
        bench.visit(id, async { session.start().await }).await?;
        let id = damaged(bench).await?;
        bench.visit(id, async { session.start_readonly().await }).await
    })
}

fn refused(bench: &Bench) -> Played<'_> {
    Box::pin(async {
        let session = &bench.session;
        // The session is destroyed, moved or cannot be reached, and the answer has gone out.
        for trouble in 0..4 {
            let id = bench.stored(Expiration::Never).await;
            let visit = bench.open(id.clone());
            within(&visit, session.start()).await?;
            visit.handle().enter(|| session.set("user", json!(8)))?;
            let elsewhere = bench.elsewhere();
            match trouble {
                0 => elsewhere.init(id.into(), async { elsewhere.destroy().await }).await??,
                1 => bench
                    .faults
                    .fail_next(Verb::Commit, Fault::before(StorageErrorKind::Unavailable)),
                2 => bench
                    .faults
                    .fail_next(Verb::Commit, Fault::after(StorageErrorKind::Timeout)),
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

fn not_released(bench: &Bench) -> Played<'_> {
    Box::pin(async {
        let session = &bench.session;
        let id = bench.stored(Expiration::Never).await;
        let fault = || Fault::after(StorageErrorKind::Unavailable);
        bench.faults.fail_next(Verb::Release, fault());
        bench.visit(id.clone(), async { session.start().await }).await?;
        bench.faults.fail_next(Verb::Release, fault());
        let work = async {
            session.start().await?;
            session.close().await
        };
        bench.visit(id, work).await
    })
}

fn not_moved(bench: &Bench) -> Played<'_> {
    Box::pin(async {
        let session = &bench.session;
        let id = bench.stored(Expiration::sliding(10 * MINUTE)).await;
        let fault = || Fault::before(StorageErrorKind::Unavailable);
        sleep(5 * MINUTE).await;
        bench.faults.fail_next(Verb::Touch, fault());
        bench
            .visit(id.clone(), async { session.start_readonly().await })
            .await?;
        bench.faults.fail_next(Verb::Touch, fault());
        bench.visit(id.clone(), async { session.start().await }).await?;
        let work = async {
            session.start_readonly().await?;
            sleep(2 * MINUTE).await;
            bench.faults.fail_next(Verb::Touch, fault());
            Ok(())
        };
        bench.visit(id.clone(), work).await?;
        let work = async {
            session.start_readonly().await?;
            sleep(2 * MINUTE).await;
            Ok(())
        };
        bench.visit(id, work).await
    })
}

fn update(bench: &Bench) -> Played<'_> {
    Box::pin(async {
        let session = &bench.session;
        let id = bench.stored(Expiration::Never).await;
        for (visit, fails) in [(Visit::from(id), false), (Visit::new(), false), (Visit::new(), true)] {
            let work = async {
                session.start_readonly().await?;
                let inside = async || {
                    let _dropped = work_dropped(bench);
                    bench.bell.ring(Source::Closure);
                    session.set("user", json!(8))?;
                    sleep(SECOND).await;
                    if fails { Err(SessionError::Unknown) } else { Ok(()) }
                };
                match session.update_exclusive(inside).await {
                    Err(SessionError::Unknown) if fails => Ok(()),
                    result => result,
                }
            };
            bench.visit(visit, work).await?;
        }
        Ok(())
    })
}

fn update_dropped(bench: &Bench) -> Played<'_> {
    Box::pin(async {
        let session = &bench.session;
        let id = bench.stored(Expiration::Never).await;
        let work = async {
            let inside = async || {
                let _dropped = work_dropped(bench);
                session.set("user", json!(8))?;
                pending::<Result<(), SessionError>>().await
            };
            let cut = timeout(Duration::from_millis(50), session.update_exclusive(inside)).await;
            drop(cut);
            Ok(())
        };
        bench.visit(id, work).await
    })
}

fn released(bench: &Bench) -> Played<'_> {
    Box::pin(async {
        let session = &bench.session;
        let id = bench.stored(Expiration::Never).await;
        let work = async {
            session.start().await?;
            session.set("user", json!(8))?;
            session.release().await?;
            session.start().await?;
            session.set("user", json!(8))?;
            Err::<(), _>(SessionError::Unknown)
        };
        expect(bench.visit(id, work).await, |error| {
            matches!(error, SessionError::Unknown)
        })
    })
}

fn left_open(bench: &Bench) -> Played<'_> {
    Box::pin(async {
        let session = &bench.session;
        let id = bench.stored(Expiration::Never).await;
        for keeps_handle in [false, true] {
            let visit = bench.open(id.clone());
            let handle = keeps_handle.then(|| visit.handle().clone());
            within(&visit, session.start()).await?;
            visit.handle().enter(|| session.set("user", json!(8)))?;
            if !keeps_handle {
                bench.bell.about(None);
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

fn start_dropped(bench: &Bench) -> Played<'_> {
    Box::pin(async {
        let session = &bench.session;
        let id = bench.stored(Expiration::Never).await;
        for (verb, after) in [
            (Verb::Lock, false),
            (Verb::Lock, true),
            (Verb::Read, true),
            (Verb::Create, true),
        ] {
            match after {
                true => bench.delays.after(verb, SECOND),
                false => bench.delays.before(verb, SECOND),
            }
            let visit = match verb {
                Verb::Create => bench.open(Visit::new()),
                _ => bench.open(id.clone()),
            };
            let work = async {
                let _dropped = work_dropped(bench);
                if verb == Verb::Read {
                    return session.start_readonly().await;
                }
                session.start().await?;
                session.set("user", json!(8))?;
                session.close().await
            };
            let cut = timeout(SECOND / 2, within(&visit, work)).await;
            bench.delays.clear();
            drop(cut);
            bench.bell.about(None);
        }
        Ok(())
    })
}

fn values(bench: &Bench) -> Played<'_> {
    Box::pin(async {
        let session = &bench.session;
        let id = bench.stored(Expiration::Never).await;
        let any = session.namespace("any");
        let work = async {
            session.start().await?;
            bench.debug(session);
            session.set(DATED, 1)?;
            session.set(RINGING, bench.value())?;
            session.get(RINGING)?;
            session.update_key(RINGING, |_| bench.bell.ring(Source::Closure))?;
            session.update_key(COUNT, |_| bench.bell.ring(Source::Closure))?;
            any.update(COUNT, |_| bench.bell.ring(Source::Closure))?;
            let make = || {
                bench.bell.ring(Source::Closure);
                bench.value()
            };
            any.get_or_insert_with(RINGING, make)?;
            any.get_or_insert_with(RINGING, || bench.value())?;
            session.set_with_expiration("user", json!(8), Expiration::sliding(MINUTE))?;
            session.set_key_expiration("user", Expiration::After(MINUTE))?;
            session.set_expiration(Expiration::sliding(MINUTE))?;
            any.set_expiration(Expiration::Never)?;
            let _ = (session.keys()?, session.contains("user")?, session.unset("user")?);
            any.destroy()?;
            session.close().await
        };
        bench.visit(id, work).await
    })
}

fn mismatched(bench: &Bench) -> Played<'_> {
    Box::pin(async {
        let session = &bench.session;
        let id = bench.stored(Expiration::Never).await;
        let work = async {
            session.start().await?;
            session.set("misfit", json!("text"))?;
            expect(session.get(MISFIT), |error| matches!(error, SessionError::Codec(_)))?;
            session.get(MISFIT.on_mismatch(OnMismatch::Unset))?;
            let make = || {
                ring_here(Source::Closure);
                1
            };
            session.get(MISFIT.on_mismatch(OnMismatch::Default(make)))?;
            let migrated = MISFIT.migrate(|_| {
                ring_here(Source::Closure);
                Some(1)
            });
            session.update_key(migrated, |_| ())
        };
        bench.visit(id, work).await
    })
}

fn purged(bench: &Bench) -> Played<'_> {
    Box::pin(async {
        let session = &bench.session;
        for readonly in [true, false] {
            let id = bench.stored(Expiration::sliding(10 * MINUTE)).await;
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
            bench.visit(id, work).await?;
        }
        Ok(())
    })
}

fn windows(bench: &Bench) -> Played<'_> {
    Box::pin(async {
        let session = &bench.session;
        let id = bench.stored(Expiration::Never).await;
        let work = async {
            session.start().await?;
            session.set_with_expiration("draft", json!(1), Expiration::Transient)
        };
        bench.visit(id.clone(), work).await?;
        let restarted = Visit::from(id.clone()).browser_restarted(true);
        bench.visit(restarted, async { session.start_readonly().await }).await?;
        let shown = Visit::from(id).window(ShownWindow::Nothing);
        bench.visit(shown, async { session.start().await }).await
    })
}

fn refreshed(bench: &Bench) -> Played<'_> {
    Box::pin(async {
        let session = &bench.session;
        let id = bench.stored(Expiration::Never).await;
        let work = async {
            session.start_passive().await?;
            session.refresh().await?;
            let elsewhere = bench.elsewhere();
            elsewhere
                .init(id.clone().into(), async { elsewhere.destroy().await })
                .await??;
            expect(session.refresh().await, |error| matches!(error, SessionError::Gone))?;
            expect(session.get("user"), |error| matches!(error, SessionError::Gone))
        };
        bench.visit(id.clone(), work).await
    })
}

fn authenticated(bench: &Bench) -> Played<'_> {
    Box::pin(async {
        let session = &bench.session;
        let id = bench.stored(Expiration::Never).await;
        let work = async {
            session.start().await?;
            session.mark_authenticated()?;
            session.close().await?;
            let _ = session.authenticated_at();
            Ok(())
        };
        bench.visit(id, work).await
    })
}

fn candidates(bench: &Bench) -> Played<'_> {
    Box::pin(async {
        let session = &bench.session;
        let id = bench.stored(Expiration::Never).await;
        let both = || Visit::from(SessionId::generate(&OsEntropy)).or(id.clone());
        bench.visit(both(), async { session.start_readonly().await }).await?;
        bench.visit(both(), async { session.start().await }).await?;
        bench.visit(both(), async { session.destroy().await }).await
    })
}

fn renewed(bench: &Bench) -> Played<'_> {
    Box::pin(async {
        let session = &bench.session;
        let id = bench.stored(Expiration::sliding(2 * MINUTE)).await;
        let work = async {
            session.start().await?;
            sleep(5 * MINUTE).await;
            session.set("user", json!(8))?;
            session.close().await
        };
        bench.visit(id, work).await
    })
}

fn renewal_cut(bench: &Bench) -> Played<'_> {
    Box::pin(async {
        let session = &bench.session;
        let id = bench.stored(Expiration::Never).await;
        let visit = bench.open(id);
        // One task renews the lock, and is not done with it when another gives it up.
        bench.delays.before(Verb::Renew, MINUTE);
        let renews = async {
            session.start().await?;
            for _ in 0..20 {
                sleep(SECOND).await;
            }
            Ok::<_, SessionError>(())
        };
        let gives_up = async {
            sleep(15 * SECOND).await;
            session.release().await
        };
        let (renews, gives_up) = tokio::join!(within(&visit, renews), within(&visit, gives_up));
        visit.close().await?;
        renews.and(gives_up)
    })
}

fn scopes(bench: &Bench) -> Played<'_> {
    Box::pin(async {
        let session: &Session = &bench.session;
        let id = bench.stored(Expiration::Never).await;
        let visit = bench.open(id);
        let handle = visit.handle().clone();
        let polled = async {
            let _dropped = work_dropped(bench);
            session.start().await?;
            pending::<Result<(), SessionError>>().await
        };
        let cut = timeout(SECOND, polled.in_session(&handle)).await;
        drop(cut);
        visit.close().await?;
        let _ = visit.outcome();
        bench.debug(&handle);
        drop(visit);
        let late = async {
            let _dropped = work_dropped(bench);
            session.update_exclusive(async || session.set("user", json!(8))).await
        };
        late.in_session(&handle).await
    })
}

#[cfg(feature = "axum")]
fn answered(bench: &Bench) -> Played<'_> {
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
        bench.visit(Visit::new(), work).await
    })
}

/// The call is to fail, and with this error.
fn expect<T>(result: Result<T, SessionError>, is_it: impl Fn(&SessionError) -> bool) -> Result<(), SessionError> {
    match result {
        Err(error) if is_it(&error) => Ok(()),
        Err(error) => Err(error),
        Ok(_) => Err(SessionError::AlreadyInitialised),
    }
}
