//! The calls of the storage, counted: what has no owner costs what it cost before, and what ends or lists some sessions
//! does not depend on how many others there are.

use Operation::{Commit, Create, Destroy, Lock, Read, Release, Rotate, Scan, Touch};
use serde_json::json;
use sessile_core::{Events, Expiration, HOUR, InSession, Limit, MINUTE, SessionError, SessionId, Storage as _, Visit};
use sessile_testkit::{Counts, Operation};

use super::support::*;
use crate::common::*;

async fn cost(fixture: &Fixture, call: impl AsyncFnOnce() -> Result<(), SessionError>) -> Counts {
    fixture.calls.reset();
    call().await.unwrap();
    // Work that was left to the background counts, too.
    pass(ms(1)).await;
    fixture.calls.take()
}

async fn cost_of(fixture: &Fixture, id: impl Into<Visit>, work: impl FnOnce() -> Result<(), SessionError>) -> Counts {
    cost(fixture, async || visit(&fixture.session, id, work).await.map(drop)).await
}

async fn cost_of_reading(fixture: &Fixture, id: &SessionId) -> Counts {
    let session = &fixture.session;
    cost(fixture, async || {
        session
            .init(Visit::from(id.clone()), async { session.start_readonly().await })
            .await?
    })
    .await
}

/// Every kind of request of a session without an owner, also in an application with a limit.
#[tokio::test(start_paused = true)]
async fn without_an_owner_nothing_is_added() {
    for limit in [None, Some(Limit::per_owner(3).evict_oldest())] {
        let fixture = fixture_with(|builder| builder.limit(limit).default_expiration(Expiration::sliding(HOUR)));
        let session = &fixture.session;
        let created = cost_of(&fixture, Visit::new(), || session.set("a", 1)).await;
        assert_eq!(created, [(Create, 1)]);
        let id = fixture.stored([("a", json!(1))]).await;
        assert_eq!(cost_of_reading(&fixture, &id).await, [(Read, 1)]);
        assert_eq!(
            cost_of(&fixture, id.clone(), || Ok(())).await,
            [(Lock, 1), (Release, 1)]
        );
        let written = cost_of(&fixture, id.clone(), || session.set("a", 2)).await;
        assert_eq!(written, [(Lock, 1), (Commit, 1)]);
        let sliding = fixture.stored_as(Expiration::sliding(HOUR), [("a", json!(1))]).await;
        pass(10 * MINUTE).await;
        assert_eq!(cost_of_reading(&fixture, &sliding).await, [(Read, 1), (Touch, 1)]);
        let moved = cost_of(&fixture, sliding, || session.regenerate_id()).await;
        assert_eq!(moved, [(Lock, 1), (Rotate, 1)]);
        let marked = cost_of(&fixture, id, || session.mark_authenticated()).await;
        assert_eq!(marked, [(Lock, 1), (Rotate, 1)]);
        let unknown = cost_of_reading(&fixture, &unknown_id()).await;
        assert_eq!(unknown, [(Read, 1)]);
        let id = fixture.stored([("a", json!(1))]).await;
        let destroyed = cost(&fixture, async || {
            session
                .init(Visit::from(id), async {
                    session.start().await?;
                    session.destroy().await
                })
                .await?
        });
        assert_eq!(destroyed.await, [(Lock, 1), (Destroy, 1)]);
        // A visit that destroys a session unseen asks for its owner if that matters.
        let id = fixture.stored([("a", json!(1))]).await;
        let destroyed = cost(&fixture, async || {
            let opened = session.open(Visit::from(id));
            let destroy = async { session.destroy().await };
            destroy.in_session(opened.handle()).await
        });
        let asked = u64::from(limit.is_some());
        assert_eq!(destroyed.await, [(Read, asked), (Destroy, 1)]);
    }
}

/// The owner costs two calls when the id changes, and nothing otherwise.
#[tokio::test(start_paused = true)]
async fn an_owner_costs_two_calls_for_each_id() {
    let fixture = fixture_with(|builder| builder.default_expiration(Expiration::sliding(HOUR)));
    let session = &fixture.session;
    let first = cost_of(&fixture, Visit::new(), || session.log_in("ada")).await;
    assert_eq!(first, [(Lock, 1), (Create, 2)], "the list and the session");
    let second = cost_of(&fixture, Visit::new(), || session.log_in("ada")).await;
    assert_eq!(second, [(Lock, 1), (Commit, 1), (Create, 1)]);
    let guest = fixture.stored([("a", json!(1))]).await;
    let stored = cost_of(&fixture, guest, || session.log_in("ada")).await;
    assert_eq!(stored, [(Lock, 2), (Commit, 1), (Rotate, 1)]);

    let id = fixture.log_in("ada").await.unwrap();
    assert_eq!(cost_of_reading(&fixture, &id).await, [(Read, 1)]);
    assert_eq!(
        cost_of(&fixture, id.clone(), || session.set("a", 2)).await,
        [(Lock, 1), (Commit, 1)]
    );
    let moved = cost_of(&fixture, id, || session.regenerate_id()).await;
    assert_eq!(moved, [(Lock, 2), (Commit, 1), (Rotate, 1)]);
    let id = fixture.log_in("ada").await.unwrap();
    let again = cost_of(&fixture, id, || session.log_in("ada")).await;
    assert_eq!(again, [(Lock, 2), (Commit, 1), (Rotate, 1)]);
    let id = fixture.log_in("ada").await.unwrap();
    let left = cost_of(&fixture, id, || session.log_out()).await;
    assert_eq!(left, [(Lock, 2), (Commit, 1), (Rotate, 1)]);
    let id = fixture.log_in("ada").await.unwrap();
    fixture.log_in("bob").await.unwrap();
    let changed = cost_of(&fixture, id, || session.log_in("bob")).await;
    assert_eq!(changed, [(Lock, 3), (Commit, 2), (Rotate, 1)], "two lists change");
    let id = fixture.log_in("ada").await.unwrap();
    let destroyed = cost(&fixture, async || {
        session
            .init(Visit::from(id), async {
                session.start().await?;
                session.destroy().await
            })
            .await?
    });
    assert_eq!(destroyed.await, [(Lock, 2), (Commit, 1), (Destroy, 1)]);
}

/// Below a limit a login costs the same. At the limit each place is looked at.
#[tokio::test(start_paused = true)]
async fn a_limit_costs_a_look_at_each_place() {
    for (limit, is_refused) in [
        (Limit::per_owner(5), true),
        (Limit::per_owner(5).evict_oldest(), false),
        (Limit::per_owner(5).evict_least_active(), false),
    ] {
        let fixture = limited(limit);
        let session = &fixture.session;
        for _ in 0..4 {
            fixture.log_in("ada").await.unwrap();
        }
        let below = cost_of(&fixture, Visit::new(), || session.log_in("ada")).await;
        assert_eq!(below, [(Lock, 1), (Commit, 1), (Create, 1)]);
        fixture.calls.reset();
        let login = fixture.log_in("ada").await;
        pass(ms(1)).await;
        let calls = fixture.calls.take();
        if is_refused {
            assert_fails!(login, SessionError::TooManySessions { limit: 5 });
            assert_eq!(calls, [(Lock, 1), (Read, 5)]);
        } else {
            login.unwrap();
            // The one that is ended is looked at once more.
            assert_eq!(calls, [(Lock, 1), (Read, 6), (Destroy, 1), (Commit, 1), (Create, 1)]);
        }
    }
}

/// Stores so many sessions beside 50 of one owner.
async fn crowd(others: usize, epochs: bool) -> Fixture {
    let fixture = fixture_with(|builder| builder.epochs(epochs));
    let elsewhere = fixture.elsewhere(None);
    for number in 0..others {
        let visited = visit(&elsewhere, Visit::new(), || match number % 2 {
            0 => elsewhere.log_in(&format!("owner {}", number % 100)),
            _ => elsewhere.set("a", 1),
        });
        visited.await.unwrap();
    }
    for _ in 0..50 {
        log_in(&elsewhere, "ada").await.unwrap();
    }
    fixture
}

#[tokio::test(start_paused = true)]
async fn many_others_cost_nothing() {
    for others in [100, 10_000] {
        let fixture = crowd(others, false).await;
        let registry = fixture.session.registry();
        let listed = cost(&fixture, async || {
            assert_eq!(registry.by_owner("ada").await?.len(), 50);
            Ok(())
        });
        assert_eq!(listed.await, [(Read, 51)], "the list, and each session");
        let page = cost(&fixture, async || {
            assert_eq!(registry.list(None, 50).await?.sessions.len(), 50);
            Ok(())
        });
        assert_eq!(page.await, [(Scan, 1)]);
        let kept = *fixture.stored_of("ada").await.first().unwrap();
        let ended = cost(&fixture, async || {
            assert_eq!(registry.end_others("ada", &kept).await?, 49);
            Ok(())
        });
        assert_eq!(ended.await, [(Lock, 1), (Read, 50), (Destroy, 49), (Commit, 1)]);
        for _ in 0..49 {
            log_in(&fixture.elsewhere(None), "ada").await.unwrap();
        }
        let ended = cost(&fixture, async || {
            assert_eq!(registry.end_all("ada").await?, 50);
            Ok(())
        });
        assert_eq!(ended.await, [(Lock, 1), (Read, 50), (Destroy, 50), (Commit, 1)]);
        let id = log_in(&fixture.elsewhere(None), "ada").await.unwrap();
        let ended = cost(&fixture, async || {
            registry.end(&id.key()).await.map(|ended| assert!(ended))
        });
        assert_eq!(ended.await, [(Read, 1), (Destroy, 1), (Lock, 1), (Commit, 1)]);
    }
}

#[tokio::test(start_paused = true)]
async fn the_end_of_everything_costs_two_calls() {
    for others in [10, 10_000] {
        let fixture = crowd(others, true).await;
        let registry = fixture.session.registry();
        let first = cost(&fixture, async || registry.end_everything().await).await;
        assert_eq!(first, [(Lock, 1), (Create, 1)]);
        let second = cost(&fixture, async || registry.end_everything().await).await;
        assert_eq!(second, [(Lock, 1), (Commit, 1)]);
        assert_eq!(registry.count().await.unwrap(), 0);
    }
}

/// Where epochs are counted, the present one is read beside each session.
#[tokio::test(start_paused = true)]
async fn epochs_cost_a_read_for_each_start() {
    let fixture = fixture_with(|builder| builder.epochs(true));
    let session = &fixture.session;
    let created = cost_of(&fixture, Visit::new(), || session.set("a", 1)).await;
    assert_eq!(created, [(Read, 1), (Create, 1)]);
    let id = fixture.stored([("a", json!(1))]).await;
    assert_eq!(cost_of_reading(&fixture, &id).await, [(Read, 2)]);
    let written = cost_of(&fixture, id.clone(), || session.set("a", 2)).await;
    assert_eq!(written, [(Lock, 1), (Read, 1), (Commit, 1)]);
    let moved = cost_of(&fixture, id, || session.regenerate_id()).await;
    assert_eq!(moved, [(Lock, 1), (Read, 1), (Rotate, 1)]);
}

/// A session that is missing and may be about to be created never is.
#[tokio::test(start_paused = true)]
async fn the_end_of_all_bars_what_may_be_about_to_be_created() {
    let fixture = fixture();
    let id = fixture.log_in("ada").await.unwrap();
    fixture.storage.destroy(&id.key()).await.unwrap();
    let registry = fixture.session.registry();
    let ended = cost(&fixture, async || {
        registry.end_all("ada").await.map(|ended| assert_eq!(ended, 0))
    });
    assert_eq!(ended.await, [(Lock, 1), (Read, 3), (Create, 1), (Commit, 1)]);
}

/// A session that was there and is missing is ended once more, so that the replicas of a storage learn of it.
#[tokio::test(start_paused = true)]
async fn the_end_of_all_ends_what_is_missing_once_more() {
    let fixture = fixture();
    let id = fixture.log_in("ada").await.unwrap();
    let moved = visit(&fixture.session, id, || fixture.session.regenerate_id());
    let moved = moved.await.unwrap();
    fixture.storage.destroy(&moved.key()).await.unwrap();
    let registry = fixture.session.registry();
    let ended = cost(&fixture, async || {
        registry.end_all("ada").await.map(|ended| assert_eq!(ended, 0))
    });
    assert_eq!(ended.await, [(Lock, 1), (Read, 4), (Destroy, 1), (Commit, 1)]);
}

/// With ends that are reported at least once, a session is entered in a watchlist when it is created, gets a new key or
/// ends earlier.
#[tokio::test(start_paused = true)]
async fn ends_that_are_reported_cost_two_calls_for_each_entry() {
    let fixture = fixture_with(|builder| {
        let builder = builder.events(Events::new().at_least_once());
        builder.default_expiration(Expiration::After(HOUR))
    });
    let session = &fixture.session;
    let created = cost_of(&fixture, Visit::new(), || session.set("a", 1)).await;
    assert_eq!(created, [(Lock, 1), (Create, 2)]);
    let id = visit(session, Visit::new(), || session.set("a", 1)).await.unwrap();
    assert_eq!(cost_of_reading(&fixture, &id).await, [(Read, 1)]);
    let written = cost_of(&fixture, id.clone(), || session.set("a", 2)).await;
    assert_eq!(written, [(Lock, 1), (Commit, 1)]);
    let shorten = || session.set_expiration(Expiration::After(MINUTE));
    let shortened = cost_of(&fixture, id.clone(), shorten).await;
    assert_eq!(shortened, [(Lock, 2), (Commit, 2)]);
    let moved = cost_of(&fixture, id, || {
        session.regenerate_id()?;
        session.set_expiration(Expiration::After(MINUTE / 2))
    });
    assert_eq!(moved.await, [(Lock, 2), (Commit, 1), (Rotate, 1)]);
}
