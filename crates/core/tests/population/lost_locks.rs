//! A visit that has lost the lock of its session hides no session.

use std::sync::Arc;
use std::time::Duration;

use sessile_core::{EndReason, Expiration, InSession, SessionError, Visit};
use sessile_testkit::{Operation, Slow};

use crate::world::{World, ended};

/// More visits than a place has keys.
const LATE: usize = 20;

const LONGER_THAN_A_LEASE: Duration = Duration::from_secs(7);

/// Another visit has moved the session when the visit that has lost the lock tries to.
#[tokio::test(start_paused = true)]
async fn a_late_move_hides_no_session_that_has_moved() {
    for again in [false, true] {
        let world = World::new(|builder| builder);
        let session = &world.session;
        let id = world.log_in("ada").await.unwrap();
        let late = session.open(Visit::from(id.clone()));
        async { session.start().await }.in_session(late.handle()).await.unwrap();
        tokio::time::sleep(LONGER_THAN_A_LEASE).await;
        let moved = session.enter(Visit::from(id), async { session.regenerate_id() }).await;
        let moved = moved.unwrap().outcome.new_id().unwrap();
        async {
            match again {
                true => session.log_in("ada"),
                false => session.regenerate_id(),
            }
        }
        .in_session(late.handle())
        .await
        .unwrap();
        let closed = late.close().await;
        assert!(
            matches!(closed, Err(SessionError::Superseded | SessionError::LockLost)),
            "{closed:?}"
        );
        world.take();

        let listed = session.registry().by_owner("ada").await.unwrap();
        assert_eq!(listed.iter().map(|info| info.key).collect::<Vec<_>>(), [moved.key()]);
        // Nothing that lives is reported, and what is ended is.
        tokio::time::sleep(Duration::from_secs(61)).await;
        assert_eq!(session.registry().maintain_once().await.unwrap(), 0);
        assert_eq!(session.registry().end_all("ada").await.unwrap(), 1);
        assert_eq!(world.take(), [ended(EndReason::Operator, "ada")]);
        assert!(session.registry().get(&moved.key()).await.unwrap().is_none());
        tokio::time::sleep(Duration::from_secs(200)).await;
        assert_eq!(session.registry().maintain_once().await.unwrap(), 0);
    }
}

/// However many visits fail to move a session, its place keeps the key at which it is.
#[tokio::test(start_paused = true)]
async fn no_number_of_late_moves_hides_a_session() {
    let world = World::new(|builder| builder.default_expiration(Expiration::Never));
    let session = &world.session;
    let id = world.log_in("ada").await.unwrap();
    let mut late = Vec::new();
    for _ in 0..LATE {
        let visit = session.open(Visit::from(id.clone()));
        async { session.start().await }
            .in_session(visit.handle())
            .await
            .unwrap();
        late.push(visit);
        tokio::time::sleep(LONGER_THAN_A_LEASE).await;
    }
    let moved = session.enter(Visit::from(id), async { session.regenerate_id() }).await;
    let moved = moved.unwrap().outcome.new_id().unwrap();
    for visit in late {
        async { session.regenerate_id() }
            .in_session(visit.handle())
            .await
            .unwrap();
        assert!(visit.close().await.is_err());
    }
    let listed = session.registry().by_owner("ada").await.unwrap();
    assert_eq!(listed.iter().map(|info| info.key).collect::<Vec<_>>(), [moved.key()]);
}

/// Its end was noted by a process that was killed; then it has moved twice, and a visit that has lost its lock tries to
/// move it from its first key.
#[tokio::test(start_paused = true)]
async fn a_late_move_leads_no_report_astray() {
    let world = World::new(|builder| builder);
    let session = &world.session;
    let first = world.log_in("ada").await.unwrap();
    let late = session.open(Visit::from(first.clone()));
    async { session.start().await }.in_session(late.handle()).await.unwrap();
    tokio::time::sleep(LONGER_THAN_A_LEASE).await;
    let slow = Arc::new(Slow::shared(Arc::clone(&world.storage)));
    slow.delays().before(Operation::Destroy, Duration::from_secs(5));
    let (killed, _) = World::process(&slow, |builder| builder);
    let registry = killed.registry();
    let key = first.key();
    let end = tokio::time::timeout(Duration::from_secs(1), registry.end(&key));
    assert!(end.await.is_err(), "it is killed before it ends the session");
    let mut id = first;
    for _ in 0..2 {
        let moved = session.enter(Visit::from(id), async {
            session.start().await?;
            session.regenerate_id()
        });
        id = moved.await.unwrap().outcome.new_id().unwrap();
    }
    async { session.regenerate_id() }
        .in_session(late.handle())
        .await
        .unwrap();
    assert!(late.close().await.is_err());
    world.take();
    tokio::time::sleep(Duration::from_secs(31)).await;
    assert_eq!(session.registry().maintain_once().await.unwrap(), 0, "it lives");
    assert!(session.registry().end(&id.key()).await.unwrap());
    assert_eq!(world.take(), [ended(EndReason::Operator, "ada")]);
    tokio::time::sleep(Duration::from_secs(3_600)).await;
    assert_eq!(session.registry().maintain_once().await.unwrap(), 0);
}
