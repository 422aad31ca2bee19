//! Events: who is told of what, how often, and after a crash.

use std::sync::Arc;
use std::time::Duration;

use sessile_core::{
    EndReason, EventKind, Events, Expiration, HOUR, InSession, Limit, Lookup, MINUTE, SECOND, Session, SessionError,
    Storage, Visit,
};
use sessile_memory::MemoryStorage;
use sessile_testkit::{Operation, Slow};

use crate::world::{Seen, World, ended};

/// The default of [`Events::report_within`].
const REPORT_WITHIN: Duration = Duration::from_secs(30);

#[tokio::test(start_paused = true)]
async fn a_session_tells_its_life() {
    let world = World::new(|builder| builder);
    let session = &world.session;
    let first = session
        .enter(Visit::new(), async { session.set("a", 1) })
        .await
        .unwrap();
    assert_eq!(world.take(), [(EventKind::Created, None)]);
    let id = first.outcome.new_id().unwrap();
    let before = id.key();
    let second = session
        .enter(Visit::from(id), async { session.log_in("ada") })
        .await
        .unwrap();
    let ada = || Some("ada".to_owned());
    assert_eq!(
        world.take(),
        [(EventKind::IdRenewed { before }, ada()), (EventKind::LoggedIn, ada())]
    );
    let id = second.outcome.new_id().unwrap();
    let before = id.key();
    let third = session
        .enter(Visit::from(id), async { session.log_out() })
        .await
        .unwrap();
    assert_eq!(
        world.take(),
        [(EventKind::IdRenewed { before }, None), (EventKind::LoggedOut, ada())]
    );
    let id = third.outcome.new_id();
    session
        .init(Visit::from(id.clone()), session.destroy())
        .await
        .unwrap()
        .unwrap();
    assert_eq!(world.take(), [(EventKind::Ended(EndReason::Asked), None)]);
    session
        .init(Visit::from(id), async { session.start().await })
        .await
        .unwrap()
        .unwrap();
    assert_eq!(world.take(), [(EventKind::UnknownId, None)]);
    assert_eq!(
        world.session.registry().maintain_once().await.unwrap(),
        0,
        "nothing is reported twice"
    );
    assert!(world.take().is_empty());
}

#[tokio::test(start_paused = true)]
async fn an_expired_session_is_reported_once_by_one_of_two_processes() {
    let world = World::new(|builder| builder);
    let (other, others) = World::process(&world.storage, |builder| builder);
    world.log_in("ada").await.unwrap();
    world.take();
    tokio::time::sleep(Duration::from_secs(99)).await;
    assert_eq!(world.session.registry().maintain_once().await.unwrap(), 0);
    tokio::time::sleep(Duration::from_secs(1)).await;
    let (a, b) = (world.session.registry(), other.registry());
    let (a, b) = tokio::join!(a.maintain_once(), b.maintain_once());
    assert_eq!(a.unwrap() + b.unwrap(), 1);
    let mut all = world.take();
    all.extend(std::mem::take(&mut *others.lock().unwrap()));
    assert_eq!(all, [ended(EndReason::Expired, "ada")]);
    for _ in 0..2 {
        assert_eq!(other.registry().maintain_once().await.unwrap(), 0);
        tokio::time::sleep(Duration::from_secs(60)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn ends_have_their_reasons() {
    let world = World::new(|builder| builder.limit(Limit::per_owner(1).evict_oldest()));
    world.log_in("ada").await.unwrap();
    world.take();
    world.log_in("ada").await.unwrap();
    let seen = world.take();
    assert!(seen.contains(&ended(EndReason::OverLimit, "ada")), "{seen:?}");
    assert_eq!(world.session.registry().end_all("ada").await.unwrap(), 1);
    assert_eq!(world.take(), [ended(EndReason::Operator, "ada")]);

    // A storage that drops a session by itself.
    let id = world.log_in("bob").await.unwrap();
    world.take();
    world.storage.destroy(&id.key()).await.unwrap();
    tokio::time::sleep(Duration::from_secs(60)).await;
    world.session.registry().maintain_once().await.unwrap();
    assert_eq!(world.take(), [ended(EndReason::Evicted, "bob")]);
}

#[tokio::test(start_paused = true)]
async fn a_login_that_is_refused_leaves_no_end_to_report() {
    let world = World::new(|builder| builder.limit(Limit::per_owner(1)));
    world.log_in("ada").await.unwrap();
    let refused = world.log_in("ada").await;
    assert!(
        matches!(refused, Err(SessionError::TooManySessions { .. })),
        "{refused:?}"
    );
    let guest = world
        .session
        .enter(Visit::new(), async { world.session.set("a", 1) })
        .await
        .unwrap();
    let refused = world.session.enter(Visit::from(guest.outcome.new_id()), async {
        world.session.start().await?;
        world.session.log_in("ada")
    });
    assert!(matches!(refused.await, Err(SessionError::TooManySessions { .. })));
    world.take();
    tokio::time::sleep(Duration::from_secs(101)).await;
    assert_eq!(world.session.registry().maintain_once().await.unwrap(), 2);
    assert_eq!(world.take().len(), 2);
}

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
async fn a_panicking_listener_stops_nobody() {
    let seen = Seen::default();
    let recorder = Arc::clone(&seen);
    let events = Events::new()
        .listen(|_| panic!("a fault of the application"))
        .listen(move |event| recorder.lock().unwrap().push((event.kind, None)));
    let session: Session = Session::builder(MemoryStorage::new()).events(events).build();
    let mut stream = session.events().unwrap();
    session
        .enter(Visit::new(), async { session.set("a", 1) })
        .await
        .unwrap();
    assert_eq!(*seen.lock().unwrap(), [(EventKind::Created, None)]);
    assert_eq!(stream.next().await.map(|event| event.kind), Some(EventKind::Created));
    drop(session);
    assert_eq!(stream.next().await, None);
}

#[tokio::test(start_paused = true)]
async fn who_asks_for_no_events_gets_none() {
    let session: Session = Session::builder(MemoryStorage::new()).build();
    assert!(matches!(session.events(), Err(SessionError::EventsOff)));
    assert_eq!(session.registry().maintain_once().await.unwrap(), 0);
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
    let world = World::new(|builder| builder);
    let session = &world.session;
    let mut id = world.log_in("ada").await.unwrap();
    let slow = Arc::new(Slow::shared(Arc::clone(&world.storage)));
    slow.delays().after(Operation::Read, 2 * SECOND);
    let (late, seen) = World::process(&slow, |builder| builder);
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
