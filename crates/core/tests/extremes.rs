//! Settings with durations from zero to the maximum: none of them panics or wraps around.

mod common;

use std::time::Duration;

use common::*;
use serde_json::json;
use sessile_core::{
    Backoff, Expiration, Exponential, LocalLocks, Locks, Retry, Session, SessionError, SessionId, StorageErrorKind,
    Timeout, Visit,
};
use sessile_testkit::{Fault, Faulty, Operation};

const ALL: [Duration; 4] = [
    Duration::ZERO,
    Duration::from_nanos(1),
    Duration::from_millis(1),
    Duration::MAX,
];

/// Begins a session, changes it, gives it a new id, changes it again, reads it and destroys it.
async fn lives(session: &Session) -> Result<(), SessionError> {
    let id = session
        .enter(Visit::new(), async {
            session.set_expiration(Expiration::Never)?;
            session.set("user", json!(7))?;
            session.close().await?;
            session.id().ok_or(SessionError::Gone)
        })
        .await?
        .output;
    let next: SessionId = session
        .enter(id.into(), async {
            session.set("user", json!(8))?;
            session.regenerate_id()?;
            session.close().await?;
            session.id().ok_or(SessionError::Gone)
        })
        .await?
        .output;
    session
        .init(next.into(), async {
            session.start_readonly().await?;
            assert_eq!(session.get("user")?, Some(json!(8)));
            session
                .transaction_exclusive(async || session.set("user", json!(9)))
                .await?;
            session.destroy().await
        })
        .await?
}

#[tokio::test(start_paused = true)]
async fn a_session_can_be_set_up_with_any_duration() -> Result<(), SessionError> {
    for duration in ALL {
        let set_up: [fn(Builder, Duration) -> Builder; 3] = [
            |builder, duration| builder.lock_wait(duration),
            |builder, duration| builder.touch_resolution(duration),
            |builder, duration| builder.rotation_grace(duration),
        ];
        for set_up in set_up {
            lives(&fixture_with(|builder| set_up(builder, duration)).session).await?;
        }
    }
    for limit in [Duration::MAX, Duration::MAX - Duration::from_nanos(1)] {
        lives(&fixture_with(|builder| builder.max_idle(limit).max_lifetime(limit)).session).await?;
        let default = Expiration::sliding(limit).at_most(limit);
        lives(&fixture_with(|builder| builder.default_expiration(default)).session).await?;
        lives(&fixture_with(|builder| builder.default_expiration(Expiration::After(limit))).session).await?;
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn limits_of_no_time_at_all_end_a_session_and_nothing_else() {
    for limit in [Duration::ZERO, Duration::from_nanos(1)] {
        let fixtures = [
            fixture_with(|builder| builder.max_idle(limit)),
            fixture_with(|builder| builder.max_lifetime(limit)),
            fixture_with(|builder| builder.default_expiration(Expiration::After(limit))),
            fixture_with(|builder| builder.default_expiration(Expiration::sliding(limit))),
        ];
        for fixture in fixtures {
            let session = &fixture.session;
            // It may be refused, and it may expire immediately; it does not panic.
            let made = session.enter(Visit::new(), async { session.set("user", json!(7)) });
            let _ = made.await;
            assert_eq!(fixture.sessions().await, 0, "with a limit of {limit:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_visit_waits_and_holds_its_lock_by_any_lease_and_wait() -> Result<(), SessionError> {
    for lease in [ms(10), secs(6), Duration::MAX] {
        let storage = configured_storage(sessile_core::TokioClock::start(), |builder| builder.lease(lease));
        let fixture: Fixture = typed_fixture(storage, |builder| builder.lock_wait(Duration::MAX));
        let (session, id) = (&fixture.session, fixture.stored([("count", json!(0))]).await);
        let count = || {
            session.enter(id.clone().into(), async {
                pass(secs(20)).await;
                let count = session.get("count")?.and_then(|count| count.as_u64()).unwrap_or(0);
                session.set("count", json!(count + 1))
            })
        };
        let (one, two, three) = tokio::join!(count(), count(), count());
        one.and(two).and(three)?;
        assert_eq!(
            fixture.shown(&id).await,
            Some(values([("count", json!(3))])),
            "{lease:?}"
        );
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn wrappers_take_any_duration() -> Result<(), SessionError> {
    for duration in ALL {
        lives(&Session::builder(Timeout::new(storage(), duration)).build()).await?;
        let faulty = Faulty::new(storage());
        let faults = faulty.faults();
        let backoff = Exponential::default().first(duration).longest(Duration::from_secs(1));
        faults.fail_next(Operation::Create, Fault::before(StorageErrorKind::Unavailable));
        faults.fail_next(Operation::Commit, Fault::before(StorageErrorKind::Unavailable));
        lives(&Session::builder(Retry::new(faulty, backoff)).build()).await?;
    }
    Ok(())
}

#[test]
fn a_pause_never_overflows() {
    #[derive(Debug)]
    struct Ones;

    impl sessile_core::Entropy for Ones {
        fn fill(&self, bytes: &mut [u8]) {
            bytes.fill(0xff);
        }
    }

    let backoff = Exponential::default().attempts(u32::MAX);
    for duration in ALL {
        let backoff = backoff.clone().first(duration).longest(duration).entropy(Ones);
        for failures in [1, 2, 40, u32::MAX - 1] {
            assert_eq!(backoff.pause(failures), Some(duration));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn local_locks_take_any_lease_and_wait() {
    for lease in ALL {
        let locks = LocalLocks::builder()
            .clock(sessile_core::TokioClock::start())
            .lease(lease)
            .build();
        let key = unknown_id().key();
        for wait in ALL {
            let first = locks.acquire(&key, Duration::ZERO).await.expect("it is free");
            let second = tokio::time::timeout(secs(1), locks.acquire(&key, wait)).await;
            let _ = locks.renew(&first.id()).await;
            drop((first, second));
            assert!(locks.acquire(&key, Duration::ZERO).await.is_ok(), "{lease:?}, {wait:?}");
        }
        locks.drain(Duration::MAX).await;
    }
}
