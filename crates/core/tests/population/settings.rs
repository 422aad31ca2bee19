//! Settings of an application: freshness, policies of a standard, a timeout of one session.

use std::time::Duration;

use sessile_core::{DAY, Expiration, HOUR, Limit, MINUTE, Policy, SECOND, SessionError, SessionId, Visit};

use super::support::*;
use crate::common::*;

#[tokio::test(start_paused = true)]
async fn freshness_ends_with_its_time() {
    let fixture = limited(None);
    let session = &fixture.session;
    let id = fixture.log_in("ada").await.unwrap();
    let is_fresh = async |age: Duration| {
        let visited = session.init(Visit::from(id.clone()), async {
            session.start_readonly().await?;
            session.require_fresh(age)
        });
        match visited.await.unwrap() {
            Ok(()) => true,
            Err(SessionError::NotFresh) => false,
            Err(error) => panic!("{error:?}"),
        }
    };
    assert!(is_fresh(SECOND).await);
    assert!(!is_fresh(Duration::ZERO).await);
    pass(MINUTE - ms(1)).await;
    assert!(is_fresh(MINUTE).await && !is_fresh(secs(59)).await);
    pass(ms(1)).await;
    assert!(!is_fresh(MINUTE).await && is_fresh(HOUR).await);
    assert_fails!(session.require_fresh(HOUR), SessionError::NotInitialised);
}

#[tokio::test(start_paused = true)]
async fn freshness_begins_anew_with_each_login() {
    let fixture = limited(None);
    let session = &fixture.session;
    let id = fixture.log_in("ada").await.unwrap();
    pass(HOUR).await;
    let id = visit(session, id, || {
        assert_fails!(session.require_fresh(HOUR), SessionError::NotFresh);
        session.log_in("ada")?;
        session.require_fresh(SECOND)
    });
    let id = id.await.unwrap();
    visit(session, id, || session.require_fresh(SECOND)).await.unwrap();
}

/// Returns whether the session lives after these pauses, with a visit between each two.
async fn lives_after(policy: Policy, pauses: &[Duration]) -> bool {
    let fixture = fixture_with(|builder| builder.policy(policy));
    let session = &fixture.session;
    let id = fixture.log_in("ada").await.unwrap();
    for pause in pauses {
        pass(*pause).await;
        let started = session.init(Visit::attach(id.clone()), async { session.start_readonly().await });
        match started.await.unwrap() {
            Ok(()) => {}
            Err(SessionError::Unknown) => return false,
            Err(error) => panic!("{error:?}"),
        }
    }
    true
}

#[tokio::test(start_paused = true)]
async fn policies_have_the_limits_of_their_standard() {
    // No idle limit, 30 days in all.
    assert!(lives_after(Policy::aal1(), &[29 * DAY, DAY - SECOND]).await);
    assert!(!lives_after(Policy::aal1(), &[30 * DAY]).await);
    // An hour, and a day in all.
    assert!(lives_after(Policy::aal2(), &[HOUR - SECOND; 24]).await);
    assert!(!lives_after(Policy::aal2(), &[HOUR]).await);
    assert!(!lives_after(Policy::aal2(), &[30 * MINUTE; 48]).await);
    // A quarter of an hour, and twelve hours in all.
    assert!(lives_after(Policy::aal3(), &[15 * MINUTE - SECOND; 48]).await);
    assert!(!lives_after(Policy::aal3(), &[15 * MINUTE]).await);
    assert!(!lives_after(Policy::aal3(), &[10 * MINUTE; 72]).await);
}

#[tokio::test(start_paused = true)]
async fn a_new_login_begins_the_limits_of_a_policy_anew() {
    let fixture = fixture_with(|builder| builder.policy(Policy::aal3()));
    let session = &fixture.session;
    let mut id = fixture.log_in("ada").await.unwrap();
    for _ in 0..3 {
        for _ in 0..70 {
            pass(10 * MINUTE).await;
            id = visit(session, id.clone(), || Ok(())).await.unwrap();
        }
        id = visit(session, id, || session.log_in("ada")).await.unwrap();
    }
    assert_eq!(fixture.stored_of("ada").await.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_session_has_a_timeout_of_its_own() {
    let fixture = fixture_with(|builder| builder.default_expiration(Expiration::sliding(10 * MINUTE)));
    let session = &fixture.session;
    let usual = fixture.log_in("ada").await.unwrap();
    let own = visit(session, Visit::new(), || {
        session.log_in("ada")?;
        session.set_expiration(Expiration::sliding(2 * HOUR))
    });
    let own = own.await.unwrap();
    let listed = session.registry().by_owner("ada").await.unwrap();
    let left: Vec<_> = listed
        .iter()
        .map(|info| info.expires_at.unwrap() - info.last_active_at)
        .collect();
    assert_eq!(left, [10 * MINUTE, 2 * HOUR]);
    pass(HOUR).await;
    let keys = |sessions: Vec<sessile_core::SessionInfo>| sessions.iter().map(|info| info.key).collect::<Vec<_>>();
    assert_eq!(keys(session.registry().by_owner("ada").await.unwrap()), [own.key()]);
    assert!(!fixture.lives(&usual).await);
    // It keeps it when it moves.
    let own = visit(session, own, || session.regenerate_id()).await.unwrap();
    pass(HOUR + 59 * MINUTE).await;
    assert_eq!(keys(session.registry().by_owner("ada").await.unwrap()), [own.key()]);
}

#[tokio::test(start_paused = true)]
async fn the_last_activity_is_the_end_of_the_last_visit() {
    let fixture = fixture_with(|builder| builder.default_expiration(Expiration::sliding(HOUR)));
    let session = &fixture.session;
    let id = fixture.log_in("ada").await.unwrap();
    let begun = fixture.now();
    let last_active = async || {
        let info = session.registry().get(&id.key()).await.unwrap().unwrap();
        begun.until(info.last_active_at.into())
    };
    assert_eq!(last_active().await, Duration::ZERO);
    pass(5 * MINUTE).await;
    // A long visit that writes at its end.
    let work = async {
        pass(5 * MINUTE).await;
        session.set("step", 1)
    };
    session.enter(Visit::from(id.clone()), work).await.unwrap();
    assert_eq!(last_active().await, 10 * MINUTE);
    pass(5 * MINUTE).await;
    // One that only reads.
    session
        .init(Visit::from(id.clone()), async { session.start_readonly().await })
        .await
        .unwrap()
        .unwrap();
    assert_eq!(last_active().await, 15 * MINUTE);
    // The registry is no visit.
    pass(5 * MINUTE).await;
    session.registry().by_owner("ada").await.unwrap();
    assert_eq!(last_active().await, 15 * MINUTE);
}

/// Which of three sessions goes depends on which visit was last, however it used its session.
#[tokio::test(start_paused = true)]
async fn reading_is_activity_to_a_limit() {
    let limit = Limit::per_owner(3).evict_least_active();
    let fixture = fixture_with(|builder| builder.limit(limit).default_expiration(Expiration::sliding(HOUR)));
    let session = &fixture.session;
    let mut ids: Vec<SessionId> = Vec::new();
    for _ in 0..3 {
        ids.push(fixture.log_in("ada").await.unwrap());
        pass(2 * MINUTE).await;
    }
    for index in [1, 0] {
        let read = session.init(Visit::from(ids[index].clone()), async {
            session.start_readonly().await
        });
        read.await.unwrap().unwrap();
        pass(2 * MINUTE).await;
    }
    for expected in [2, 1, 0] {
        fixture.log_in("ada").await.unwrap();
        assert!(
            !fixture.lives(&ids[expected]).await,
            "session {expected} is the least active"
        );
        pass(2 * MINUTE).await;
    }
    fixture.assert_complete(3, "at the end").await;
}
