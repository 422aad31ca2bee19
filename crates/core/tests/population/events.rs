//! Events: who is told of what, how often, and after a crash.

use std::sync::Arc;
use std::time::Duration;

use sessile_core::{EndReason, EventKind, Events, Limit, Session, SessionError, Storage, Visit};
use sessile_memory::MemoryStorage;

use crate::world::{Seen, World, ended};

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
