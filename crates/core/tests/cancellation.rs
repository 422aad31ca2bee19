//! Drops every call that waits at every point where it waits. No lock may remain, the storage has either the old state
//! or the new one, and the visit can continue.

mod common;

use common::*;
use serde_json::json;
use sessile_core::{ActiveVisit, Expiration, InSession, MINUTE, SessionError, SessionId, Visit};
use std::pin::pin;
use std::task::Poll;

/// Polls a future the given number of times, a millisecond apart, and then drops it. Returns whether it completed.
async fn poll_times<T>(times: usize, future: impl Future<Output = T>) -> Option<T> {
    let mut future = pin!(future);
    for _ in 0..times {
        let polled = std::future::poll_fn(|cx| Poll::Ready(future.as_mut().poll(cx))).await;
        if let Poll::Ready(output) = polled {
            return Some(output);
        }
        pass(ms(1)).await;
    }
    None
}

/// The stored values before and after a change.
fn old() -> Shown {
    values([("a", json!(1)), ("b", json!(1))])
}

fn new() -> Shown {
    values([("a", json!(2)), ("b", json!(2))])
}

/// A visit whose call was dropped.
struct Cut<'a> {
    fixture: &'a Fixture,
    visit: &'a ActiveVisit,
    id: &'a SessionId,
    /// `true` if the call completed.
    done: bool,
}

/// Prepares a visit, starts the call, drops it after each possible number of polls, and checks the result.
async fn cut_everywhere(
    has_id: bool,
    prepare: impl AsyncFn(&Fixture) -> Result<(), SessionError>,
    call: impl AsyncFn(&Fixture) -> Result<(), SessionError>,
    check: impl AsyncFn(Cut<'_>) -> Result<(), SessionError>,
) -> Result<(), SessionError> {
    for polls in 0..100 {
        let fixture = fixture();
        let id = prepared(&fixture).await?;
        let visit = match has_id {
            true => fixture.session.open(id.clone().into()),
            false => fixture.session.open(Visit::new()),
        };
        prepare(&fixture).in_session(visit.handle()).await?;
        fixture.delays.before_all(ms(2));
        for operation in sessile_testkit::Operation::ALL {
            fixture.delays.after(operation, ms(2));
        }
        let call = call(&fixture).in_session(visit.handle());
        let done = poll_times(polls, call).await.transpose()?.is_some();
        fixture.delays.clear();
        check(Cut {
            fixture: &fixture,
            visit: &visit,
            id: &id,
            done,
        })
        .await?;
        drop(visit);
        assert_eq!(fixture.storage.stats().locks, 0, "after {polls} polls");
        assert_eq!(fixture.storage.stats().waiters, 0, "after {polls} polls");
        if done {
            // The minimum: not started, started, acting, replying.
            assert!(polls > 3, "it was done after {polls} polls");
            return Ok(());
        }
    }
    panic!("the call does not end");
}

/// Creates a session whose expiration is due to slide, with a value that has expired.
async fn prepared(fixture: &Fixture) -> Result<SessionId, SessionError> {
    let session = &fixture.session;
    let work = async {
        session.set_expiration(Expiration::sliding(MINUTE))?;
        session.set("a", json!(1))?;
        session.set("b", json!(1))?;
        session.set_with_expiration("dead", json!(0), Expiration::sliding(secs(10)))?;
        session.close().await?;
        session.id().ok_or(SessionError::Gone)
    };
    let id = session.enter(Visit::new(), work).await?.output;
    pass(secs(30)).await;
    Ok(id)
}

fn change(fixture: &Fixture) -> Result<(), SessionError> {
    fixture.session.set("a", json!(2))?;
    fixture.session.set("b", json!(2))
}

fn seen(fixture: &Fixture) -> Result<Shown, SessionError> {
    let (a, b) = (fixture.session.get("a")?, fixture.session.get("b")?);
    Ok(values([("a", a.expect("it is there")), ("b", b.expect("it is there"))]))
}

/// Checks that the visit continues undisturbed: it starts, changes and closes.
async fn goes_on(cut: &Cut<'_>) -> Result<(), SessionError> {
    let session = &cut.fixture.session;
    let work = async {
        session.start().await?;
        assert_eq!(session.get("dead")?, None);
        session.set("later", json!(3))?;
        session.close().await?;
        assert!(session.exists());
        assert_eq!(session.get("later")?, Some(json!(3)));
        Ok(())
    };
    work.in_session(cut.visit.handle()).await
}

#[tokio::test(start_paused = true)]
async fn start() -> Result<(), SessionError> {
    for read_before in [false, true] {
        let prepare = async |fixture: &Fixture| match read_before {
            true => fixture.session.start_readonly().await,
            false => Ok(()),
        };
        let call = async |fixture: &Fixture| fixture.session.start().await;
        let check = async |cut: Cut<'_>| {
            let session = &cut.fixture.session;
            assert_eq!(cut.fixture.is_free(cut.id).await, !cut.done);
            cut.visit.handle().enter(|| {
                assert_eq!(session.is_writable(), cut.done);
                assert_eq!(session.is_readable(), cut.done || read_before);
                if read_before {
                    assert_eq!(seen(cut.fixture)?, old());
                }
                Ok::<_, SessionError>(())
            })?;
            assert_eq!(cut.fixture.shown(cut.id).await, Some(old()));
            goes_on(&cut).await
        };
        cut_everywhere(true, prepare, call, check).await?;
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn start_readonly() -> Result<(), SessionError> {
    let call = async |fixture: &Fixture| fixture.session.start_readonly().await;
    let check = async |cut: Cut<'_>| {
        assert!(cut.fixture.is_free(cut.id).await);
        let readable = cut.visit.handle().enter(|| cut.fixture.session.is_readable());
        assert_eq!(readable, cut.done);
        assert_eq!(cut.fixture.shown(cut.id).await, Some(old()));
        goes_on(&cut).await
    };
    cut_everywhere(true, async |_| Ok(()), call, check).await
}

#[tokio::test(start_paused = true)]
async fn transaction() -> Result<(), SessionError> {
    for read_before in [false, true] {
        let prepare = async |fixture: &Fixture| match read_before {
            true => fixture.session.start_readonly().await,
            false => Ok(()),
        };
        let call = async |fixture: &Fixture| {
            let transaction = async || {
                change(fixture)?;
                pass(ms(2)).await;
                fixture.session.set("a", json!(2))
            };
            fixture.session.transaction_exclusive(transaction).await
        };
        let check = async |cut: Cut<'_>| {
            assert!(cut.fixture.is_free(cut.id).await);
            let stored = cut.fixture.shown(cut.id).await.expect("it is there");
            assert!(stored == old() || stored == new(), "{stored:?}");
            assert!(!cut.done || stored == new());
            cut.visit.handle().enter(|| {
                let session = &cut.fixture.session;
                assert!(!session.is_writable());
                if session.is_readable() {
                    assert_eq!(seen(cut.fixture)?, if cut.done { new() } else { old() });
                }
                Ok::<_, SessionError>(())
            })?;
            goes_on(&cut).await
        };
        cut_everywhere(true, prepare, call, check).await?;
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn close() -> Result<(), SessionError> {
    let prepare = async |fixture: &Fixture| {
        fixture.session.start().await?;
        change(fixture)
    };
    let call = async |fixture: &Fixture| fixture.session.close().await;
    let check = async |cut: Cut<'_>| {
        let stored = cut.fixture.shown(cut.id).await.expect("it is there");
        assert!(stored == old() || stored == new(), "{stored:?}");
        assert!(!cut.done || stored == new());
        cut.visit.handle().enter(|| {
            let session = &cut.fixture.session;
            // Before the first poll it has not started.
            if !session.is_writable() {
                assert_eq!(seen(cut.fixture)?, if cut.done { new() } else { old() });
            }
            Ok::<_, SessionError>(())
        })?;
        let writable = cut.visit.handle().enter(|| cut.fixture.session.is_writable());
        assert_eq!(cut.fixture.is_free(cut.id).await, !writable);
        goes_on(&cut).await
    };
    cut_everywhere(true, prepare, call, check).await
}

#[tokio::test(start_paused = true)]
async fn close_without_a_change() -> Result<(), SessionError> {
    // Expired values are removed before, so that there is nothing to write.
    let prepare = async |fixture: &Fixture| {
        fixture
            .session
            .transaction_exclusive(async || Ok::<_, SessionError>(()))
            .await?;
        pass(secs(30)).await;
        fixture.session.start().await?;
        pass(secs(10)).await;
        Ok(())
    };
    let call = async |fixture: &Fixture| fixture.session.close().await;
    let check = async |cut: Cut<'_>| {
        let writable = cut.visit.handle().enter(|| cut.fixture.session.is_writable());
        assert_eq!(cut.fixture.is_free(cut.id).await, !writable);
        assert_eq!(cut.fixture.shown(cut.id).await, Some(old()));
        goes_on(&cut).await
    };
    cut_everywhere(true, prepare, call, check).await
}

#[tokio::test(start_paused = true)]
async fn close_of_a_new_session() -> Result<(), SessionError> {
    let prepare = async |fixture: &Fixture| {
        fixture.session.start().await?;
        change(fixture)
    };
    let call = async |fixture: &Fixture| fixture.session.close().await;
    let check = async |cut: Cut<'_>| {
        let session = &cut.fixture.session;
        let stored = cut.fixture.sessions().await - 1;
        assert!(!cut.done || stored == 1);
        let id = cut.visit.handle().enter(|| session.id());
        assert_eq!(id.is_some(), cut.done);
        if let Some(id) = id {
            assert_eq!(cut.fixture.shown(&id).await, Some(new()));
        }
        goes_on(&cut).await
    };
    cut_everywhere(false, prepare, call, check).await
}

#[tokio::test(start_paused = true)]
async fn close_with_a_new_id() -> Result<(), SessionError> {
    let prepare = async |fixture: &Fixture| {
        fixture.session.start().await?;
        change(fixture)?;
        fixture.session.regenerate_id()
    };
    let call = async |fixture: &Fixture| fixture.session.close().await;
    let check = async |cut: Cut<'_>| {
        let session = &cut.fixture.session;
        // The record is under either id, complete.
        assert_eq!(cut.fixture.sessions().await, 1);
        let stored = cut.fixture.shown(cut.id).await;
        assert!(stored.is_none() || stored == Some(old()), "{stored:?}");
        if cut.done {
            let id = cut.visit.handle().enter(|| session.id()).expect("it has one");
            assert_eq!(cut.fixture.shown(&id).await, Some(new()));
            assert!(cut.fixture.is_free(&id).await);
        }
        match goes_on(&cut).await {
            // It moved without the visit learning of it.
            Err(SessionError::Superseded) if !cut.done && stored.is_none() => Ok(()),
            other => other,
        }
    };
    cut_everywhere(true, prepare, call, check).await
}

#[tokio::test(start_paused = true)]
async fn release() -> Result<(), SessionError> {
    let prepare = async |fixture: &Fixture| {
        fixture.session.start().await?;
        change(fixture)
    };
    let call = async |fixture: &Fixture| fixture.session.release().await;
    let check = async |cut: Cut<'_>| {
        let session = &cut.fixture.session;
        assert_eq!(cut.fixture.shown(cut.id).await, Some(old()));
        let writable = cut.visit.handle().enter(|| session.is_writable());
        assert_eq!(cut.fixture.is_free(cut.id).await, !writable);
        if !writable {
            assert_eq!(cut.visit.handle().enter(|| seen(cut.fixture))?, old());
        }
        goes_on(&cut).await
    };
    cut_everywhere(true, prepare, call, check).await
}

#[tokio::test(start_paused = true)]
async fn destroy() -> Result<(), SessionError> {
    for started in [false, true] {
        let prepare = async |fixture: &Fixture| match started {
            true => {
                fixture.session.start().await?;
                change(fixture)
            }
            false => Ok(()),
        };
        let call = async |fixture: &Fixture| fixture.session.destroy().await;
        let check = async |cut: Cut<'_>| {
            let session = &cut.fixture.session;
            let stored = cut.fixture.shown(cut.id).await;
            assert!(stored.is_none() || stored == Some(old()), "{stored:?}");
            assert!(!cut.done || stored.is_none());
            cut.visit.handle().enter(|| {
                assert_eq!(session.is_active(), started && !cut.done);
                assert_eq!(session.is_writable(), started && !cut.done);
                assert_eq!(session.exists(), !cut.done);
            });
            // Calling it again is sufficient.
            let again = async {
                session.destroy().await?;
                session.start().await
            };
            again.in_session(cut.visit.handle()).await?;
            assert_eq!(cut.fixture.sessions().await, 0);
            goes_on(&cut).await
        };
        cut_everywhere(true, prepare, call, check).await?;
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn the_end_of_a_visit() -> Result<(), SessionError> {
    for commit in [false, true] {
        for polls in 0..100 {
            let fixture = fixture();
            let id = prepared(&fixture).await?;
            let visit = fixture.session.open(id.clone().into());
            let work = async {
                fixture.session.start().await?;
                change(&fixture)?;
                pass(secs(20)).await;
                Ok::<_, SessionError>(())
            };
            work.in_session(visit.handle()).await?;
            fixture.delays.before_all(ms(2));
            let ending = async {
                match commit {
                    true => visit.close().await,
                    false => visit.release().await,
                }
            };
            let done = poll_times(polls, ending).await.transpose()?.is_some();
            fixture.delays.clear();
            drop(visit);
            assert!(fixture.is_free(&id).await);
            let stored = fixture.shown(&id).await.expect("it is there");
            match (commit, done) {
                (true, true) => assert_eq!(stored, new()),
                (true, false) => assert!(stored == old() || stored == new(), "{stored:?}"),
                (false, _) => assert_eq!(stored, old()),
            }
            if done {
                assert!(polls > 2);
                break;
            }
        }
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_whole_visit() -> Result<(), SessionError> {
    for polls in 0..200 {
        let fixture = fixture();
        let id = prepared(&fixture).await?;
        fixture.delays.before_all(ms(2));
        let visit = fixture.session.enter(id.clone().into(), async {
            change(&fixture)?;
            pass(ms(2)).await;
            Ok::<_, SessionError>(())
        });
        let done = poll_times(polls, visit).await.transpose()?.is_some();
        fixture.delays.clear();
        assert!(fixture.is_free(&id).await);
        let stored = fixture.shown(&id).await.expect("it is there");
        assert!(stored == new() || (!done && stored == old()), "{stored:?}");
        assert!(!fixture.session.is_initialised());
        if done {
            assert!(polls > 5);
            return Ok(());
        }
    }
    panic!("the visit does not end");
}

#[tokio::test(start_paused = true)]
async fn waiting_for_a_lock() -> Result<(), SessionError> {
    let fixture = fixture();
    let session = &fixture.session;
    let id = prepared(&fixture).await?;
    let give_up = async {
        for polls in 0..5 {
            let visit = session.open(id.clone().into());
            let start = session.start().in_session(visit.handle());
            assert!(poll_times(polls, start).await.is_none());
            assert_eq!(fixture.storage.stats().waiters, 0);
            visit.handle().enter(|| assert!(!session.is_active()));
        }
    };
    fixture.while_locked(&id, give_up).await;
    assert!(fixture.is_free(&id).await);
    Ok(())
}
