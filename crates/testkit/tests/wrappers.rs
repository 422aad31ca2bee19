//! `Counting`, `Faulty` and `Slow` have exactly their documented effects.

use std::error::Error;
use std::time::Duration;

use sessile_core::{
    Locked, Lookup, Meta, OsEntropy, Record, SessionId, SessionKey, Storage, StorageErrorKind, Timestamp,
};
use sessile_testkit::{Counting, Fault, Faulty, ModelStorage, Operation, Slow};
use tokio::time::{Instant, timeout};

const TIMEOUT: StorageErrorKind = StorageErrorKind::Timeout;
const LEASE: Duration = Duration::from_secs(30);

fn keys() -> [SessionKey; 2] {
    let id = SessionId::generate(&OsEntropy);
    [id.key(), id.rotated(&OsEntropy).key()]
}

fn record(storage: &dyn Storage, payload: &'static str) -> Record {
    Record::new(Meta::new(storage.clock().now()), payload)
}

async fn created(storage: &dyn Storage) -> SessionKey {
    let [key, _] = keys();
    storage.create(&key, record(storage, "old")).await.expect("create");
    key
}

async fn lock(storage: &dyn Storage, key: &SessionKey) -> Locked {
    let locked = storage.lock(key, Duration::ZERO).await.expect("lock");
    locked.found().expect("a live session")
}

async fn payload(storage: &dyn Storage, key: &SessionKey) -> Option<String> {
    let read = storage.read(key).await.expect("read").found();
    read.map(|stored| String::from_utf8_lossy(&stored.record.payload).into_owned())
}

mod counting {
    use super::*;

    #[tokio::test]
    async fn each_operation_has_its_own_count() {
        let storage = Counting::new(ModelStorage::new());
        let calls = storage.calls();
        calls.assert_none();
        let [key, moved] = keys();
        storage.create(&key, record(&storage, "old")).await.expect("create");
        let locked = lock(&storage, &key).await;
        storage.renew(&locked.lock.id()).await.expect("renew");
        storage.release(locked.lock).await.expect("release");
        let mut locked = lock(&storage, &key).await;
        storage.commit(&mut locked.lock, locked.record).await.expect("commit");
        let known = storage.read(&key).await.expect("read").found().expect("a live session");
        let replaced = storage.replace(&known, known.record.clone()).await;
        assert!(replaced.expect("replace"));
        let mut locked = lock(&storage, &key).await;
        let rotated = storage.rotate(&mut locked.lock, &moved, locked.record, Duration::ZERO);
        rotated.await.expect("rotate");
        storage.touch(&moved, 1, None, Timestamp::MIN).await.expect("touch");
        storage.scan(None, 1).await.expect("scan");
        storage.sweep(1).await.expect("sweep");
        storage.destroy(&moved).await.expect("destroy");
        let once = Operation::ALL.map(|operation| (operation, if operation == Operation::Lock { 3 } else { 1 }));
        assert_eq!(calls.counts(), once);
        assert_eq!(calls.total(), 14);
        assert_eq!(calls.take(), once);
        calls.assert_none();
    }

    #[tokio::test]
    async fn a_call_counts_when_it_is_polled_whatever_becomes_of_it() {
        let storage = Counting::new(ModelStorage::new());
        let calls = storage.calls();
        let [key, _] = keys();
        drop(storage.read(&key));
        calls.assert_none();
        storage
            .touch(&key, 1, None, Timestamp::MIN)
            .await
            .expect_err("nothing to touch");
        assert_eq!(calls.counts(), [(Operation::Touch, 1)]);
    }

    #[tokio::test]
    async fn a_dropped_lock_is_no_call() {
        let storage = Counting::new(ModelStorage::new());
        let key = created(&storage).await;
        let locked = lock(&storage, &key).await;
        storage.calls().reset();
        drop(locked);
        storage.calls().assert_none();
        lock(&storage, &key).await;
    }

    #[test]
    #[should_panic(expected = "the storage was called: {Read: 1}")]
    fn an_unexpected_call_is_named() {
        let storage = Counting::new(ModelStorage::new());
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("runtime");
        runtime
            .block_on(async { storage.read(&keys()[0]).await })
            .expect("read");
        storage.calls().assert_none();
    }
}

mod faulty {
    use super::*;

    #[tokio::test]
    async fn the_nth_call_fails_and_no_other() {
        let storage = Faulty::new(ModelStorage::new());
        let faults = storage.faults();
        faults.fail(Operation::Read, 3, Fault::before(TIMEOUT));
        let mut outcomes = Vec::new();
        for _ in 0..5 {
            outcomes.push(storage.read(&keys()[0]).await.is_ok());
            storage
                .destroy(&keys()[0])
                .await
                .expect("other operations do not count");
        }
        assert_eq!(outcomes, [true, true, false, true, true]);
        assert_eq!((faults.injected(), faults.pending()), (1, 0));
    }

    #[tokio::test]
    async fn before_means_that_nothing_was_done() {
        let storage = Faulty::new(ModelStorage::new());
        let faults = storage.faults();
        let [key, other] = keys();
        storage.create(&key, record(&storage, "old")).await.expect("create");
        let mut locked = lock(&storage, &key).await;
        let state = format!("{:?}", storage.inner().state());

        faults.fail_all(Fault::before(TIMEOUT));
        let new = || record(&storage, "new");
        let kinds = [
            storage.read(&key).await.map(drop),
            storage.lock(&key, Duration::ZERO).await.map(drop),
            storage.create(&other, new()).await,
            storage.commit(&mut locked.lock, new()).await,
            storage.rotate(&mut locked.lock, &other, new(), Duration::ZERO).await,
            storage.renew(&locked.lock.id()).await,
            storage.touch(&key, 1, None, Timestamp::MAX).await.map(drop),
            storage.destroy(&key).await.map(drop),
            storage.scan(None, 1).await.map(drop),
            storage.sweep(1).await.map(drop),
        ]
        .map(|result| result.expect_err("every call fails").kind());
        assert_eq!(kinds, [TIMEOUT; 10]);
        assert_eq!(format!("{:?}", storage.inner().state()), state);

        faults.clear();
        storage
            .commit(&mut locked.lock, new())
            .await
            .expect("the lock is still held");
    }

    #[tokio::test]
    async fn after_means_that_the_call_took_effect_and_failed() {
        let storage = Faulty::new(ModelStorage::new());
        let faults = storage.faults();
        let [key, moved] = keys();
        let lost = Fault::after(TIMEOUT);

        faults.fail_next(Operation::Create, lost);
        let created = storage.create(&key, record(&storage, "old")).await;
        assert_eq!(created.expect_err("lost").kind(), TIMEOUT);
        assert_eq!(payload(&storage, &key).await.as_deref(), Some("old"));

        faults.fail_next(Operation::Commit, lost);
        let mut locked = lock(&storage, &key).await;
        let committed = storage.commit(&mut locked.lock, record(&storage, "new")).await;
        assert_eq!(committed.expect_err("lost").kind(), TIMEOUT);
        assert_eq!(payload(&storage, &key).await.as_deref(), Some("new"));
        let again = storage.commit(&mut locked.lock, record(&storage, "newer")).await;
        assert_eq!(again.expect_err("not held").kind(), StorageErrorKind::LockLost);

        faults.fail_next(Operation::Touch, lost);
        let later = storage.clock().now() + Duration::from_secs(60);
        storage.touch(&key, 1, None, later).await.expect_err("lost");
        let read = storage.read(&key).await.expect("read").found().expect("live");
        assert_eq!(read.record.meta.last_active, later);

        faults.fail_next(Operation::Rotate, lost);
        let mut locked = lock(&storage, &key).await;
        let rotated = storage
            .rotate(&mut locked.lock, &moved, record(&storage, "x"), Duration::ZERO)
            .await;
        assert_eq!(rotated.expect_err("lost").kind(), TIMEOUT);
        assert_eq!(storage.read(&key).await.expect("read"), Lookup::Superseded);
        drop(locked);

        faults.fail_next(Operation::Release, lost);
        let locked = lock(&storage, &moved).await;
        storage.release(locked.lock).await.expect_err("lost");
        lock(&storage, &moved).await;

        faults.fail_next(Operation::Destroy, lost);
        storage.destroy(&moved).await.expect_err("lost");
        assert_eq!(storage.read(&moved).await.expect("read"), Lookup::Missing);
        assert_eq!(faults.injected(), 6);
    }

    #[tokio::test(start_paused = true)]
    async fn a_lock_whose_grant_was_lost_is_held_until_its_lease_ends() {
        let storage = Faulty::new(ModelStorage::new().with_lease(LEASE));
        let key = created(&storage).await;
        for (operation, fault) in [
            (Operation::Lock, Fault::after(TIMEOUT)),
            (Operation::Release, Fault::before(TIMEOUT)),
        ] {
            storage.faults().fail_next(operation, fault);
            let start = Instant::now();
            if let Ok(Lookup::Found(locked)) = storage.lock(&key, Duration::ZERO).await {
                storage.release(locked.lock).await.expect_err("never heard of");
            }
            let next = storage
                .lock(&key, LEASE * 2)
                .await
                .expect("lock")
                .found()
                .expect("live");
            assert!(
                start.elapsed() >= LEASE,
                "{operation}: free after {:?}",
                start.elapsed()
            );
            storage.release(next.lock).await.expect("release");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_call_that_hangs_never_returns() {
        let storage = Faulty::new(ModelStorage::new());
        let [key, other] = keys();
        let day = Duration::from_secs(86_400);
        storage.faults().fail_next(Operation::Create, Fault::hang_before());
        storage.faults().fail(Operation::Create, 2, Fault::hang_after());
        for (key, done) in [(key, false), (other, true)] {
            let creating = storage.create(&key, record(&storage, "x"));
            assert!(timeout(day, creating).await.is_err());
            assert_eq!(payload(&storage, &key).await.is_some(), done);
        }
        // A caller that gives up on a lock leaves none behind.
        storage.faults().fail_next(Operation::Lock, Fault::hang_after());
        assert!(
            timeout(Duration::from_secs(1), storage.lock(&other, Duration::ZERO))
                .await
                .is_err()
        );
        lock(&storage, &other).await;
    }

    #[tokio::test]
    async fn a_seed_repeats_the_faults() {
        async fn outcomes(seed: u64, rate: f64) -> Vec<String> {
            let storage = Faulty::new(ModelStorage::new());
            storage.faults().fail_at_random(seed, rate);
            let mut outcomes = Vec::new();
            for _ in 0..60 {
                let [key, _] = keys();
                let created = storage.create(&key, record(&storage, "x")).await;
                let kind = created.map_err(|error| error.kind());
                let done = payload(&**storage.inner(), &key).await.is_some();
                outcomes.push(format!("{kind:?} {done}"));
            }
            outcomes
        }
        let first = outcomes(7, 0.5).await;
        assert_eq!(first, outcomes(7, 0.5).await);
        assert_ne!(first, outcomes(8, 0.5).await);
        assert!(outcomes(7, 0.0).await.iter().all(|outcome| outcome == "Ok(()) true"));
        let all = outcomes(7, 1.0).await;
        for outcome in [
            "Err(Timeout) true",
            "Err(Timeout) false",
            "Err(Unavailable) true",
            "Err(Unavailable) false",
        ] {
            assert!(
                all.iter().any(|seen| seen == outcome),
                "of 60 calls none ended as {outcome}"
            );
        }
        assert!(all.iter().all(|outcome| outcome.starts_with("Err")));
    }

    #[tokio::test]
    async fn an_error_says_that_it_was_injected() {
        let storage = Faulty::new(ModelStorage::new());
        storage
            .faults()
            .fail_always(Operation::Sweep, Fault::before(StorageErrorKind::Full));
        for _ in 0..2 {
            let error = storage.sweep(1).await.expect_err("always");
            assert_eq!((error.operation(), error.storage()), ("sweep", "model"));
            let source = error.source().expect("a source").to_string();
            assert_eq!(source, "injected before the call took effect");
        }
    }
}

mod slow {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[tokio::test(start_paused = true)]
    async fn before_delays_the_effect_and_after_the_result() {
        let storage = Slow::new(ModelStorage::new());
        let delays = storage.delays();
        let [key, other] = keys();
        delays.before(Operation::Create, SECOND);
        assert!(
            timeout(SECOND / 2, storage.create(&key, record(&storage, "x")))
                .await
                .is_err()
        );
        assert_eq!(payload(&storage, &key).await, None);

        delays.before(Operation::Create, Duration::ZERO);
        delays.after(Operation::Create, SECOND);
        assert!(
            timeout(SECOND / 2, storage.create(&other, record(&storage, "x")))
                .await
                .is_err()
        );
        assert_eq!(payload(&storage, &other).await.as_deref(), Some("x"));
    }

    #[tokio::test(start_paused = true)]
    async fn every_operation_can_be_slow_and_fast_again() {
        let storage = Slow::new(ModelStorage::new());
        let delays = storage.delays();
        let key = created(&storage).await;
        delays.before_all(SECOND);
        let start = Instant::now();
        storage.read(&key).await.expect("read");
        storage.touch(&key, 1, None, Timestamp::MIN).await.expect("touch");
        let locked = lock(&storage, &key).await;
        storage.release(locked.lock).await.expect("release");
        assert_eq!(start.elapsed().as_secs(), 4);
        delays.clear();
        storage.read(&key).await.expect("read");
        assert_eq!(start.elapsed().as_secs(), 4);
    }

    #[tokio::test(start_paused = true)]
    async fn a_delay_can_be_set_while_a_call_is_under_way() {
        let storage = Slow::new(ModelStorage::new());
        let delays = storage.delays();
        delays.before(Operation::Read, SECOND);
        let start = Instant::now();
        let [key, _] = keys();
        let (read, ()) = tokio::join!(storage.read(&key), async {
            tokio::time::sleep(SECOND / 2).await;
            delays.after(Operation::Read, SECOND * 2);
        });
        assert_eq!(read.expect("read"), Lookup::Missing);
        assert_eq!(start.elapsed().as_secs(), 3);
    }

    #[tokio::test(start_paused = true)]
    async fn a_lock_whose_slow_result_is_dropped_is_released() {
        let storage = Slow::new(ModelStorage::new());
        let key = created(&storage).await;
        storage.delays().after(Operation::Lock, SECOND);
        assert!(timeout(SECOND / 2, storage.lock(&key, Duration::ZERO)).await.is_err());
        storage.delays().clear();
        lock(&storage, &key).await;
    }
}
