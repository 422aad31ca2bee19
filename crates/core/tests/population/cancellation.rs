//! Drops every operation at every point where it waits. No session is missing from its owner's list, there are never
//! more than the limit allows, no lock remains, and owners can log in.

use std::pin::pin;
use std::task::Poll;

use sessile_core::{InSession, Limit, Registry, SessionError, SessionId, SessionKey, Storage, Visit};
use sessile_testkit::Operation;

use super::support::*;
use crate::common::*;

const LIMIT: usize = 2;

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

/// The sessions before a call: two of ada, and one of bob.
struct Before {
    ada: [SessionId; 2],
    bob: SessionId,
}

/// Runs the call, dropped after each possible number of polls, and checks what is left. Returns the number of polls
/// after which it was complete.
async fn cut_everywhere(limit: Limit, call: impl AsyncFn(&Fixture, &Before) -> Result<(), SessionError>) -> usize {
    for polls in 0..2_000 {
        let context = &*format!("after {polls} polls");
        let fixture = limited(limit);
        let ada = [
            fixture.log_in("ada").await.unwrap(),
            fixture.log_in("ada").await.unwrap(),
        ];
        let bob = fixture.log_in("bob").await.unwrap();
        let before = Before { ada, bob };
        for operation in Operation::ALL {
            fixture.delays.before(operation, ms(2));
            fixture.delays.after(operation, ms(2));
        }
        let done = poll_times(polls, call(&fixture, &before)).await;
        fixture.delays.clear();
        fixture.assert_complete(LIMIT, context).await;
        // Locks that were dropped are released, and a session that nobody knows is removed.
        pass(ms(10)).await;
        fixture.assert_idle(context);
        fixture.assert_complete(LIMIT, context).await;
        // Places that were taken for nothing are given up.
        pass(secs(61)).await;
        let registry = fixture.elsewhere(limit).registry();
        if fixture.stored_of("ada").await.len() < LIMIT {
            fixture.log_in("ada").await.unwrap();
        }
        registry.end_all("ada").await.unwrap();
        assert!(fixture.stored_of("ada").await.is_empty(), "{context}");
        for _ in 0..LIMIT {
            fixture.log_in("ada").await.unwrap();
        }
        fixture.assert_complete(LIMIT, context).await;
        fixture.assert_idle(context);
        if let Some(done) = done {
            done.unwrap_or_else(|error| panic!("{context}: {error:?}"));
            return polls;
        }
    }
    panic!("the call does not end");
}

/// In an open visit, which ends after the call was dropped.
async fn in_visit(
    fixture: &Fixture,
    visit: impl Into<Visit>,
    work: impl AsyncFnOnce() -> Result<(), SessionError>,
) -> Result<(), SessionError> {
    let opened = fixture.session.open(visit.into());
    let work = async {
        fixture.session.start().await?;
        work().await
    };
    work.in_session(opened.handle()).await
}

#[tokio::test(start_paused = true)]
async fn of_a_login_in_a_new_session() {
    let polls = cut_everywhere(Limit::per_owner(LIMIT).evict_oldest(), async |fixture, _| {
        let session = &fixture.session;
        in_visit(fixture, Visit::new(), async || {
            session.log_in("ada")?;
            session.close().await
        })
        .await
    });
    assert!(polls.await > 20);
}

#[tokio::test(start_paused = true)]
async fn of_a_login_in_a_session_of_another_owner() {
    for limit in [
        Limit::per_owner(LIMIT).evict_oldest(),
        Limit::per_owner(LIMIT).evict_least_active(),
    ] {
        let polls = cut_everywhere(limit, async |fixture, before| {
            let session = &fixture.session;
            in_visit(fixture, before.bob.clone(), async || {
                session.log_in("ada")?;
                session.close().await
            })
            .await
        });
        assert!(polls.await > 25);
    }
}

/// There is room, so the limit does not matter.
#[tokio::test(start_paused = true)]
async fn of_a_login_within_the_limit() {
    let polls = cut_everywhere(Limit::per_owner(LIMIT), async |fixture, before| {
        let session = &fixture.session;
        in_visit(fixture, before.ada[0].clone(), async || {
            session.log_in("bob")?;
            session.close().await
        })
        .await
    });
    assert!(polls.await > 20);
}

#[tokio::test(start_paused = true)]
async fn of_a_refused_login() {
    let polls = cut_everywhere(Limit::per_owner(LIMIT), async |fixture, before| {
        let session = &fixture.session;
        let refused = in_visit(fixture, before.bob.clone(), async || {
            session.log_in("ada")?;
            session.close().await
        });
        match refused.await {
            Err(SessionError::TooManySessions { limit: LIMIT }) => Ok(()),
            other => panic!("a login beyond the limit: {other:?}"),
        }
    });
    assert!(polls.await > 20);
}

#[tokio::test(start_paused = true)]
async fn of_a_logout() {
    let polls = cut_everywhere(Limit::per_owner(LIMIT), async |fixture, before| {
        let session = &fixture.session;
        in_visit(fixture, before.ada[0].clone(), async || {
            session.log_out()?;
            session.close().await
        })
        .await
    });
    assert!(polls.await > 15);
}

#[tokio::test(start_paused = true)]
async fn of_a_new_id() {
    let polls = cut_everywhere(Limit::per_owner(LIMIT), async |fixture, before| {
        let session = &fixture.session;
        in_visit(fixture, before.ada[1].clone(), async || {
            session.regenerate_id()?;
            session.close().await
        })
        .await
    });
    assert!(polls.await > 15);
}

#[tokio::test(start_paused = true)]
async fn of_a_destroy() {
    let polls = cut_everywhere(Limit::per_owner(LIMIT), async |fixture, before| {
        let session = &fixture.session;
        in_visit(fixture, before.ada[0].clone(), async || session.destroy().await).await
    });
    assert!(polls.await > 15);
    let polls = cut_everywhere(Limit::per_owner(LIMIT), async |fixture, before| {
        let session = &fixture.session;
        let opened = session.open(Visit::from(before.ada[0].clone()));
        let destroy = async { session.destroy().await };
        destroy.in_session(opened.handle()).await
    });
    assert!(polls.await > 15);
}

/// Runs a call of the registry.
async fn cut_registry(least: usize, call: impl AsyncFn(Registry, &Before) -> Result<(), SessionError>) {
    let polls = cut_everywhere(Limit::per_owner(LIMIT).evict_oldest(), async |fixture, before| {
        call(fixture.session.registry(), before).await
    });
    let polls = polls.await;
    assert!(polls > least, "it was done after {polls} polls");
}

#[tokio::test(start_paused = true)]
async fn of_the_end_of_sessions() {
    cut_registry(20, async |registry, _| registry.end_all("ada").await.map(drop)).await;
    cut_registry(20, async |registry, before| {
        registry.end_others("ada", &before.ada[1].key()).await.map(drop)
    })
    .await;
    cut_registry(15, async |registry, before| {
        registry.end(&before.ada[0].key()).await.map(drop)
    })
    .await;
}

/// A list with a place that is stale, which reading removes.
#[tokio::test(start_paused = true)]
async fn of_a_list_that_is_mended() {
    for polls in 0..1_000 {
        let context = &*format!("after {polls} polls");
        let fixture = limited(None);
        let ids = [
            fixture.log_in("ada").await.unwrap(),
            fixture.log_in("ada").await.unwrap(),
        ];
        fixture.storage.destroy(&ids[0].key()).await.unwrap();
        pass(secs(61)).await;
        fixture.delays.before_all(ms(2));
        let listed = poll_times(polls, fixture.session.registry().by_owner("ada")).await;
        fixture.delays.clear();
        pass(ms(10)).await;
        fixture.assert_idle(context);
        fixture.assert_complete(1, context).await;
        if let Some(listed) = listed {
            assert_eq!(listed.unwrap().len(), 1);
            assert!(polls > 10);
            return;
        }
    }
    panic!("the call does not end");
}

/// With a place that is stale and one that is missing.
#[tokio::test(start_paused = true)]
async fn of_an_audit() {
    for polls in 0..1_000 {
        let context = &*format!("after {polls} polls");
        let fixture = limited(None);
        let ids = [
            fixture.log_in("ada").await.unwrap(),
            fixture.log_in("ada").await.unwrap(),
        ];
        let bob = fixture.log_in("bob").await.unwrap();
        fixture.storage.destroy(&ids[0].key()).await.unwrap();
        fixture
            .storage
            .destroy(&SessionKey::derive("owner", "bob"))
            .await
            .unwrap();
        pass(secs(61)).await;
        fixture.delays.before_all(ms(2));
        let audit = poll_times(polls, fixture.session.registry().audit()).await;
        fixture.delays.clear();
        pass(ms(10)).await;
        fixture.assert_idle(context);
        let registry = fixture.elsewhere(None).registry();
        let again = registry.audit().await.unwrap();
        let is_done = audit.is_some();
        if let Some(audit) = audit {
            let audit = audit.unwrap();
            assert_eq!((audit.stale, audit.missing, again.stale, again.missing), (1, 1, 0, 0));
        }
        fixture.assert_complete(1, context).await;
        assert!(fixture.lives(&ids[1]).await && fixture.lives(&bob).await);
        if is_done {
            assert!(polls > 10);
            return;
        }
    }
    panic!("the call does not end");
}

#[tokio::test(start_paused = true)]
async fn of_the_end_of_everything() {
    for polls in 0..1_000 {
        let context = &*format!("after {polls} polls");
        let fixture = fixture_with(|builder| builder.epochs(true));
        let old = fixture.log_in("ada").await.unwrap();
        fixture.delays.before_all(ms(2));
        let ended = poll_times(polls, fixture.session.registry().end_everything()).await;
        fixture.delays.clear();
        pass(ms(10)).await;
        fixture.assert_idle(context);
        let registry = fixture.session.registry();
        let lives = registry.get(&old.key()).await.unwrap().is_some();
        assert!(!(lives && ended.is_some()), "it outlives the end of everything");
        let new = fixture.log_in("ada").await.unwrap();
        assert!(registry.get(&new.key()).await.unwrap().is_some(), "{context}");
        registry.end_everything().await.unwrap();
        assert_eq!(registry.count().await.unwrap(), 0, "{context}");
        if let Some(ended) = ended {
            return ended.unwrap();
        }
    }
    panic!("the call does not end");
}
