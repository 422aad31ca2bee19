//! A process that is so slow that its lock of a list ends: another changes the list meanwhile, and nothing is lost.

use sessile_core::{Limit, MINUTE, SECOND, Session, SessionError, SessionKey, Storage, TokioClock, Visit};
use sessile_testkit::Operation;

use super::support::*;
use crate::common::*;

const LEASE: std::time::Duration = secs(10);

fn with_lease(limit: impl Into<Option<Limit>>) -> Fixture {
    let limit = limit.into();
    let storage = configured_storage(TokioClock::start(), |builder| builder.lease(LEASE));
    typed_fixture(storage, |builder| builder.limit(limit).lock_wait(MINUTE))
}

/// Runs a call that is slow at this operation, and another once the lock of the list has ended.
async fn with_a_lease_that_ends<T>(
    fixture: &Fixture,
    operation: Operation,
    call: impl Future<Output = T>,
    other: impl Future<Output = Result<(), SessionError>>,
) -> T {
    fixture.delays.before(operation, LEASE + 2 * SECOND);
    let meanwhile = async {
        pass(LEASE + SECOND).await;
        other.await.unwrap();
        fixture.delays.clear();
    };
    tokio::join!(call, meanwhile).0
}

#[tokio::test(start_paused = true)]
async fn two_logins_are_both_listed() {
    let fixture = with_lease(None);
    fixture.log_in("ada").await.unwrap();
    let other = fixture.elsewhere(None);
    let login = with_a_lease_that_ends(&fixture, Operation::Commit, fixture.log_in("ada"), async {
        log_in(&other, "ada").await.map(drop)
    });
    login.await.unwrap();
    assert_eq!(fixture.stored_of("ada").await.len(), 3);
    fixture.assert_complete(3, "after both").await;
    fixture.assert_idle("after both");
}

/// The list did not exist: whoever creates it is first.
#[tokio::test(start_paused = true)]
async fn two_first_logins_are_both_listed() {
    let fixture = with_lease(None);
    let other = fixture.elsewhere(None);
    let login = with_a_lease_that_ends(&fixture, Operation::Create, fixture.log_in("ada"), async {
        log_in(&other, "ada").await.map(drop)
    });
    login.await.unwrap();
    assert_eq!(fixture.stored_of("ada").await.len(), 2);
    fixture.assert_complete(2, "after both").await;
}

#[tokio::test(start_paused = true)]
async fn the_limit_is_kept() {
    for limit in [Limit::per_owner(2), Limit::per_owner(2).evict_oldest()] {
        let fixture = with_lease(limit);
        fixture.log_in("ada").await.unwrap();
        let other = fixture.elsewhere(limit);
        let login = with_a_lease_that_ends(&fixture, Operation::Commit, fixture.log_in("ada"), async {
            log_in(&other, "ada").await.map(drop)
        });
        let login = login.await;
        match limit == Limit::per_owner(2) {
            true => assert_fails!(login, SessionError::TooManySessions { limit: 2 }),
            false => assert!(fixture.lives(&login.unwrap()).await),
        }
        assert_eq!(fixture.stored_of("ada").await.len(), 2);
        fixture.assert_complete(2, "after both").await;
    }
}

/// A visit that looks through a long list is told to try again, if it does not succeed: its session is well.
#[tokio::test(start_paused = true)]
async fn a_slow_cleaning_renews_its_lease_or_fails() {
    for (step, is_new) in [
        (SECOND, true),
        (LEASE / 2, true),
        (LEASE + SECOND, true),
        (LEASE / 20, false),
        (LEASE + SECOND, false),
    ] {
        let limit = Limit::per_owner(8).evict_oldest();
        let fixture = with_lease(limit);
        for _ in 0..8 {
            fixture.log_in("ada").await.unwrap();
        }
        let guest = fixture.log_in("bob").await.unwrap();
        fixture.delays.before(Operation::Read, step);
        let other = fixture.elsewhere(limit);
        let rival = async {
            pass(secs(1)).await;
            log_in(&other, "ada").await
        };
        let carried = if is_new {
            Visit::new()
        } else {
            Visit::from(guest.clone())
        };
        let login = visit(&fixture.session, carried, || fixture.session.log_in("ada"));
        let (login, rival) = tokio::join!(login, rival);
        fixture.delays.clear();
        rival.unwrap();
        match login {
            Ok(id) => assert!(fixture.lives(&id).await),
            Err(SessionError::LockTimeout) => {
                assert!(step > LEASE, "a lease that is renewed does not end");
                assert!(fixture.lives(&guest).await);
            }
            Err(error) => panic!("steps of {step:?}: {error:?}"),
        }
        pass(MINUTE).await;
        fixture.assert_complete(8, "after both").await;
        fixture.assert_idle("after both");
    }
}

#[tokio::test(start_paused = true)]
async fn the_end_of_all_ends_those_who_come_meanwhile() {
    let fixture = with_lease(None);
    fixture.log_in("ada").await.unwrap();
    let other = fixture.elsewhere(None);
    let registry = fixture.session.registry();
    let ending = with_a_lease_that_ends(&fixture, Operation::Commit, registry.end_all("ada"), async {
        log_in(&other, "ada").await.map(drop)
    });
    // The second was there when the list was looked at again.
    assert_eq!(ending.await.unwrap(), 2);
    fixture.assert_complete(0, "after the end").await;
}

#[tokio::test(start_paused = true)]
async fn a_reader_that_cleans_takes_no_place_away() {
    let fixture = with_lease(None);
    let gone = fixture.log_in("ada").await.unwrap();
    fixture.storage.destroy(&gone.key()).await.unwrap();
    pass(secs(61)).await;
    let other = fixture.elsewhere(None);
    let registry = fixture.session.registry();
    let reading = with_a_lease_that_ends(&fixture, Operation::Commit, registry.by_owner("ada"), async {
        log_in(&other, "ada").await.map(drop)
    });
    assert!(reading.await.unwrap().len() <= 1);
    assert_eq!(fixture.stored_of("ada").await.len(), 1);
    fixture.assert_complete(1, "after both").await;
}

/// Under a key at which nothing was found, a list may come into being.
#[tokio::test(start_paused = true)]
async fn the_end_of_a_key_takes_no_list_away() {
    let fixture = with_lease(None);
    let other: Session = fixture.elsewhere(None);
    let registry = fixture.session.registry();
    let roster = SessionKey::derive("owner", "ada");
    fixture.delays.before(Operation::Destroy, 2 * SECOND);
    let meanwhile = async {
        pass(SECOND).await;
        log_in(&other, "ada").await
    };
    let (ended, login) = tokio::join!(registry.end(&roster), meanwhile);
    assert!(!ended.unwrap());
    assert!(fixture.lives(&login.unwrap()).await);
    fixture.assert_complete(1, "after both").await;
}
