//! The cost of a population does not grow with it: a call costs what it touches.

use sessile_core::{Expiration, MINUTE, Session, SessionKey, Visit};
use sessile_memory::MemoryStorage;
use sessile_testkit::{Calls, Counting, Operation};

/// The sizes of the two populations that are compared.
const FEW: usize = 10;
const MANY: usize = 100_000;

/// The sessions of the owner that are ended.
const DEVICES: usize = 50;

/// Creates a population of sessions, every tenth with an owner of its own, and one owner with [`DEVICES`] sessions.
async fn population(size: usize) -> (Session, Calls) {
    let storage = Counting::new(MemoryStorage::new());
    let calls = storage.calls();
    let session: Session = Session::builder(storage)
        .epochs(true)
        .default_expiration(Expiration::After(60 * MINUTE))
        .build();
    for number in 0..size {
        let begun = session.enter(Visit::new(), async {
            match number % 10 {
                0 => session.log_in(&format!("owner-{number}")),
                _ => session.set("number", number),
            }
        });
        begun.await.expect("a new session");
    }
    for _ in 0..DEVICES {
        session
            .enter(Visit::new(), async { session.log_in("ada") })
            .await
            .expect("a login");
    }
    calls.reset();
    (session, calls)
}

#[tokio::test]
async fn a_call_costs_what_it_touches() {
    let (few, of_few) = population(FEW).await;
    let (many, of_many) = population(MANY).await;

    // A page costs the page: a scan, and the epoch.
    for (session, calls) in [(&few, &of_few), (&many, &of_many)] {
        let page = session.registry().list(None, FEW).await.expect("a page");
        assert!(!page.sessions.is_empty());
        assert_eq!((calls.of(Operation::Scan), calls.of(Operation::Read)), (1, 1));
        assert_eq!(calls.take().total(), 2);
    }

    let listed = many.registry().by_owner("ada").await.expect("a list");
    assert_eq!(listed.len(), DEVICES);
    of_many.reset();
    let keys: Vec<SessionKey> = listed.iter().map(|info| info.key).collect();
    for (session, calls) in [(&few, &of_few), (&many, &of_many)] {
        assert_eq!(session.registry().end_all("ada").await.expect("all end"), DEVICES);
        let counts = calls.take();
        // Each session is read, with the epoch, and destroyed; and the list is locked and committed.
        assert_eq!(
            counts,
            [
                (Operation::Read, 2 * DEVICES as u64),
                (Operation::Lock, 1),
                (Operation::Commit, 1),
                (Operation::Destroy, DEVICES as u64),
            ]
        );
    }
    for key in &keys {
        assert_eq!(many.registry().get(key).await.expect("a lookup"), None);
    }
    of_many.reset();
    assert_eq!(many.registry().count().await.expect("a count"), MANY as u64);
    of_many.reset();

    let mut costs = Vec::new();
    for (session, calls) in [(&few, &of_few), (&many, &of_many)] {
        // The first time, the record of the epoch is created.
        for _ in 0..2 {
            session.registry().end_everything().await.expect("everything ends");
            costs.push(calls.take().total());
        }
        assert_eq!(session.registry().count().await.expect("a count"), 0);
        calls.reset();
    }
    assert_eq!(costs, [2; 4], "it is constant");
}
