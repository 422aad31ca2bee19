//! Drops every call that waits at every point where it waits. No lock may remain, the storage has either the old state
//! or the new one, and the visit can continue.

mod common;

use common::*;
use serde_json::json;
use sessile_core::{Expiration, InSession, MINUTE, OpenVisit, SessionError, SessionId, Visit};
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
    world: &'a World,
    visit: &'a OpenVisit,
    id: &'a SessionId,
    /// `true` if the call completed.
    done: bool,
}

/// Prepares a visit, starts the call, drops it after each possible number of polls, and checks the result.
async fn cut_everywhere(
    has_id: bool,
    prepare: impl AsyncFn(&World) -> Result<(), SessionError>,
    call: impl AsyncFn(&World) -> Result<(), SessionError>,
    check: impl AsyncFn(Cut<'_>) -> Result<(), SessionError>,
) -> Result<(), SessionError> {
    for polls in 0..100 {
        let world = world();
        let id = prepared(&world).await?;
        let visit = match has_id {
            true => world.session.open(id.clone().into()),
            false => world.session.open(Visit::new()),
        };
        prepare(&world).in_session(visit.handle()).await?;
        world.delays.before_all(ms(2));
        for verb in sessile_testkit::Verb::ALL {
            world.delays.after(verb, ms(2));
        }
        let call = call(&world).in_session(visit.handle());
        let done = poll_times(polls, call).await.transpose()?.is_some();
        world.delays.clear();
        check(Cut {
            world: &world,
            visit: &visit,
            id: &id,
            done,
        })
        .await?;
        drop(visit);
        assert_eq!(world.storage.stats().locks, 0, "after {polls} polls");
        assert_eq!(world.storage.stats().waiters, 0, "after {polls} polls");
        if done {
            // The minimum: not started, started, acting, replying.
            assert!(polls > 3, "it was done after {polls} polls");
            return Ok(());
        }
    }
    panic!("the call does not end");
}

/// Creates a session whose expiration is due to slide, with a value that has expired.
async fn prepared(world: &World) -> Result<SessionId, SessionError> {
    let session = &world.session;
    let work = async {
        session.set_expiration(Expiration::sliding(MINUTE))?;
        session.set("a", json!(1))?;
        session.set("b", json!(1))?;
        session.set_with_expiration("dead", json!(0), Expiration::sliding(secs(10)))?;
        session.close().await?;
        session.id().ok_or(SessionError::Gone)
    };
    let id = session.enter(Visit::new(), work).await?;
    pass(secs(30)).await;
    Ok(id)
}

fn change(world: &World) -> Result<(), SessionError> {
    world.session.set("a", json!(2))?;
    world.session.set("b", json!(2))
}

fn seen(world: &World) -> Result<Shown, SessionError> {
    let (a, b) = (world.session.get("a")?, world.session.get("b")?);
    Ok(values([("a", a.expect("it is there")), ("b", b.expect("it is there"))]))
}

/// Checks that the visit continues undisturbed: it starts, changes and closes.
async fn goes_on(cut: &Cut<'_>) -> Result<(), SessionError> {
    let session = &cut.world.session;
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
        let prepare = async |world: &World| match read_before {
            true => world.session.start_readonly().await,
            false => Ok(()),
        };
        let call = async |world: &World| world.session.start().await;
        let check = async |cut: Cut<'_>| {
            let session = &cut.world.session;
            assert_eq!(cut.world.is_free(cut.id).await, !cut.done);
            cut.visit.handle().enter(|| {
                assert_eq!(session.is_writable(), cut.done);
                assert_eq!(session.is_readable(), cut.done || read_before);
                if read_before {
                    assert_eq!(seen(cut.world)?, old());
                }
                Ok::<_, SessionError>(())
            })?;
            assert_eq!(cut.world.shown(cut.id).await, Some(old()));
            goes_on(&cut).await
        };
        cut_everywhere(true, prepare, call, check).await?;
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn start_readonly() -> Result<(), SessionError> {
    let call = async |world: &World| world.session.start_readonly().await;
    let check = async |cut: Cut<'_>| {
        assert!(cut.world.is_free(cut.id).await);
        let readable = cut.visit.handle().enter(|| cut.world.session.is_readable());
        assert_eq!(readable, cut.done);
        assert_eq!(cut.world.shown(cut.id).await, Some(old()));
        goes_on(&cut).await
    };
    cut_everywhere(true, async |_| Ok(()), call, check).await
}

#[tokio::test(start_paused = true)]
async fn update() -> Result<(), SessionError> {
    for read_before in [false, true] {
        let prepare = async |world: &World| match read_before {
            true => world.session.start_readonly().await,
            false => Ok(()),
        };
        let call = async |world: &World| {
            let update = async || {
                change(world)?;
                pass(ms(2)).await;
                world.session.set("a", json!(2))
            };
            world.session.update_exclusive(update).await
        };
        let check = async |cut: Cut<'_>| {
            assert!(cut.world.is_free(cut.id).await);
            let stored = cut.world.shown(cut.id).await.expect("it is there");
            assert!(stored == old() || stored == new(), "{stored:?}");
            assert!(!cut.done || stored == new());
            cut.visit.handle().enter(|| {
                let session = &cut.world.session;
                assert!(!session.is_writable());
                if session.is_readable() {
                    assert_eq!(seen(cut.world)?, if cut.done { new() } else { old() });
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
    let prepare = async |world: &World| {
        world.session.start().await?;
        change(world)
    };
    let call = async |world: &World| world.session.close().await;
    let check = async |cut: Cut<'_>| {
        let stored = cut.world.shown(cut.id).await.expect("it is there");
        assert!(stored == old() || stored == new(), "{stored:?}");
        assert!(!cut.done || stored == new());
        cut.visit.handle().enter(|| {
            let session = &cut.world.session;
            // Before the first poll it has not started.
            if !session.is_writable() {
                assert_eq!(seen(cut.world)?, if cut.done { new() } else { old() });
            }
            Ok::<_, SessionError>(())
        })?;
        let writable = cut.visit.handle().enter(|| cut.world.session.is_writable());
        assert_eq!(cut.world.is_free(cut.id).await, !writable);
        goes_on(&cut).await
    };
    cut_everywhere(true, prepare, call, check).await
}

#[tokio::test(start_paused = true)]
async fn close_without_a_change() -> Result<(), SessionError> {
    // Expired values are removed before, so that there is nothing to write.
    let prepare = async |world: &World| {
        world
            .session
            .update_exclusive(async || Ok::<_, SessionError>(()))
            .await?;
        pass(secs(30)).await;
        world.session.start().await?;
        pass(secs(10)).await;
        Ok(())
    };
    let call = async |world: &World| world.session.close().await;
    let check = async |cut: Cut<'_>| {
        let writable = cut.visit.handle().enter(|| cut.world.session.is_writable());
        assert_eq!(cut.world.is_free(cut.id).await, !writable);
        assert_eq!(cut.world.shown(cut.id).await, Some(old()));
        goes_on(&cut).await
    };
    cut_everywhere(true, prepare, call, check).await
}

#[tokio::test(start_paused = true)]
async fn close_of_a_new_session() -> Result<(), SessionError> {
    let prepare = async |world: &World| {
        world.session.start().await?;
        change(world)
    };
    let call = async |world: &World| world.session.close().await;
    let check = async |cut: Cut<'_>| {
        let session = &cut.world.session;
        let stored = cut.world.sessions().await - 1;
        assert!(!cut.done || stored == 1);
        let id = cut.visit.handle().enter(|| session.id());
        assert_eq!(id.is_some(), cut.done);
        if let Some(id) = id {
            assert_eq!(cut.world.shown(&id).await, Some(new()));
        }
        goes_on(&cut).await
    };
    cut_everywhere(false, prepare, call, check).await
}

#[tokio::test(start_paused = true)]
async fn close_with_a_new_id() -> Result<(), SessionError> {
    let prepare = async |world: &World| {
        world.session.start().await?;
        change(world)?;
        world.session.regenerate_id()
    };
    let call = async |world: &World| world.session.close().await;
    let check = async |cut: Cut<'_>| {
        let session = &cut.world.session;
        // The record is under either id, complete.
        assert_eq!(cut.world.sessions().await, 1);
        let stored = cut.world.shown(cut.id).await;
        assert!(stored.is_none() || stored == Some(old()), "{stored:?}");
        if cut.done {
            let id = cut.visit.handle().enter(|| session.id()).expect("it has one");
            assert_eq!(cut.world.shown(&id).await, Some(new()));
            assert!(cut.world.is_free(&id).await);
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
    let prepare = async |world: &World| {
        world.session.start().await?;
        change(world)
    };
    let call = async |world: &World| world.session.release().await;
    let check = async |cut: Cut<'_>| {
        let session = &cut.world.session;
        assert_eq!(cut.world.shown(cut.id).await, Some(old()));
        let writable = cut.visit.handle().enter(|| session.is_writable());
        assert_eq!(cut.world.is_free(cut.id).await, !writable);
        if !writable {
            assert_eq!(cut.visit.handle().enter(|| seen(cut.world))?, old());
        }
        goes_on(&cut).await
    };
    cut_everywhere(true, prepare, call, check).await
}

#[tokio::test(start_paused = true)]
async fn destroy() -> Result<(), SessionError> {
    for started in [false, true] {
        let prepare = async |world: &World| match started {
            true => {
                world.session.start().await?;
                change(world)
            }
            false => Ok(()),
        };
        let call = async |world: &World| world.session.destroy().await;
        let check = async |cut: Cut<'_>| {
            let session = &cut.world.session;
            let stored = cut.world.shown(cut.id).await;
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
            assert_eq!(cut.world.sessions().await, 0);
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
            let world = world();
            let id = prepared(&world).await?;
            let visit = world.session.open(id.clone().into());
            let work = async {
                world.session.start().await?;
                change(&world)?;
                pass(secs(20)).await;
                Ok::<_, SessionError>(())
            };
            work.in_session(visit.handle()).await?;
            world.delays.before_all(ms(2));
            let ending = async {
                match commit {
                    true => visit.close().await,
                    false => visit.release().await,
                }
            };
            let done = poll_times(polls, ending).await.transpose()?.is_some();
            world.delays.clear();
            drop(visit);
            assert!(world.is_free(&id).await);
            let stored = world.shown(&id).await.expect("it is there");
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
        let world = world();
        let id = prepared(&world).await?;
        world.delays.before_all(ms(2));
        let visit = world.session.enter(id.clone().into(), async {
            change(&world)?;
            pass(ms(2)).await;
            Ok::<_, SessionError>(())
        });
        let done = poll_times(polls, visit).await.transpose()?.is_some();
        world.delays.clear();
        assert!(world.is_free(&id).await);
        let stored = world.shown(&id).await.expect("it is there");
        assert!(stored == new() || (!done && stored == old()), "{stored:?}");
        assert!(!world.session.is_initialised());
        if done {
            assert!(polls > 5);
            return Ok(());
        }
    }
    panic!("the visit does not end");
}

#[tokio::test(start_paused = true)]
async fn waiting_for_a_lock() -> Result<(), SessionError> {
    let world = world();
    let session = &world.session;
    let id = prepared(&world).await?;
    let give_up = async {
        for polls in 0..5 {
            let visit = session.open(id.clone().into());
            let start = session.start().in_session(visit.handle());
            assert!(poll_times(polls, start).await.is_none());
            assert_eq!(world.storage.stats().waiters, 0);
            visit.handle().enter(|| assert!(!session.is_active()));
        }
    };
    world.while_locked(&id, give_up).await;
    assert!(world.is_free(&id).await);
    Ok(())
}
