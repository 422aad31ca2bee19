//! Each call of the storage fails in turn, before it takes effect or after. No session is missing from its owner's list,
//! there are never more than the limit allows, and when the leases are over owners can log in.

use sessile_core::{InSession, Limit, MINUTE, SessionError, SessionId, StorageErrorKind, Visit};
use sessile_testkit::{Counts, Fault, Operation};

use super::support::*;
use crate::common::*;

const LIMIT: usize = 2;

/// The sessions before a call: two of ada, and one of bob.
struct Before {
    ada: [SessionId; 2],
    bob: SessionId,
}

async fn prepared(limit: Limit) -> (Fixture, Before) {
    let fixture = limited(limit);
    let ada = [
        fixture.log_in("ada").await.unwrap(),
        fixture.log_in("ada").await.unwrap(),
    ];
    let bob = fixture.log_in("bob").await.unwrap();
    fixture.calls.reset();
    (fixture, Before { ada, bob })
}

/// Runs the call with each possible fault, and checks what is left.
async fn fail_everywhere(limit: Limit, call: impl AsyncFn(&Fixture, &Before) -> Result<(), SessionError>) {
    let (fixture, before) = prepared(limit).await;
    call(&fixture, &before).await.unwrap();
    let calls: Counts = fixture.calls.take();
    assert!(calls.total() >= 3, "{calls:?}");
    for operation in Operation::ALL {
        for nth in 1..=calls.of(operation) {
            for fault in [
                Fault::before(StorageErrorKind::Full),
                Fault::before(StorageErrorKind::Unavailable),
                Fault::after(StorageErrorKind::Timeout),
            ] {
                let context = &*format!("{operation} {nth}, {fault:?}");
                let (fixture, before) = prepared(limit).await;
                fixture.faults.fail(operation, nth, fault);
                let result = call(&fixture, &before).await;
                assert_eq!(fixture.faults.injected(), 1, "{context}");
                fixture.faults.clear();
                check(&fixture, limit, result, context).await;
            }
        }
    }
}

async fn check(fixture: &Fixture, limit: Limit, result: Result<(), SessionError>, context: &str) {
    let blameless = matches!(
        result,
        Err(SessionError::Gone | SessionError::Superseded | SessionError::LockLost)
    );
    assert!(!blameless, "{context}: the session of the visit is well: {result:?}");
    for owner in OWNERS {
        let stored = fixture.stored_of(owner).await;
        assert!(stored.len() <= LIMIT, "{context}: {} sessions of {owner}", stored.len());
    }
    // A lock whose acknowledgement was lost ends with its lease.
    pass(MINUTE).await;
    fixture.assert_idle(context);
    fixture.assert_complete(LIMIT, context).await;
    let registry = fixture.elsewhere(limit).registry();
    if fixture.stored_of("ada").await.len() < LIMIT {
        let again = fixture.log_in("ada").await;
        again.unwrap_or_else(|error| panic!("{context}: there is room: {error:?}"));
    }
    registry.end_all("ada").await.unwrap();
    assert!(fixture.stored_of("ada").await.is_empty(), "{context}");
    for _ in 0..LIMIT {
        fixture.log_in("ada").await.unwrap();
    }
    fixture.assert_complete(LIMIT, context).await;
}

async fn in_visit(
    fixture: &Fixture,
    id: impl Into<Visit>,
    work: impl FnOnce() -> Result<(), SessionError>,
) -> Result<(), SessionError> {
    visit(&fixture.session, id, work).await.map(drop)
}

#[tokio::test(start_paused = true)]
async fn of_a_login_in_a_new_session() {
    for limit in [
        Limit::per_owner(LIMIT).evict_oldest(),
        Limit::per_owner(LIMIT).evict_least_active(),
    ] {
        fail_everywhere(limit, async |fixture, _| {
            in_visit(fixture, Visit::new(), || fixture.session.log_in("ada")).await
        })
        .await;
    }
}

#[tokio::test(start_paused = true)]
async fn of_a_login_in_a_session_of_another_owner() {
    fail_everywhere(Limit::per_owner(LIMIT).evict_oldest(), async |fixture, before| {
        in_visit(fixture, before.bob.clone(), || fixture.session.log_in("ada")).await
    })
    .await;
    fail_everywhere(Limit::per_owner(LIMIT), async |fixture, before| {
        in_visit(fixture, before.ada[0].clone(), || fixture.session.log_in("bob")).await
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn of_a_refused_login() {
    fail_everywhere(Limit::per_owner(LIMIT), async |fixture, before| {
        let refused = in_visit(fixture, before.bob.clone(), || fixture.session.log_in("ada")).await;
        match refused {
            Err(SessionError::TooManySessions { limit: LIMIT }) => Ok(()),
            other => other,
        }
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn of_moves() {
    let limit = Limit::per_owner(LIMIT);
    fail_everywhere(limit, async |fixture, before| {
        in_visit(fixture, before.ada[0].clone(), || fixture.session.log_out()).await
    })
    .await;
    fail_everywhere(limit, async |fixture, before| {
        in_visit(fixture, before.ada[0].clone(), || fixture.session.log_in("ada")).await
    })
    .await;
    fail_everywhere(limit, async |fixture, before| {
        in_visit(fixture, before.ada[1].clone(), || fixture.session.regenerate_id()).await
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn of_ends() {
    let limit = Limit::per_owner(LIMIT);
    fail_everywhere(limit, async |fixture, before| {
        let session = &fixture.session;
        let destroyed = session.init(Visit::from(before.ada[0].clone()), async {
            session.start().await?;
            session.destroy().await
        });
        destroyed.await?
    })
    .await;
    fail_everywhere(limit, async |fixture, before| {
        let opened = fixture.session.open(Visit::from(before.ada[0].clone()));
        let destroy = async { fixture.session.destroy().await };
        destroy.in_session(opened.handle()).await
    })
    .await;
    fail_everywhere(limit, async |fixture, _| {
        fixture.session.registry().end_all("ada").await.map(drop)
    })
    .await;
    fail_everywhere(limit, async |fixture, before| {
        let registry = fixture.session.registry();
        registry.end_others("ada", &before.ada[1].key()).await.map(drop)
    })
    .await;
    fail_everywhere(limit, async |fixture, before| {
        fixture.session.registry().end(&before.ada[0].key()).await.map(drop)
    })
    .await;
}

/// One place is stale and one is missing.
#[tokio::test(start_paused = true)]
async fn of_an_audit() {
    fail_everywhere(Limit::per_owner(LIMIT), async |fixture, before| {
        use sessile_core::{SessionKey, Storage};
        fixture.storage.destroy(&before.ada[0].key()).await?;
        fixture.storage.destroy(&SessionKey::derive("owner", "bob")).await?;
        pass(secs(61)).await;
        let audited = fixture.session.registry().audit().await;
        if audited.is_err() {
            // The next one mends the rest.
            fixture.faults.clear();
            pass(MINUTE).await;
            fixture.elsewhere(None).registry().audit().await?;
        }
        Ok(())
    })
    .await;
}

/// A session that surely was not stored takes no place: there is room at once.
#[tokio::test(start_paused = true)]
async fn that_are_certain_leave_no_place() {
    for operation in [Operation::Create, Operation::Rotate] {
        let (fixture, before) = prepared(Limit::per_owner(LIMIT)).await;
        let carried = match operation {
            Operation::Create => Visit::new(),
            _ => Visit::from(before.ada[0].clone()),
        };
        fixture
            .faults
            .fail_next(operation, Fault::before(StorageErrorKind::Full));
        let failed = in_visit(&fixture, carried, || fixture.session.log_in("bob")).await;
        assert_fails!(failed, SessionError::Storage(_));
        assert!(fixture.lives(&before.ada[0]).await && fixture.lives(&before.bob).await);
        fixture.log_in("bob").await.unwrap();
        assert_fails!(
            fixture.log_in("bob").await,
            SessionError::TooManySessions { limit: LIMIT }
        );
        fixture.assert_complete(LIMIT, "at the limit").await;
    }
}
