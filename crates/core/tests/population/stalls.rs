//! A process that stalls between taking a place and storing the session: by then the place may be another's. The
//! session is listed, or does not live.

use std::time::Duration;

use sessile_core::{HOUR, Limit, MINUTE, SECOND, SessionError};
use sessile_testkit::Operation;

use super::support::*;
use crate::common::*;

/// Stalls a login in a new session for this long, while others do something, each a second after the other.
async fn stalled(
    fixture: &Fixture,
    stall: Duration,
    others: impl AsyncFnOnce(),
) -> Result<sessile_core::SessionId, SessionError> {
    // The list exists, so that only the session itself is created.
    let place = fixture.log_in("ada").await.unwrap();
    fixture.elsewhere(None).registry().end(&place.key()).await.unwrap();
    fixture.delays.before(Operation::Create, stall);
    let meanwhile = async {
        pass(SECOND / 2).await;
        others().await;
    };
    let (login, ()) = tokio::join!(fixture.log_in("ada"), meanwhile);
    fixture.delays.clear();
    login
}

#[tokio::test(start_paused = true)]
async fn a_place_is_kept_for_a_minute() {
    let limit = Limit::per_owner(1);
    let fixture = limited(limit);
    let login = stalled(&fixture, secs(59), async || {
        let other = fixture.elsewhere(limit);
        pass(secs(50)).await;
        assert_fails!(log_in(&other, "ada").await, SessionError::TooManySessions { limit: 1 });
        assert_eq!(other.registry().by_owner("ada").await.unwrap(), []);
    });
    assert!(fixture.lives(&login.await.unwrap()).await);
    fixture.assert_complete(1, "after the stall").await;
}

#[tokio::test(start_paused = true)]
async fn a_place_that_was_given_away_is_not_come_back_to() {
    for limit in [Limit::per_owner(1), Limit::per_owner(1).evict_oldest()] {
        let fixture = limited(limit);
        let login = stalled(&fixture, secs(100), async || {
            pass(secs(61)).await;
            log_in(&fixture.elsewhere(limit), "ada").await.unwrap();
            fixture.assert_complete(1, "before the end of the stall").await;
        });
        assert_fails!(login.await, SessionError::TooManySessions { limit: 1 });
        assert_eq!(fixture.stored_of("ada").await.len(), 1);
        fixture.assert_complete(1, "after the stall").await;
    }
}

/// At a limit that ends sessions, a session that is only coming can be one of them.
#[tokio::test(start_paused = true)]
async fn a_session_that_is_about_to_be_created_can_be_ended() {
    let limit = Limit::per_owner(1).evict_oldest();
    let fixture = limited(limit);
    let login = stalled(&fixture, 5 * SECOND, async || {
        log_in(&fixture.elsewhere(limit), "ada").await.unwrap();
    });
    assert_fails!(login.await, SessionError::TooManySessions { limit: 1 });
    fixture.assert_complete(1, "after the stall").await;
    assert_eq!(fixture.stored_of("ada").await.len(), 1);
}

/// Without a limit, reading the list is what gives the place away.
#[tokio::test(start_paused = true)]
async fn a_reader_bars_a_session_that_does_not_come() {
    let fixture = limited(None);
    let login = stalled(&fixture, secs(100), async || {
        pass(secs(61)).await;
        assert_eq!(fixture.elsewhere(None).registry().by_owner("ada").await.unwrap(), []);
    });
    assert_fails!(login.await, SessionError::LockTimeout);
    fixture.assert_complete(0, "after the stall").await;
}

/// A login that is refused because all sessions of its owner are ended meanwhile can be tried again.
#[tokio::test(start_paused = true)]
async fn a_login_during_the_end_of_all_is_refused_and_succeeds_again() {
    for limit in [None, Some(Limit::per_owner(2))] {
        let fixture = limited(limit);
        let login = stalled(&fixture, 5 * SECOND, async || {
            assert_eq!(fixture.elsewhere(limit).registry().end_all("ada").await.unwrap(), 0);
        });
        let refused = login.await;
        match limit {
            None => assert!(matches!(&refused, Err(error) if error.is_retryable()), "{refused:?}"),
            Some(_) => assert_fails!(refused, SessionError::TooManySessions { limit: 2 }),
        }
        assert!(fixture.lives(&fixture.log_in("ada").await.unwrap()).await);
        fixture.assert_complete(1, "after the second login").await;
        fixture.assert_idle("after the second login");
    }
}

/// A machine that was suspended finds neither its place nor a barrier.
#[tokio::test(start_paused = true)]
async fn a_session_that_comes_when_the_barrier_has_fallen_does_not_live() {
    for limit in [None, Some(Limit::per_owner(1).evict_oldest())] {
        let fixture = limited(limit);
        let login = stalled(&fixture, 2 * HOUR, async || {
            pass(2 * MINUTE).await;
            let other = fixture.elsewhere(limit);
            let id = log_in(&other, "ada").await.unwrap();
            other.registry().by_owner("ada").await.unwrap();
            other.registry().end(&id.key()).await.unwrap();
        });
        assert_fails!(login.await, SessionError::LockTimeout);
        fixture.assert_complete(0, "after the stall").await;
    }
}

/// The same for a session that is stored and gets an owner. It stays as it was.
#[tokio::test(start_paused = true)]
async fn a_move_that_comes_too_late_is_refused() {
    let limit = Limit::per_owner(1);
    let fixture = fixture_with(|builder| builder.limit(limit).lock_wait(MINUTE));
    let guest = fixture.stored([]).await;
    fixture.delays.before(Operation::Rotate, secs(100));
    let login = visit(&fixture.session, guest.clone(), || fixture.session.log_in("ada"));
    let meanwhile = async {
        pass(secs(61)).await;
        log_in(&fixture.elsewhere(limit), "ada").await.unwrap();
    };
    let (login, ()) = tokio::join!(login, meanwhile);
    // The lock of the session has ended by then.
    assert_fails!(login, SessionError::LockLost | SessionError::TooManySessions { .. });
    assert!(fixture.lives(&guest).await);
    fixture.delays.clear();
    pass(MINUTE).await;
    fixture.assert_complete(1, "after the stall").await;
    fixture.assert_idle("after the stall");
}
