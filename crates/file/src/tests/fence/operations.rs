//! What each step must come to.

use std::time::Duration;

use sessile_core::{Lookup, Meta, Record, Storage, StorageErrorKind, Timestamp};
use tokio::time::timeout;

use super::{Halted, LEASE, OVERTAKEN, SOON, at_every_call, overtake, payload, plain};
use crate::FileStorage;
use crate::tests::scenario::{NEW, OLD, Scenario, Step};

#[tokio::test(flavor = "multi_thread")]
async fn of_commit() {
    plain(Step::Commit, async |mut halted| {
        halted.clock.advance(LEASE);
        let seen = overtake(&halted).await.expect("the session lives");
        let answer = halted.go_on().await;
        match answer {
            Ok(()) => assert_eq!(seen, NEW, "{}: an acknowledged commit is lost", halted.call),
            Err(StorageErrorKind::LockLost) => assert_eq!(seen, OLD, "{}: a refused commit was seen", halted.call),
            Err(kind) => panic!("{}: {kind:?}", halted.call),
        }
        assert_eq!(
            payload(&halted).await.as_deref(),
            Some(OVERTAKEN),
            "{}: {answer:?}",
            halted.call
        );
    })
    .await;
}

async fn rotate(step: Step) {
    plain(step, async |mut halted| {
        halted.clock.advance(LEASE);
        let seen = overtake(&halted).await;
        let answer = halted.go_on().await;
        let at_key = halted.other.read(&halted.scenario.key).await.expect("read");
        let at_next = halted.other.read(&halted.scenario.next).await.expect("read");
        let next = at_next.clone().found().map(|stored| stored.record.payload.to_vec());
        match (answer, halted.scenario.step) {
            (Ok(()), Step::Rotate) => {
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
    rotate(Step::Rotate).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_rotate_with_grace() {
    rotate(Step::RotateWithGrace).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_create() {
    plain(Step::Create, async |mut halted| {
        let record = Record::new(Meta::new(Timestamp::MIN), OVERTAKEN);
        let created = timeout(SOON, halted.other.create(&halted.scenario.key, record))
            .await
            .expect("nobody is kept out");
        let answer = halted.go_on().await;
        let there = payload(&halted).await.expect("one of the two");
        match (answer, created.map_err(|error| error.kind())) {
            (Ok(()), Err(StorageErrorKind::Exists)) => assert_eq!(there, NEW, "{}", halted.call),
            (Err(StorageErrorKind::Exists), Ok(())) => assert_eq!(there, OVERTAKEN, "{}", halted.call),
            both => panic!("{}: {both:?}", halted.call),
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_destroy() {
    plain(Step::Destroy, async |mut halted| {
        let seen = overtake(&halted).await;
        assert!(
            seen.is_none() || seen.as_deref() == Some(OLD),
            "{}: {seen:?}",
            halted.call
        );
        assert_eq!(halted.go_on().await, Ok(()), "{}", halted.call);
        assert_eq!(
            payload(&halted).await,
            None,
            "{}: a destroyed session came back",
            halted.call
        );
    })
    .await;
}

/// One who destroys and one who rotates: either the session is gone before it moves, or it is followed.
#[tokio::test(flavor = "multi_thread")]
async fn of_destroy_by_a_rotation() {
    let take = |storage: FileStorage, scenario: Scenario, _| async move {
        storage.destroy(&scenario.key).await.expect("destroy")
    };
    at_every_call(Step::Destroy, take, async |mut halted: Halted<Lookup<()>>| {
        let Scenario { key, next, .. } = halted.scenario;
        let locked = halted.other.lock(&key, SOON).await.expect("lock");
        let Lookup::Found(mut locked) = locked else {
            halted.go_on().await;
            return;
        };
        let record = Record::new(locked.record.meta.clone(), NEW);
        halted
            .other
            .rotate(&mut locked.lock, &next, record, Duration::ZERO)
            .await
            .expect("rotate");
        assert_eq!(halted.go_on().await, Lookup::Found(()), "{}", halted.call);
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
    plain(Step::Touch, async |mut halted| {
        let seen = overtake(&halted).await;
        assert_eq!(seen.as_deref(), Some(OLD), "{}", halted.call);
        assert_eq!(halted.go_on().await, Ok(()), "{}", halted.call);
        assert_eq!(
            payload(&halted).await.as_deref(),
            Some(OVERTAKEN),
            "{}: a touch undid a commit",
            halted.call
        );
        let seen = halted.scenario.look(&halted.other).await;
        assert!(seen.touched, "{}: an acknowledged touch is lost", halted.call);
    })
    .await;
}

/// A disk may take its time to sync what is staged.
#[tokio::test(flavor = "multi_thread")]
async fn of_touch_while_it_syncs_keeps_no_thread_out() {
    plain(Step::Touch, async |mut halted| {
        if halted.call.contains("SyncFile") {
            let record = Record::new(Meta::new(Timestamp::MIN), NEW);
            timeout(SOON, halted.halted.create(&halted.scenario.next, record))
                .await
                .expect("others are kept out")
                .expect("create");
        }
        assert_eq!(halted.go_on().await, Ok(()), "{}", halted.call);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_lock() {
    let take = |storage: FileStorage, scenario: Scenario, _| async move {
        storage
            .lock(&scenario.key, Duration::ZERO)
            .await
            .map_err(|error| error.kind())
    };
    at_every_call(Step::Lock, take, async |mut halted| {
        let locked = halted.other.lock(&halted.scenario.key, SOON).await;
        let mut locked = locked
            .unwrap_or_else(|error| panic!("{}: {error:?}", halted.call))
            .found()
            .expect("live");
        match halted.go_on().await {
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
    // The lock comes back too: dropping it would be another step.
    let take = |storage: FileStorage, scenario: Scenario, mut lock: Option<sessile_core::Lock>| async move {
        (
            scenario.take(&storage, &mut lock).await.map_err(|error| error.kind()),
            lock,
        )
    };
    at_every_call(Step::Renew, take, async |mut halted| {
        halted.clock.advance(LEASE);
        let locked = halted.other.lock(&halted.scenario.key, SOON).await.expect("lock");
        let mut locked = locked.found().expect("live");
        assert_eq!(
            halted.go_on().await.0,
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

/// The one thing that is not fenced is the removal of a lease: it can take that of the next holder, which is refused
/// then. Nothing is lost.
#[tokio::test(flavor = "multi_thread")]
async fn of_release() {
    plain(Step::Release, async |mut halted| {
        halted.clock.advance(LEASE);
        let locked = halted.other.lock(&halted.scenario.key, SOON).await.expect("lock");
        let mut locked = locked.found().expect("live");
        assert_eq!(halted.go_on().await, Ok(()), "{}", halted.call);
        let record = Record::new(locked.record.meta.clone(), NEW);
        let expected: &[u8] = match halted.other.commit(&mut locked.lock, record).await {
            Ok(()) => NEW,
            Err(error) => {
                assert_eq!(error.kind(), StorageErrorKind::LockLost, "{}", halted.call);
                assert!(halted.call.contains("Remove"), "{}: {error:?}", halted.call);
                OLD
            }
        };
        assert_eq!(payload(&halted).await.as_deref(), Some(expected), "{}", halted.call);
        let again = halted.other.lock(&halted.scenario.key, SOON).await.expect("lock");
        assert_eq!(again.found().expect("live").record.payload, expected, "{}", halted.call);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_sweep() {
    let take = |storage: FileStorage, _, _| async move { storage.sweep(10).await.expect("sweep").len() };
    at_every_call(Step::Sweep, take, async |mut halted: Halted<usize>| {
        let swept = timeout(SOON, halted.other.sweep(10))
            .await
            .expect("nobody is kept out")
            .expect("sweep")
            .len();
        assert_eq!(swept + halted.go_on().await, 3, "{}: each to one", halted.call);
        assert_eq!(payload(&halted).await, None, "{}", halted.call);
        for key in halted.scenario.leafmates() {
            assert_eq!(
                halted.other.read(&key).await.expect("read"),
                Lookup::Missing,
                "{}",
                halted.call
            );
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_setting_aside() {
    plain(Step::SetAside, async |mut halted| {
        let read = timeout(SOON, halted.other.read(&halted.scenario.key))
            .await
            .expect("nobody is kept out");
        assert_eq!(
            read.map_err(|error| error.kind()),
            Err(StorageErrorKind::Corrupt),
            "{}",
            halted.call
        );
        assert_eq!(halted.go_on().await, Ok(()), "{}", halted.call);
        let read = halted.other.read(&halted.scenario.key).await;
        assert_eq!(
            read.map_err(|error| error.kind()),
            Err(StorageErrorKind::Corrupt),
            "{}",
            halted.call
        );
    })
    .await;
}
