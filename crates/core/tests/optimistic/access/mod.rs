//! An immediate storage and one that waits: a transaction has the same result with both.

mod endings;
mod meanwhile;

use serde_json::json;
use sessile_core::{Expiration, Session, SessionError, SessionId, Storage, Visit};
use sessile_memory::MemoryStorage;
use sessile_testkit::Counting;
use tokio::task::yield_now;

use crate::common::*;
use crate::{Runs, add};

/// The way in which a visit calls the storage.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Access {
    /// Through the plain functions of an immediate storage.
    Immediate,
    /// Through the futures of [`Storage`].
    Futures,
}

/// Sessions in memory, with one of the two ways for the tested visit. Everything else uses [`Fixture::other_session`].
pub(crate) struct Case {
    pub(crate) access: Access,
    pub(crate) session: Session,
    pub(crate) fixture: Fixture,
}

impl Case {
    /// Returns one case for each way.
    pub(crate) fn both() -> [Self; 2] {
        [Access::Immediate, Access::Futures].map(Self::new)
    }

    fn new(access: Access) -> Self {
        let fixture = fixture();
        let memory = MemoryStorage::clone(&fixture.storage);
        let builder = match access {
            Access::Immediate => Session::builder(memory),
            Access::Futures => Session::builder(Counting::new(memory)),
        };
        let session = builder
            .default_expiration(Expiration::Never)
            .lock_wait(secs(10))
            .rotation_grace(secs(0))
            .build();
        Self {
            access,
            session,
            fixture,
        }
    }

    pub(crate) async fn visit<T>(
        &self,
        id: &SessionId,
        work: impl Future<Output = Result<T, SessionError>>,
    ) -> Result<T, SessionError> {
        self.session.init(id.clone().into(), work).await?
    }

    /// Changes the session in another visit, which holds the lock briefly.
    pub(crate) async fn change(
        &self,
        id: &SessionId,
        change: impl FnOnce(&Session) -> Result<(), SessionError>,
    ) -> Result<(), SessionError> {
        let other = self.fixture.other_session();
        other.enter(id.clone().into(), async { change(&other) }).await?;
        Ok(())
    }

    /// Asserts that these values are stored and the lock is free.
    pub(crate) async fn assert_stored<const N: usize>(
        &self,
        id: &SessionId,
        expected: [(&str, serde_json::Value); N],
        what: &str,
    ) {
        let shown = self.fixture.shown(id).await;
        assert_eq!(shown, Some(values(expected)), "{:?}: {what}", self.access);
        assert!(
            self.fixture.is_free(id).await,
            "{:?}: {what}: the lock is held",
            self.access
        );
    }
}

#[test]
fn only_one_of_the_storages_is_immediate() {
    let memory = storage();
    assert!(memory.immediate().is_some());
    assert!(Counting::new(memory).immediate().is_none());
}

#[tokio::test(start_paused = true)]
async fn values_are_set_changed_removed_and_returned() -> Result<(), SessionError> {
    for case in Case::both() {
        let session = &case.session;
        let id = case.fixture.stored([("old", json!(1)), ("gone", json!(2))]).await;
        let returned = case
            .visit(&id, async {
                session.start_readonly().await?;
                let returned = session
                    .transaction(async || {
                        session.set("new", json!("n"))?;
                        session.unset("gone")?;
                        session.namespace("part").set("inner", json!([1, 2]))?;
                        session.set("old", json!(10))?;
                        session.get("old")
                    })
                    .await?;
                assert_eq!(session.get("new")?, Some(json!("n")));
                assert_eq!(session.get("gone")?, None);
                assert_fails!(session.set("old", json!(0)), SessionError::NotWritable);
                Ok(returned)
            })
            .await?;
        assert_eq!(returned, Some(json!(10)));
        let part = case.fixture.shown_in(&id, Some("part")).await;
        assert_eq!(part, Some(values([("inner", json!([1, 2]))])), "{:?}", case.access);
        case.assert_stored(&id, [("new", json!("n")), ("old", json!(10))], "after the transaction")
            .await;
    }
    Ok(())
}

/// The second run starts from the stored data: it sees the writes of other visits, and nothing of the first run,
/// neither a value, a removal, a namespace nor an expiration.
#[tokio::test(start_paused = true)]
async fn the_second_run_sees_other_writes_and_nothing_of_the_first() -> Result<(), SessionError> {
    for case in Case::both() {
        let session = &case.session;
        let id = case.fixture.stored([("kept", json!(1)), ("count", json!(0))]).await;
        let runs = Runs::default();
        let transaction = async || {
            let run = runs.next();
            assert_eq!(session.get("kept")?, Some(json!(1)), "run {run}");
            assert_eq!(session.get("mine")?, None, "run {run} sees what an earlier one has set");
            assert_eq!(session.namespace("part").get("mine")?, None, "run {run}");
            assert_eq!(session.get("theirs")?, (run > 1).then(|| json!(run - 1)), "run {run}");
            assert_eq!(session.get("count")?, Some(json!(0)), "run {run}");
            assert_eq!(session.expiration(), Some(Expiration::Never), "run {run}");
            session.unset("kept")?;
            session.set("mine", json!(run))?;
            session.namespace("part").set("mine", json!(run))?;
            session.set_expiration(Expiration::sliding(secs(1_000)))?;
            add(session, "count")?;
            if run <= 2 {
                case.change(&id, |other| other.set("theirs", json!(run))).await?;
            }
            Ok(())
        };
        case.visit(&id, session.transaction(transaction)).await?;
        assert_eq!(runs.count(), 3, "{:?}", case.access);
        let expected = [("count", json!(1)), ("mine", json!(3)), ("theirs", json!(2))];
        case.assert_stored(&id, expected, "after three runs").await;
        let deadline = case.fixture.record(&id).await.and_then(|record| record.meta.deadline);
        assert_eq!(deadline, Some(case.fixture.now() + secs(1_000)), "{:?}", case.access);
    }
    Ok(())
}

/// The third run holds the lock: it cannot conflict, and other visits wait.
#[tokio::test(start_paused = true)]
async fn after_two_runs_the_transaction_has_the_lock_and_others_wait() -> Result<(), SessionError> {
    for case in Case::both() {
        let session = &case.session;
        let id = case.fixture.stored([("count", json!(0))]).await;
        let runs = Runs::default();
        let transaction = async {
            session
                .transaction(async || {
                    let run = runs.next();
                    add(session, "count")?;
                    match run {
                        1 | 2 => {
                            assert!(case.fixture.is_free(&id).await);
                            case.change(&id, |other| add(other, "count")).await
                        }
                        _ => {
                            assert!(!case.fixture.is_free(&id).await, "{:?}", case.access);
                            let late = case.change(&id, |other| add(other, "count")).await;
                            assert_fails!(late, SessionError::LockTimeout);
                            pass(secs(1)).await;
                            Ok(())
                        }
                    }
                })
                .await
        };
        let waits = async {
            pass(ms(500)).await;
            // Waits like a visit that uses the futures while the lock is held.
            let other = Case::session_beside(&case);
            other.enter(id.clone().into(), async { add(&other, "count") }).await?;
            Ok(())
        };
        let (updated, waited) = tokio::join!(case.visit(&id, transaction), waits);
        updated.and(waited)?;
        assert_eq!(runs.count(), 3, "{:?}", case.access);
        case.assert_stored(&id, [("count", json!(4))], "all four have counted")
            .await;
    }
    Ok(())
}

impl Case {
    /// Returns a session that calls the storage in the same way and waits for locks.
    fn session_beside(&self) -> Session {
        let memory = MemoryStorage::clone(&self.fixture.storage);
        let builder = match self.access {
            Access::Immediate => Session::builder(memory),
            Access::Futures => Session::builder(Counting::new(memory)),
        };
        builder.default_expiration(Expiration::Never).build()
    }
}

/// An inner transaction is part of the outer one in each run, regardless of which call makes it.
#[tokio::test(start_paused = true)]
async fn nested_transactions_run_again_with_the_outer_one() -> Result<(), SessionError> {
    for case in Case::both() {
        let session = &case.session;
        let id = case.fixture.stored([("count", json!(0))]).await;
        let (outer, inner) = (Runs::default(), Runs::default());
        let transaction = session.transaction(async || {
            let run = outer.next();
            add(session, "count")?;
            session
                .transaction(async || {
                    inner.next();
                    add(session, "count")?;
                    session.transaction_exclusive(async || add(session, "count")).await
                })
                .await?;
            // The inner changes are stored with the outer ones, and not before.
            let stored = case.fixture.shown(&id).await.expect("the session exists");
            assert_eq!(stored["count"], json!(run - 1), "{:?}", case.access);
            let failed = session
                .try_transaction(async || Err::<(), _>(SessionError::Unknown))
                .await;
            assert_fails!(failed, SessionError::Unknown);
            match run {
                1 | 2 => case.change(&id, |other| add(other, "count")).await,
                _ => Ok(()),
            }
        });
        case.visit(&id, transaction).await?;
        assert_eq!((outer.count(), inner.count()), (3, 3), "{:?}", case.access);
        case.assert_stored(&id, [("count", json!(5))], "three of its own and two of others")
            .await;
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_new_session_is_created_once() -> Result<(), SessionError> {
    for case in Case::both() {
        let session = &case.session;
        let runs = Runs::default();
        let work = async {
            let transaction = session.transaction(async || {
                runs.next();
                yield_now().await;
                add(session, "count")
            });
            transaction.await?;
            session.transaction(async || add(session, "count")).await?;
            session.id().ok_or(SessionError::Gone)
        };
        let id = session.init(Visit::new(), work).await??;
        assert_eq!(runs.count(), 1);
        assert_eq!(case.fixture.sessions().await, 1, "{:?}", case.access);
        case.assert_stored(&id, [("count", json!(2))], "both have counted")
            .await;
    }
    Ok(())
}
