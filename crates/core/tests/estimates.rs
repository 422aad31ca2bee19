//! The clock of a storage can be a wrong estimate: replies may then be wrong, but no stored data is lost.

mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use common::*;
use serde_json::json;
use sessile_core::{
    Capabilities, Clock, Cursor, Expiration, HOUR, Lock, LockId, Locked, Lookup, MINUTE, Page, Record, Session,
    SessionError, SessionId, SessionKey, Storage, StorageError, Stored, Timestamp, Visit,
};

/// The error of the estimate in milliseconds. Clones share it.
#[derive(Debug, Clone, Default)]
struct Error(Arc<AtomicI64>);

impl Error {
    fn is(&self, millis: i64) {
        self.0.store(millis, Ordering::Relaxed);
    }
}

/// The time that a process believes the storage's clock shows.
#[derive(Debug)]
struct Estimate {
    truth: Arc<Plain>,
    error: Error,
}

impl Clock for Estimate {
    fn now(&self) -> Timestamp {
        let now = i64::try_from(self.truth.clock().now().as_millis()).expect("a date of our time");
        Timestamp::from_millis(u64::try_from(now + self.error.0.load(Ordering::Relaxed)).unwrap_or(0))
    }
}

/// A storage with a clock of its own, of which this process has an estimate.
#[derive(Debug)]
struct Distant {
    inner: Arc<Plain>,
    clock: Estimate,
    /// `true` if the reply to `lock` corrects the estimate, like that of a server which sends its time.
    learns: bool,
}

#[async_trait]
impl Storage for Distant {
    fn name(&self) -> &'static str {
        self.inner.name()
    }

    fn clock(&self) -> &dyn Clock {
        &self.clock
    }

    fn capabilities(&self) -> Capabilities<'_> {
        self.inner.capabilities()
    }

    async fn read(&self, key: &SessionKey) -> Result<Lookup<Stored>, StorageError> {
        self.inner.read(key).await
    }

    async fn lock(&self, key: &SessionKey, wait: Duration) -> Result<Lookup<Locked>, StorageError> {
        let locked = self.inner.lock(key, wait).await;
        if self.learns {
            self.clock.error.is(0);
        }
        locked
    }

    async fn create(&self, key: &SessionKey, record: Record) -> Result<(), StorageError> {
        self.inner.create(key, record).await
    }

    async fn commit(&self, lock: &mut Lock, record: Record) -> Result<(), StorageError> {
        self.inner.commit(lock, record).await
    }

    async fn replace(&self, known: &Stored, record: Record) -> Result<bool, StorageError> {
        self.inner.replace(known, record).await
    }

    async fn rotate(
        &self,
        lock: &mut Lock,
        new_key: &SessionKey,
        record: Record,
        grace: Duration,
    ) -> Result<(), StorageError> {
        self.inner.rotate(lock, new_key, record, grace).await
    }

    async fn release(&self, lock: Lock) -> Result<(), StorageError> {
        self.inner.release(lock).await
    }

    async fn renew(&self, lock: &LockId) -> Result<(), StorageError> {
        self.inner.renew(lock).await
    }

    async fn touch(
        &self,
        key: &SessionKey,
        version: u64,
        deadline: Option<Timestamp>,
        last_active: Timestamp,
    ) -> Result<bool, StorageError> {
        self.inner.touch(key, version, deadline, last_active).await
    }

    async fn destroy(&self, key: &SessionKey) -> Result<Lookup<()>, StorageError> {
        self.inner.destroy(key).await
    }

    async fn scan(&self, cursor: Option<Cursor>, limit: usize) -> Result<Page, StorageError> {
        self.inner.scan(cursor, limit).await
    }

    async fn sweep(&self, limit: usize) -> Result<Vec<Stored>, StorageError> {
        self.inner.sweep(limit).await
    }
}

/// Returns a session in a remote storage as this process sees it, and the fixture that contains it.
fn distant(learns: bool, configure: impl FnOnce(Builder) -> Builder) -> (Fixture, Session, Error) {
    let fixture = fixture();
    let error = Error::default();
    let storage = Distant {
        inner: Arc::clone(&fixture.storage),
        clock: Estimate {
            truth: Arc::clone(&fixture.storage),
            error: error.clone(),
        },
        learns,
    };
    let session = configure(Session::builder(storage)).build();
    (fixture, session, error)
}

/// Expirations of one hour, each for ten sessions.
fn over_in_an_hour() -> Vec<Expiration> {
    let short = Expiration::sliding(20 * MINUTE);
    let all = [
        Expiration::After(20 * MINUTE),
        short.into(),
        short.at_most(30 * MINUTE).into(),
        Expiration::sliding(10 * HOUR).at_most(30 * MINUTE).into(),
    ];
    (0..40).map(|number| all[number % all.len()]).collect()
}

/// Calls everything that a visit can do without changing anything.
async fn looks(session: &Session, id: &SessionId, how: usize) {
    let visit = match how {
        4 => Visit::from(id.clone()).browser_restarted(true),
        _ => Visit::from(id.clone()),
    };
    let look = async {
        match how {
            0 => session.start_passive().await,
            1 => session.start().await,
            2 => session.transaction_exclusive(async || Ok::<_, SessionError>(())).await,
            _ => session.start_readonly().await,
        }
        .ok();
        let _ = session.get::<_>("user");
        let _ = session.refresh().await;
        let _ = session.close().await;
    };
    session.init(visit, look).await.expect("it is the outermost");
}

#[tokio::test(start_paused = true)]
async fn visits_that_only_look_destroy_no_session_however_wrong_the_clock_is() {
    for (learns, hours) in [(false, 1), (false, -1), (true, 1), (true, -1)] {
        for limits in [false, true] {
            let (fixture, session, error) = distant(learns, |builder| match limits {
                true => builder.max_idle(30 * MINUTE).max_lifetime(30 * MINUTE),
                false => builder,
            });
            let mut ids = Vec::new();
            for expiration in over_in_an_hour() {
                ids.push(fixture.stored_as(expiration, [("user", json!(7))]).await);
            }
            for how in 0..5 {
                for id in &ids {
                    error.is(hours * 3_600_000);
                    looks(&session, id, how).await;
                }
            }
            error.is(0);
            let mut left = 0;
            for id in &ids {
                let found = session.init(id.clone().into(), async {
                    session.start_readonly().await?;
                    session.get("user")
                });
                left += usize::from(
                    found
                        .await
                        .is_ok_and(|found| matches!(found, Ok(Some(value)) if value == json!(7))),
                );
            }
            assert_eq!(left, ids.len(), "sessions left, by a clock that was wrong by {hours} h");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn expired_values_are_removed_by_the_time_that_came_with_the_lock() -> Result<(), SessionError> {
    let (fixture, session, error) = distant(true, |builder| builder);
    let id = fixture
        .stored_as(Expiration::sliding(10 * HOUR), [("user", json!(7))])
        .await;
    session
        .enter(id.clone().into(), async {
            let short = Expiration::sliding(20 * MINUTE);
            session.set_with_expiration("sliding", json!(1), short)?;
            session.set_with_expiration("after", json!(2), Expiration::After(20 * MINUTE))?;
            let namespace = session.namespace("short");
            namespace.set("any", json!(3))?;
            namespace.set_expiration(short)
        })
        .await?;
    let shown = fixture.shown(&id).await.expect("it is stored");
    for how in 0..4 {
        error.is(3_600_000);
        looks(&session, &id, how).await;
        assert_eq!(
            fixture.shown(&id).await,
            Some(shown.clone()),
            "after looking in way {how}"
        );
        assert_eq!(
            fixture.shown_in(&id, Some("short")).await,
            Some(values([("any", json!(3))])),
            "after looking in way {how}"
        );
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_session_that_is_over_by_a_wrong_clock_is_found_again_when_the_clock_is_right() -> Result<(), SessionError> {
    let (fixture, session, error) = distant(false, |builder| builder);
    let id = fixture
        .stored_as(Expiration::After(20 * MINUTE), [("user", json!(7))])
        .await;
    error.is(3_600_000);
    let seen = session.init(id.clone().into(), async {
        session.start_readonly().await?;
        session.get("user")
    });
    assert_eq!(seen.await??, None);
    error.is(0);
    let seen = session.init(id.clone().into(), async {
        session.start_readonly().await?;
        session.get("user")
    });
    assert_eq!(seen.await??, Some(json!(7)));
    // It ends at its original time.
    pass(20 * MINUTE - ms(1)).await;
    assert!(fixture.record(&id).await.is_some());
    pass(ms(1)).await;
    assert!(fixture.record(&id).await.is_none());
    Ok(())
}
