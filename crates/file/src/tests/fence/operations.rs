//! Each operation is halted, overtaken and resumed.

use std::time::Duration;

use sessile_core::{Lookup, Meta, Record, Storage, StorageErrorKind, Timestamp};
use tokio::time::timeout;

use super::{Halted, LEASE, OVERTAKEN, SOON, at_every_call, overtake, payload, plain};
use crate::FileStorage;
use crate::tests::operation::Operation;
use crate::tests::scenario::{NEW, OLD, Scenario};

#[tokio::test(flavor = "multi_thread")]
async fn of_commit() {
    plain(Operation::Commit, async |mut halted| {
        halted.clock.advance(LEASE);
        let seen = overtake(&halted).await.expect("the session is live");
        let result = halted.resume().await;
        match result {
            Ok(()) => assert_eq!(seen, NEW, "{}: an acknowledged commit is lost", halted.call),
            Err(StorageErrorKind::LockLost) => assert_eq!(seen, OLD, "{}: a refused commit was seen", halted.call),
            Err(kind) => panic!("{}: {kind:?}", halted.call),
        }
        assert_eq!(
            payload(&halted).await.as_deref(),
            Some(OVERTAKEN),
            "{}: {result:?}",
            halted.call
        );
    })
    .await;
}

async fn rotate(operation: Operation) {
    plain(operation, async |mut halted| {
        halted.clock.advance(LEASE);
        let seen = overtake(&halted).await;
        let result = halted.resume().await;
        let at_key = halted.other.read(&halted.scenario.key).await.expect("read");
        let at_next = halted.other.read(&halted.scenario.next).await.expect("read");
        let next = at_next.clone().found().map(|stored| stored.record.payload.to_vec());
        match (result, halted.scenario.operation) {
            (Ok(()), Operation::Rotate) => {
                assert_eq!((seen, at_key), (None, Lookup::Superseded), "{}", halted.call);
                assert_eq!(next.as_deref(), Some(NEW), "{}: the session is lost", halted.call);
            }
            (Ok(()), _) => {
                assert_eq!(
                    seen.as_deref(),
                    Some(NEW),
                    "{}: an acknowledged rotation is lost",
                    halted.call
                );
                assert_eq!(next.as_deref(), Some(OVERTAKEN), "{}", halted.call);
                assert_eq!(at_key, at_next, "{}", halted.call);
            }
            (Err(StorageErrorKind::LockLost), _) => {
                assert_eq!(
                    seen.as_deref(),
                    Some(OLD),
                    "{}: a refused rotation was seen",
                    halted.call
                );
                assert_eq!(next, None, "{}: there are two sessions", halted.call);
                assert_eq!(payload(&halted).await.as_deref(), Some(OVERTAKEN), "{}", halted.call);
            }
            (Err(kind), _) => panic!("{}: {kind:?}", halted.call),
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_rotate() {
    rotate(Operation::Rotate).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_rotate_with_grace() {
    rotate(Operation::RotateWithGrace).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_create() {
    plain(Operation::Create, async |mut halted| {
        let record = Record::new(Meta::new(Timestamp::MIN), OVERTAKEN);
        let created = timeout(SOON, halted.other.create(&halted.scenario.key, record))
            .await
            .expect("others are not blocked");
        let result = halted.resume().await;
        let there = payload(&halted).await.expect("one of the two");
        match (result, created.map_err(|error| error.kind())) {
            (Ok(()), Err(StorageErrorKind::Exists)) => assert_eq!(there, NEW, "{}", halted.call),
            (Err(StorageErrorKind::Exists), Ok(())) => assert_eq!(there, OVERTAKEN, "{}", halted.call),
            both => panic!("{}: {both:?}", halted.call),
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_destroy() {
    plain(Operation::Destroy, async |mut halted| {
        let seen = overtake(&halted).await;
        assert!(
            seen.is_none() || seen.as_deref() == Some(OLD),
            "{}: {seen:?}",
            halted.call
        );
        assert_eq!(halted.resume().await, Ok(()), "{}", halted.call);
        assert_eq!(
            payload(&halted).await,
            None,
            "{}: a destroyed session came back",
            halted.call
        );
    })
    .await;
}

/// A destroy and a rotation at the same time: the session ends before it moves, or the destroy follows it.
#[tokio::test(flavor = "multi_thread")]
async fn of_destroy_by_a_rotation() {
    let run = |storage: FileStorage, scenario: Scenario, _| async move {
        storage.destroy(&scenario.key).await.expect("destroy")
    };
    at_every_call(Operation::Destroy, run, async |mut halted: Halted<Lookup<()>>| {
        let Scenario { key, next, .. } = halted.scenario;
        let locked = halted.other.lock(&key, SOON).await.expect("lock");
        let Lookup::Found(mut locked) = locked else {
            halted.resume().await;
            return;
        };
        let record = Record::new(locked.record.meta.clone(), NEW);
        halted
            .other
            .rotate(&mut locked.lock, &next, record, Duration::ZERO)
            .await
            .expect("rotate");
        assert_eq!(halted.resume().await, Lookup::Found(()), "{}", halted.call);
        assert_eq!(
            halted.other.read(&key).await.expect("read"),
            Lookup::Superseded,
            "{}",
            halted.call
        );
        assert_eq!(
            halted.other.read(&next).await.expect("read"),
            Lookup::Missing,
            "{}: a destroyed session has moved on",
            halted.call
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_touch() {
    plain(Operation::Touch, async |mut halted| {
        let seen = overtake(&halted).await;
        assert_eq!(seen.as_deref(), Some(OLD), "{}", halted.call);
        assert_eq!(halted.resume().await, Ok(()), "{}", halted.call);
        assert_eq!(
            payload(&halted).await.as_deref(),
            Some(OVERTAKEN),
            "{}: a touch undid a commit",
            halted.call
        );
        let seen = halted.scenario.observe(&halted.other).await;
        assert!(seen.touched, "{}: an acknowledged touch is lost", halted.call);
    })
    .await;
}

/// The disk may be slow to sync the staged file.
#[tokio::test(flavor = "multi_thread")]
async fn of_touch_while_it_syncs_blocks_no_thread() {
    plain(Operation::Touch, async |mut halted| {
        if halted.call.contains("SyncFile") {
            let record = Record::new(Meta::new(Timestamp::MIN), NEW);
            timeout(SOON, halted.halted.create(&halted.scenario.next, record))
                .await
                .expect("others are blocked")
                .expect("create");
        }
        assert_eq!(halted.resume().await, Ok(()), "{}", halted.call);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_lock() {
    let run = |storage: FileStorage, scenario: Scenario, _| async move {
        storage
            .lock(&scenario.key, Duration::ZERO)
            .await
            .map_err(|error| error.kind())
    };
    at_every_call(Operation::Lock, run, async |mut halted| {
        let locked = halted.other.lock(&halted.scenario.key, SOON).await;
        let mut locked = locked
            .unwrap_or_else(|error| panic!("{}: {error:?}", halted.call))
            .found()
            .expect("live");
        match halted.resume().await {
            Err(StorageErrorKind::LockTimeout) => {}
            other => panic!("{}: two have the lock: {other:?}", halted.call),
        }
        let record = Record::new(locked.record.meta.clone(), NEW);
        halted
            .other
            .commit(&mut locked.lock, record)
            .await
            .unwrap_or_else(|error| panic!("{}: {error:?}", halted.call));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_renew() {
    // Return the lock as well: dropping it would release it.
    let run = |storage: FileStorage, scenario: Scenario, mut lock: Option<sessile_core::Lock>| async move {
        (
            scenario.run(&storage, &mut lock).await.map_err(|error| error.kind()),
            lock,
        )
    };
    at_every_call(Operation::Renew, run, async |mut halted| {
        halted.clock.advance(LEASE);
        let locked = halted.other.lock(&halted.scenario.key, SOON).await.expect("lock");
        let mut locked = locked.found().expect("live");
        assert_eq!(
            halted.resume().await.0,
            Err(StorageErrorKind::LockLost),
            "{}",
            halted.call
        );
        let record = Record::new(locked.record.meta.clone(), NEW);
        halted
            .other
            .commit(&mut locked.lock, record)
            .await
            .unwrap_or_else(|error| panic!("{}: {error:?}", halted.call));
    })
    .await;
}
