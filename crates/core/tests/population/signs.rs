//! Events that are no ends: signs that something is wrong, and what is none.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use sessile_core::{EndReason, EventKind, Events, Expiration, InSession, Session, SessionError, TokioClock, Visit};
use sessile_memory::MemoryStorage;

type Kinds = Arc<Mutex<Vec<EventKind>>>;

/// Returns a session whose events are recorded, each at most once.
fn listened() -> (Session, Kinds) {
    let kinds = Kinds::default();
    let recorder = Arc::clone(&kinds);
    let events = Events::new().listen(move |event| recorder.lock().unwrap().push(event.kind));
    let storage = MemoryStorage::builder()
        .clock(TokioClock::start())
        .sweeper(false)
        .build();
    let session = Session::builder(storage)
        .events(events)
        .default_expiration(Expiration::After(Duration::from_secs(100)))
        .build();
    (session, kinds)
}

fn take(kinds: &Kinds) -> Vec<EventKind> {
    std::mem::take(&mut kinds.lock().unwrap())
}

#[tokio::test(start_paused = true)]
async fn a_visit_that_is_overtaken_shows_no_replaced_id() {
    let (session, kinds) = listened();
    let first = session
        .enter(Visit::new(), async { session.set("a", 1) })
        .await
        .unwrap();
    let id = first.outcome.new_id().unwrap();
    let visit = session.open(Visit::from(id.clone()));
    async { session.start_readonly().await }
        .in_session(visit.handle())
        .await
        .unwrap();
    session
        .enter(Visit::from(id.clone()), async { session.regenerate_id() })
        .await
        .unwrap();
    take(&kinds);
    let overtaken = async { session.start().await }.in_session(visit.handle()).await;
    assert!(matches!(overtaken, Err(SessionError::Superseded)), "{overtaken:?}");
    assert_eq!(take(&kinds), []);
    // A client that shows the id later does.
    session
        .init(Visit::from(id), async { session.start().await })
        .await
        .unwrap()
        .unwrap();
    assert_eq!(take(&kinds), [EventKind::ReplacedId]);
}

#[tokio::test(start_paused = true)]
async fn a_logout_of_a_session_that_has_expired_and_was_barred_is_no_end() {
    let (session, kinds) = listened();
    let first = session
        .enter(Visit::new(), async { session.log_in("ada") })
        .await
        .unwrap();
    let id = first.outcome.new_id().unwrap();
    tokio::time::sleep(Duration::from_secs(101)).await;
    assert_eq!(session.registry().by_owner("ada").await.unwrap(), []);
    take(&kinds);
    session.init(Visit::from(id), session.destroy()).await.unwrap().unwrap();
    assert_eq!(take(&kinds), []);
}

#[tokio::test(start_paused = true)]
async fn each_session_of_a_visit_with_several_ids_is_reported() {
    let (session, kinds) = listened();
    let mut ids = Vec::new();
    for _ in 0..2 {
        let first = session
            .enter(Visit::new(), async { session.set("a", 1) })
            .await
            .unwrap();
        ids.push(first.outcome.new_id().unwrap());
    }
    // The first has moved, so that only its former id is known.
    session
        .enter(Visit::from(ids[0].clone()), async { session.regenerate_id() })
        .await
        .unwrap();
    take(&kinds);
    let visit = Visit::from(ids[0].clone()).or(ids[1].clone());
    session.init(visit, session.destroy()).await.unwrap().unwrap();
    assert_eq!(take(&kinds), [EventKind::Ended(EndReason::Asked); 2]);
}

/// A key that no session has comes from the application, and not from a client that guesses.
#[tokio::test(start_paused = true)]
async fn a_task_for_a_session_that_has_moved_or_ended_is_no_sign() {
    let (session, kinds) = listened();
    let first = session.enter(Visit::new(), async { session.set("a", 1) });
    let id = first.await.unwrap().outcome.new_id().unwrap();
    let moved = session.enter(Visit::from(id.clone()), async { session.regenerate_id() });
    let moved = moved.await.unwrap().outcome.new_id().unwrap();
    take(&kinds);
    let task = async || session.set("a", 2);
    let late = session.run_in(&id.key(), task).await;
    assert!(matches!(late, Err(SessionError::Superseded)), "{late:?}");
    assert!(session.registry().end(&moved.key()).await.unwrap());
    let late = session.run_in(&moved.key(), task).await;
    assert!(late.is_err(), "{late:?}");
    assert_eq!(take(&kinds), [EventKind::Ended(EndReason::Operator)]);
}
