//! Callbacks: each runs once when its session has ended, wherever that was.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use sessile_core::{EndReason, InSession, SessionId, Visit};

use crate::world::World;

#[tokio::test(start_paused = true)]
async fn a_callback_sees_the_last_data_once() {
    let world = World::new(|builder| builder);
    let session = &world.session;
    let first = session
        .enter(Visit::new(), async { session.set("a", 1) })
        .await
        .unwrap();
    let calls = Arc::new(Mutex::new(Vec::new()));
    let visit = session.open(Visit::from(first.outcome.new_id()));
    async {
        session.start().await?;
        let told = Arc::clone(&calls);
        session.on_end(move |ended| told.lock().unwrap().push((ended.reason(), ended.get("a").unwrap())))?;
        session.on_end(|_| panic!("a fault of the application"))?;
        // The session moves on, and so do its callbacks.
        session.regenerate_id()?;
        session.set("a", 2)
    }
    .in_session(visit.handle())
    .await
    .unwrap();
    visit.close().await.unwrap();
    let key = visit.outcome().new_id().unwrap().key();
    assert!(session.registry().end(&key).await.unwrap());
    assert!(!session.registry().end(&key).await.unwrap());
    session.registry().maintain_once().await.unwrap();
    assert_eq!(*calls.lock().unwrap(), [(EndReason::Operator, Some(2.into()))]);
}

#[tokio::test(start_paused = true)]
async fn a_callback_learns_of_ends_elsewhere_and_of_expiry() {
    let world = World::new(|builder| builder);
    let (other, _) = World::process(&world.storage, |builder| builder);
    for (reason, value) in [(EndReason::Elsewhere, 7), (EndReason::Expired, 8)] {
        let session = &world.session;
        let first = session
            .enter(Visit::new(), async { session.set("a", value) })
            .await
            .unwrap();
        let id = first.outcome.new_id().unwrap();
        let calls = Arc::new(Mutex::new(Vec::new()));
        let told = Arc::clone(&calls);
        session
            .init(Visit::from(id.clone()), async {
                session.start_readonly().await?;
                session.on_end(move |ended| told.lock().unwrap().push((ended.reason(), ended.get("a").unwrap())))
            })
            .await
            .unwrap()
            .unwrap();
        session.registry().maintain_once().await.unwrap();
        match reason {
            EndReason::Elsewhere => assert!(other.registry().end(&id.key()).await.unwrap()),
            _ => tokio::time::sleep(Duration::from_secs(100)).await,
        }
        session.registry().maintain_once().await.unwrap();
        assert_eq!(*calls.lock().unwrap(), [(reason, Some(value.into()))]);
    }
}

#[tokio::test(start_paused = true)]
async fn no_callback_is_lost_when_a_session_is_known_by_two_keys() {
    let grace = Duration::from_secs(50);
    let world = World::new(|builder| builder.rotation_grace(grace));
    let (other, _) = World::process(&world.storage, |builder| builder.rotation_grace(grace));
    let session = &world.session;
    let id = world.log_in("ada").await.unwrap();
    let calls = Arc::new(Mutex::new(Vec::new()));
    let watch = async |name: &'static str, id: &SessionId| {
        let told = Arc::clone(&calls);
        let work = async {
            session.start_readonly().await?;
            session.on_end(move |_| told.lock().unwrap().push(name))
        };
        session.init(Visit::from(id.clone()), work).await.unwrap().unwrap();
    };
    watch("former", &id).await;
    let moved = other
        .enter(Visit::from(id), async { other.regenerate_id() })
        .await
        .unwrap();
    let moved = moved.outcome.new_id().unwrap();
    watch("present", &moved).await;
    session.registry().maintain_once().await.unwrap();
    assert!(session.registry().end(&moved.key()).await.unwrap());
    let mut calls = calls.lock().unwrap().clone();
    calls.sort_unstable();
    assert_eq!(calls, ["former", "present"]);
}
