//! Ends of sessions that move, end earlier or are ended by several callers: each is reported once, in time.

use std::sync::Arc;
use std::time::Duration;

use sessile_core::{
    EndReason, EventKind, Expiration, HOUR, InSession, Lookup, MINUTE, SECOND, SessionError, Storage, Visit,
};
use sessile_testkit::{Operation, Slow};

use crate::world::{World, ended};

/// The default of [`Events::report_within`](sessile_core::Events::report_within).
const REPORT_WITHIN: Duration = Duration::from_secs(30);

#[tokio::test(start_paused = true)]
async fn a_session_that_is_ended_while_it_moves_is_reported_once() {
    let world = World::new(|builder| builder);
    let id = world.log_in("ada").await.unwrap();
    let visit = world.session.open(Visit::from(id.clone()));
    async {
        world.session.start().await?;
        world.session.regenerate_id()
    }
    .in_session(visit.handle())
    .await
    .unwrap();
    assert!(world.session.registry().end(&id.key()).await.unwrap());
    assert!(matches!(visit.close().await, Err(SessionError::Gone)));
    world.take();
    tokio::time::sleep(Duration::from_secs(101)).await;
    assert_eq!(world.session.registry().maintain_once().await.unwrap(), 0);
    assert!(world.take().is_empty());
}

/// The watchlist knows no former key but the one before the last.
#[tokio::test(start_paused = true)]
async fn an_end_by_a_former_key_is_reported_once_with_its_owner() {
    for reason in [EndReason::Operator, EndReason::Asked] {
        let world = World::new(|builder| builder);
        let (session, registry) = (&world.session, world.session.registry());
        let first = world.log_in("ada").await.unwrap();
        world.log_in("bob").await.unwrap();
        let mut id = first.clone();
        for _ in 0..3 {
            let visit = Visit::from(id);
            let moved = session
                .enter(visit, async {
                    session.start().await?;
                    session.regenerate_id()
                })
                .await
                .unwrap();
            id = moved.outcome.new_id().unwrap();
        }
        world.take();
        match reason {
            EndReason::Operator => assert!(registry.end(&first.key()).await.unwrap()),
            _ => session
                .init(Visit::from(first), session.destroy())
                .await
                .unwrap()
                .unwrap(),
        }
        assert_eq!(world.storage.read(&id.key()).await.unwrap(), Lookup::Missing);
        assert_eq!(world.take(), [ended(reason, "ada")]);
        tokio::time::sleep(Duration::from_secs(50)).await;
        assert_eq!(registry.maintain_once().await.unwrap(), 0);
        tokio::time::sleep(Duration::from_secs(51)).await;
        assert_eq!(registry.maintain_once().await.unwrap(), 1);
        assert_eq!(world.take(), [ended(EndReason::Expired, "bob")]);
    }
}

#[tokio::test(start_paused = true)]
async fn an_end_that_two_callers_make_is_reported_once() {
    let world = World::new(|builder| builder);
    let id = world.log_in("ada").await.unwrap();
    let slow = Slow::shared(Arc::clone(&world.storage));
    slow.delays().after(Operation::Read, Duration::from_secs(5));
    let (late, seen) = World::process(&Arc::new(slow), |builder| builder);
    world.take();
    // The late one has found the session before the other one ends and reports it.
    let registry = late.registry();
    let late_end = async {
        let ended = registry.end(&id.key()).await;
        assert!(!ended.unwrap());
    };
    let end = async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert!(world.session.registry().end(&id.key()).await.unwrap());
    };
    tokio::join!(late_end, end);
    for _ in 0..3 {
        tokio::time::sleep(Duration::from_secs(60)).await;
        assert_eq!(world.session.registry().maintain_once().await.unwrap(), 0);
    }
    assert_eq!(world.take(), [ended(EndReason::Operator, "ada")]);
    assert!(seen.lock().unwrap().is_empty());
}

/// A session is ended by its key, or by its former one, while a visit is about to move it on.
#[tokio::test(start_paused = true)]
async fn a_session_that_moves_on_while_it_is_ended_is_reported_once() {
    for has_moved in [false, true] {
        let world = World::new(|builder| builder);
        let renewing = &world.session;
        let other = Arc::new(Slow::shared(Arc::clone(&world.storage)));
        other.delays().before(Operation::Destroy, 3 * SECOND);
        other.delays().before(Operation::Rotate, 3 * SECOND);
        let (slow, seen) = World::process(&other, |builder| builder);
        let mut events = slow.events().unwrap();
        let id = world.log_in("ada").await.unwrap();
        world.take();
        let (registry, former) = (slow.registry(), id.key());
        let end = async {
            tokio::time::sleep(if has_moved { 2 * SECOND } else { Duration::ZERO }).await;
            registry.end(&former).await
        };
        let moves = async {
            tokio::time::sleep(SECOND).await;
            let moved = renewing.enter(Visit::from(id.clone()), async { renewing.regenerate_id() });
            let moved = moved.await.unwrap().outcome.new_id().unwrap();
            tokio::time::sleep(Duration::from_millis(1_001)).await;
            let moves = slow.enter(Visit::from(moved.clone()), async {
                slow.start().await?;
                slow.regenerate_id()
            });
            (moved, moves.await)
        };
        let (end, (moved, moves)) = tokio::join!(end, moves);
        assert!(end.unwrap());
        assert!(matches!(moves, Err(SessionError::Gone)), "{moves:?}");
        let seen = seen.lock().unwrap().clone();
        let ends = seen.iter().filter(|(kind, _)| matches!(kind, EventKind::Ended(_)));
        assert_eq!(ends.collect::<Vec<_>>(), [&ended(EndReason::Operator, "ada")]);
        let event = events.next().await.unwrap();
        assert_eq!(event.kind, EventKind::Ended(EndReason::Operator));
        assert_eq!(event.key, if has_moved { moved.key() } else { former });
        world.take();
        tokio::time::sleep(HOUR).await;
        assert_eq!(world.session.registry().maintain_once().await.unwrap(), 0);
        assert!(world.take().is_empty());
    }
}

/// A visit lets the session end earlier, and learns of that when another process has ended and reported it.
#[tokio::test(start_paused = true)]
async fn an_earlier_end_is_not_noted_for_a_session_that_has_ended() {
    for renews in [false, true] {
        let world = World::new(|builder| builder);
        let id = world.log_in("ada").await.unwrap();
        let slow = Arc::new(Slow::shared(Arc::clone(&world.storage)));
        slow.delays().after(Operation::Commit, 2 * SECOND);
        slow.delays().after(Operation::Rotate, 2 * SECOND);
        let (late, _) = World::process(&slow, |builder| builder);
        let key = id.key();
        world.take();
        let shorten = late.enter(Visit::from(id), async {
            late.start().await?;
            if renews {
                late.regenerate_id()?;
            }
            late.set_expiration(Expiration::After(10 * SECOND))
        });
        let end = async {
            // The watchlist and the list of the owner are changed before the session moves.
            tokio::time::sleep(if renews { 5 * SECOND } else { SECOND }).await;
            world.session.registry().end(&key).await
        };
        let (shortened, is_ended) = tokio::join!(shorten, end);
        shortened.unwrap();
        assert!(is_ended.unwrap());
        assert_eq!(world.take(), [ended(EndReason::Operator, "ada")]);
        tokio::time::sleep(HOUR).await;
        assert_eq!(world.session.registry().maintain_once().await.unwrap(), 0);
        assert!(world.take().is_empty());
    }
}

#[tokio::test(start_paused = true)]
async fn a_session_that_moves_twice_before_its_end_is_noted_is_reported_once() {
    for grace in [Duration::ZERO, 50 * SECOND] {
        let world = World::new(|builder| builder.rotation_grace(grace));
        let session = &world.session;
        let mut id = world.log_in("ada").await.unwrap();
        let slow = Arc::new(Slow::shared(Arc::clone(&world.storage)));
        slow.delays().after(Operation::Read, 2 * SECOND);
        let (late, seen) = World::process(&slow, |builder| builder.rotation_grace(grace));
        let (registry, former) = (late.registry(), id.key());
        let end = registry.end(&former);
        let moves = async {
            tokio::time::sleep(SECOND).await;
            for _ in 0..2 {
                let moved = session.enter(Visit::from(id.clone()), async {
                    session.start().await?;
                    session.regenerate_id()
                });
                id = moved.await.unwrap().outcome.new_id().unwrap();
            }
        };
        let (end, ()) = tokio::join!(end, moves);
        assert!(end.unwrap());
        assert_eq!(world.storage.read(&id.key()).await.unwrap(), Lookup::Missing);
        assert_eq!(*seen.lock().unwrap(), [ended(EndReason::Operator, "ada")]);
        world.take();
        tokio::time::sleep(HOUR).await;
        assert_eq!(session.registry().maintain_once().await.unwrap(), 0);
        assert!(world.take().is_empty());
    }
}

/// A round finds the session where it was, and the visit that moves it lets it end soon.
#[tokio::test(start_paused = true)]
async fn a_session_that_ends_soon_after_its_move_is_reported_in_time() {
    let world = World::new(|builder| builder);
    let session = &world.session;
    let id = world.log_in("ada").await.unwrap();
    // The watchlist keeps the earliest end until a round looks at the session.
    for lifetime in [10 * SECOND, HOUR] {
        let prolong = async { session.set_expiration(Expiration::After(lifetime)) };
        session.enter(Visit::from(id.clone()), prolong).await.unwrap();
    }
    let slow = Arc::new(Slow::shared(Arc::clone(&world.storage)));
    slow.delays().before(Operation::Rotate, 4 * SECOND);
    let (late, _) = World::process(&slow, |builder| builder);
    let shorten = late.enter(Visit::from(id), async {
        late.start().await?;
        tokio::time::sleep(7 * SECOND).await;
        late.regenerate_id()?;
        late.set_expiration(Expiration::After(7 * SECOND))
    });
    let round = async {
        tokio::time::sleep(10 * SECOND).await;
        session.registry().maintain_once().await
    };
    let (moved, reported) = tokio::join!(shorten, round);
    moved.unwrap();
    assert_eq!(reported.unwrap(), 0);
    world.take();
    tokio::time::sleep(REPORT_WITHIN).await;
    assert_eq!(session.registry().maintain_once().await.unwrap(), 1);
    assert_eq!(world.take(), [ended(EndReason::Expired, "ada")]);
}

/// Two callers end a session, and the one that has noted it first comes too late.
#[tokio::test(start_paused = true)]
async fn an_end_that_another_has_noted_first_is_reported_once() {
    let world = World::new(|builder| builder);
    let id = world.log_in("ada").await.unwrap();
    let slow = Arc::new(Slow::shared(Arc::clone(&world.storage)));
    slow.delays().before(Operation::Destroy, 2 * SECOND);
    let (first, seen) = World::process(&slow, |builder| builder);
    world.take();
    let (registry, key) = (first.registry(), id.key());
    let second = async {
        tokio::time::sleep(SECOND).await;
        world.session.init(Visit::from(id), world.session.destroy()).await
    };
    let (ended_first, second) = tokio::join!(registry.end(&key), second);
    assert!(!ended_first.unwrap());
    second.unwrap().unwrap();
    assert!(world.take().is_empty() && seen.lock().unwrap().is_empty());
    tokio::time::sleep(REPORT_WITHIN).await;
    assert_eq!(world.session.registry().maintain_once().await.unwrap(), 1);
    assert_eq!(world.take(), [ended(EndReason::Operator, "ada")]);
}

/// Two callers end a session, and the second one removes the barrier that a third has put in its place.
#[tokio::test(start_paused = true)]
async fn an_end_is_reported_once_although_a_barrier_has_been_removed() {
    let world = World::new(|builder| builder);
    let id = world.log_in("ada").await.unwrap();
    let processes = [SECOND, 3 * SECOND].map(|delay| {
        let slow = Arc::new(Slow::shared(Arc::clone(&world.storage)));
        slow.delays().before(Operation::Lock, SECOND / 2);
        slow.delays().before(Operation::Destroy, delay);
        World::process(&slow, |builder| builder)
    });
    world.take();
    let [(first, seen_first), (second, seen_second)] = &processes;
    let (registries, key) = ([first.registry(), second.registry()], id.key());
    let third = async {
        // The session is gone, and the first caller has not taken it off its owner's list.
        tokio::time::sleep(SECOND * 17 / 10).await;
        world.session.registry().end_all("ada").await
    };
    let (first, second, third) = tokio::join!(registries[0].end(&key), registries[1].end(&key), third);
    assert!(first.unwrap() && second.unwrap());
    assert_eq!(third.unwrap(), 0);
    tokio::time::sleep(HOUR).await;
    world.session.registry().maintain_once().await.unwrap();
    let mut all = world.take();
    all.extend(seen_first.lock().unwrap().clone());
    all.extend(seen_second.lock().unwrap().clone());
    assert_eq!(all, [ended(EndReason::Operator, "ada")]);
}

#[tokio::test(start_paused = true)]
async fn a_session_whose_end_has_come_earlier_is_reported_in_time() {
    let world = World::new(|builder| builder);
    let id = world.log_in("ada").await.unwrap();
    let session = &world.session;
    let shorten = async { session.set_expiration(Expiration::After(Duration::from_secs(10))) };
    session.enter(Visit::from(id), shorten).await.unwrap();
    world.take();
    tokio::time::sleep(Duration::from_secs(10)).await;
    assert_eq!(session.registry().maintain_once().await.unwrap(), 1);
    assert_eq!(world.take(), [ended(EndReason::Expired, "ada")]);
}

/// The end of all sessions of an owner finds the place of a login before the session is created, and ends it after.
#[tokio::test(start_paused = true)]
async fn the_end_of_a_session_that_has_just_been_created_is_reported() {
    let world = World::new(|builder| builder.lock_wait(MINUTE));
    let slow = Arc::new(Slow::shared(Arc::clone(&world.storage)));
    slow.delays().before(Operation::Create, 2 * SECOND);
    slow.delays().before(Operation::Destroy, 2 * SECOND);
    let (session, seen) = World::process(&slow, |builder| builder.lock_wait(MINUTE));
    let login = session.enter(Visit::new(), async { session.log_in("ada") });
    let end = async {
        // A watchlist and the list of the owner are created first.
        tokio::time::sleep(5 * SECOND).await;
        session.registry().end_all("ada").await
    };
    let (login, ended_sessions) = tokio::join!(login, end);
    let id = login.unwrap().outcome.new_id().unwrap();
    assert_eq!(ended_sessions.unwrap(), 1);
    assert_eq!(world.storage.read(&id.key()).await.unwrap(), Lookup::Missing);
    assert_eq!(seen.lock().unwrap().last(), Some(&ended(EndReason::Operator, "ada")));
    assert_eq!(session.registry().by_owner("ada").await.unwrap(), []);
    world.take();
    tokio::time::sleep(HOUR).await;
    assert_eq!(world.session.registry().maintain_once().await.unwrap(), 0);
    assert!(world.take().is_empty());
}
