//! An immediate storage and one that waits: an update has the same result with both.

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
pub(crate) enum Door {
    /// By the plain functions.
    AtOnce,
    /// By the futures.
    Futures,
}

/// Sessions in memory, with one of the two ways for the tested visit. Everything else uses [`World::elsewhere`].
pub(crate) struct House {
    pub(crate) door: Door,
    pub(crate) session: Session,
    pub(crate) world: World,
}

impl House {
    /// Returns one world for each way.
    pub(crate) fn both() -> [Self; 2] {
        [Door::AtOnce, Door::Futures].map(Self::new)
    }

    fn new(door: Door) -> Self {
        let world = world();
        let memory = MemoryStorage::clone(&world.storage);
        let builder = match door {
            Door::AtOnce => Session::builder(memory),
            Door::Futures => Session::builder(Counting::new(memory)),
        };
        let session = builder
            .default_expiration(Expiration::Never)
            .lock_wait(secs(10))
            .rotation_grace(secs(0))
            .build();
        Self { door, session, world }
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
        let other = self.world.elsewhere();
        other.enter(id.clone().into(), async { change(&other) }).await
    }

    /// Asserts that these values are stored and the lock is free.
    pub(crate) async fn assert_stored<const N: usize>(
        &self,
        id: &SessionId,
        expected: [(&str, serde_json::Value); N],
        what: &str,
    ) {
        let shown = self.world.shown(id).await;
        assert_eq!(shown, Some(values(expected)), "{:?}: {what}", self.door);
        assert!(self.world.is_free(id).await, "{:?}: {what}: a lock is left", self.door);
    }
}

#[test]
fn one_of_the_doors_is_there_and_the_other_is_not() {
    let memory = storage();
    assert!(memory.at_once().is_some());
    assert!(Counting::new(memory).at_once().is_none());
}

#[tokio::test(start_paused = true)]
async fn values_are_set_changed_removed_and_returned() -> Result<(), SessionError> {
    for house in House::both() {
        let session = &house.session;
        let id = house.world.stored([("old", json!(1)), ("gone", json!(2))]).await;
        let returned = house
            .visit(&id, async {
                session.start_readonly().await?;
                let returned = session
                    .update(async || {
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
        let part = house.world.shown_in(&id, Some("part")).await;
        assert_eq!(part, Some(values([("inner", json!([1, 2]))])), "{:?}", house.door);
        house
            .assert_stored(&id, [("new", json!("n")), ("old", json!(10))], "after the update")
            .await;
    }
    Ok(())
}

/// The second run starts from the stored data: it sees the writes of other visits, and nothing of the first run,
/// neither a value, a removal, a namespace nor an expiration.
#[tokio::test(start_paused = true)]
async fn the_second_run_sees_other_writes_and_nothing_of_the_first() -> Result<(), SessionError> {
    for house in House::both() {
        let session = &house.session;
        let id = house.world.stored([("kept", json!(1)), ("count", json!(0))]).await;
        let runs = Runs::default();
        let update = async || {
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
                house.change(&id, |other| other.set("theirs", json!(run))).await?;
            }
            Ok(())
        };
        house.visit(&id, session.update(update)).await?;
        assert_eq!(runs.count(), 3, "{:?}", house.door);
        let expected = [("count", json!(1)), ("mine", json!(3)), ("theirs", json!(2))];
        house.assert_stored(&id, expected, "after three runs").await;
        let deadline = house.world.record(&id).await.and_then(|record| record.meta.deadline);
        assert_eq!(deadline, Some(house.world.now() + secs(1_000)), "{:?}", house.door);
    }
    Ok(())
}

/// The third run holds the lock: it cannot conflict, and other visits wait.
#[tokio::test(start_paused = true)]
async fn after_two_runs_the_update_has_the_lock_and_others_wait() -> Result<(), SessionError> {
    for house in House::both() {
        let session = &house.session;
        let id = house.world.stored([("count", json!(0))]).await;
        let runs = Runs::default();
        let update = async {
            session
                .update(async || {
                    let run = runs.next();
                    add(session, "count")?;
                    match run {
                        1 | 2 => {
                            assert!(house.world.is_free(&id).await);
                            house.change(&id, |other| add(other, "count")).await
                        }
                        _ => {
                            assert!(!house.world.is_free(&id).await, "{:?}", house.door);
                            let late = house.change(&id, |other| add(other, "count")).await;
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
            let other = House::session_beside(&house);
            other.enter(id.clone().into(), async { add(&other, "count") }).await
        };
        let (updated, waited) = tokio::join!(house.visit(&id, update), waits);
        updated.and(waited)?;
        assert_eq!(runs.count(), 3, "{:?}", house.door);
        house
            .assert_stored(&id, [("count", json!(4))], "all four have counted")
            .await;
    }
    Ok(())
}

impl House {
    /// Returns a session that calls the storage in the same way and waits for locks.
    fn session_beside(&self) -> Session {
        let memory = MemoryStorage::clone(&self.world.storage);
        let builder = match self.door {
            Door::AtOnce => Session::builder(memory),
            Door::Futures => Session::builder(Counting::new(memory)),
        };
        builder.default_expiration(Expiration::Never).build()
    }
}

/// An inner update is part of the outer one in each run, regardless of which call makes it.
#[tokio::test(start_paused = true)]
async fn nested_updates_run_again_with_the_outer_one() -> Result<(), SessionError> {
    for house in House::both() {
        let session = &house.session;
        let id = house.world.stored([("count", json!(0))]).await;
        let (outer, inner) = (Runs::default(), Runs::default());
        let update = session.update(async || {
            let run = outer.next();
            add(session, "count")?;
            session
                .update(async || {
                    inner.next();
                    add(session, "count")?;
                    session.update_exclusive(async || add(session, "count")).await
                })
                .await?;
            // The inner changes are stored with the outer ones, and not before.
            let stored = house.world.shown(&id).await.expect("it is there");
            assert_eq!(stored["count"], json!(run - 1), "{:?}", house.door);
            let failed = session.try_update(async || Err::<(), _>(SessionError::Unknown)).await;
            assert_fails!(failed, SessionError::Unknown);
            match run {
                1 | 2 => house.change(&id, |other| add(other, "count")).await,
                _ => Ok(()),
            }
        });
        house.visit(&id, update).await?;
        assert_eq!((outer.count(), inner.count()), (3, 3), "{:?}", house.door);
        house
            .assert_stored(&id, [("count", json!(5))], "three of its own and two of others")
            .await;
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_new_session_is_created_once() -> Result<(), SessionError> {
    for house in House::both() {
        let session = &house.session;
        let runs = Runs::default();
        let work = async {
            let update = session.update(async || {
                runs.next();
                yield_now().await;
                add(session, "count")
            });
            update.await?;
            session.update(async || add(session, "count")).await?;
            session.id().ok_or(SessionError::Gone)
        };
        let id = session.init(Visit::new(), work).await??;
        assert_eq!(runs.count(), 1);
        assert_eq!(house.world.sessions().await, 1, "{:?}", house.door);
        house
            .assert_stored(&id, [("count", json!(2))], "both have counted")
            .await;
    }
    Ok(())
}
