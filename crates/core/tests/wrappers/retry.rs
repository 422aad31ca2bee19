//! `Retry` repeats calls if that is safe, and resolves ambiguous outcomes.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use sessile_core::{
    Backoff, Facts, Locked, Lookup, Record, Retry, SessionKey, Storage, StorageError, StorageErrorKind,
};
use sessile_testkit::{Calls, Counting, Fault, Faults, Faulty, ModelStorage, Operation};
use tokio::time::Instant;

use crate::support::{
    HOUR, MINUTE, assert_free, assert_held, assert_missing, created, keys, kind, locked, next, record,
};

const LEASE: Duration = Duration::from_secs(30);
const UNAVAILABLE: StorageErrorKind = StorageErrorKind::Unavailable;

/// The same pause each time, up to a number of attempts. Counts its calls.
#[derive(Debug, Clone)]
struct Steady {
    attempts: u32,
    pause: Duration,
    consulted: Arc<AtomicU32>,
}

impl Backoff for Steady {
    fn pause(&self, failures: u32) -> Option<Duration> {
        self.consulted.fetch_add(1, Ordering::SeqCst);
        (failures < self.attempts).then_some(self.pause)
    }
}

/// A `Retry` around a storage with injected faults, around the model with counted calls.
struct Setup {
    storage: Arc<Retry<Faulty<Counting<ModelStorage>>>>,
    faults: Faults,
    calls: Calls,
    model: ModelStorage,
}

/// Creates a storage with three attempts and this pause between them.
fn setup(pause: Duration) -> Setup {
    let model = ModelStorage::new().with_lease(LEASE);
    let counting = Counting::new(model.clone());
    let calls = counting.calls();
    let faulty = Faulty::new(counting);
    let faults = faulty.faults();
    let consulted = Arc::default();
    let storage = Retry::new(
        faulty,
        Steady {
            attempts: 3,
            pause,
            consulted,
        },
    );
    Setup {
        storage: Arc::new(storage),
        faults,
        calls,
        model,
    }
}

impl Setup {
    async fn stored(&self, key: &SessionKey) -> Record {
        self.model
            .read(key)
            .await
            .unwrap()
            .found()
            .expect("a live session")
            .record
    }
}

/// Returns each way in which a call can fail ambiguously.
fn once() -> [Fault; 4] {
    let kinds = [UNAVAILABLE, StorageErrorKind::Timeout];
    let [one, two] = kinds.map(|kind| [Fault::before(kind), Fault::after(kind)]);
    [one[0], one[1], two[0], two[1]]
}

/// Creates a session and takes its lock.
async fn held(setup: &Setup) -> (SessionKey, Locked) {
    let key = created(&*setup.storage, "0").await;
    let held = locked(&*setup.storage, &key).await;
    setup.calls.reset();
    (key, held)
}

fn is_disarmed(held: &Locked) -> bool {
    format!("{:?}", held.lock).contains("disarmed: true")
}

#[tokio::test(start_paused = true)]
async fn read_only_and_idempotent_operations_are_repeated() {
    for fault in once() {
        let setup = setup(MINUTE / 60);
        let (key, held) = held(&setup).await;
        let storage = &setup.storage;
        let later = storage.clock().now() + HOUR;
        for operation in Operation::ALL {
            if ![
                Operation::Create,
                Operation::Commit,
                Operation::Replace,
                Operation::Rotate,
                Operation::Lock,
            ]
            .contains(&operation)
            {
                setup.faults.fail_next(operation, fault);
            }
        }
        assert_eq!(
            storage.read(&key).await.unwrap().map(|stored| stored.key),
            Lookup::Found(key)
        );
        assert_eq!(storage.scan(None, 10).await.unwrap().sessions.len(), 1);
        storage.renew(&held.lock.id()).await.unwrap();
        assert!(storage.touch(&key, 1, None, later).await.unwrap());
        assert_eq!(setup.stored(&key).await.meta.last_active, later);
        storage.release(held.lock).await.unwrap();
        assert_free(&setup.model, &key, "0").await;
        storage.sweep(10).await.unwrap();
        let destroyed = storage.destroy(&key).await.unwrap();
        assert!(destroyed == Lookup::Found(()) || destroyed == Lookup::Missing);
        assert_missing(&setup.model, &key).await;
        assert_eq!((setup.faults.injected(), setup.faults.pending()), (7, 0));
    }
}

#[tokio::test(start_paused = true)]
async fn it_stops_after_the_last_attempt_and_pauses_in_between() {
    let setup = setup(MINUTE);
    setup.faults.fail_always(Operation::Read, Fault::before(UNAVAILABLE));
    let [key] = keys();
    let start = Instant::now();
    let error = setup.storage.read(&key).await.unwrap_err();
    assert_eq!((error.kind(), error.operation()), (UNAVAILABLE, "read"));
    assert_eq!(start.elapsed(), MINUTE * 2);
    assert_eq!(setup.faults.injected(), 3);
}

#[tokio::test(start_paused = true)]
async fn unambiguous_errors_are_returned() {
    use StorageErrorKind::{Corrupt, Denied, Full, LockTimeout, Other, TooManyWaiters, Unsupported};
    for expected in [Corrupt, Denied, Full, LockTimeout, Other, TooManyWaiters, Unsupported] {
        let setup = setup(MINUTE);
        let (key, mut held) = held(&setup).await;
        setup.faults.fail_all(Fault::before(expected));
        let start = Instant::now();
        let record = next(&held.record, "1");
        let storage = &setup.storage;
        assert_eq!(kind(storage.read(&key).await), Some(expected));
        assert_eq!(kind(storage.lock(&key, Duration::ZERO).await), Some(expected));
        assert_eq!(kind(storage.create(&key, record.clone()).await), Some(expected));
        assert_eq!(kind(storage.commit(&mut held.lock, record).await), Some(expected));
        assert_eq!(kind(storage.release(held.lock).await), Some(expected));
        assert_eq!((setup.faults.injected(), start.elapsed()), (5, Duration::ZERO));
    }
}

#[tokio::test(start_paused = true)]
async fn create_takes_effect_once() {
    for fault in once() {
        let setup = setup(MINUTE);
        let [key] = keys();
        setup.faults.fail_next(Operation::Create, fault);
        setup.storage.create(&key, record("mine")).await.unwrap();
        assert_eq!(setup.stored(&key).await, record("mine"));
    }
}

#[tokio::test(start_paused = true)]
async fn create_that_took_effect_and_was_touched_since_succeeds() {
    let setup = setup(MINUTE);
    let [key] = keys();
    setup.faults.fail_next(Operation::Create, Fault::after(UNAVAILABLE));
    let model = setup.model.clone();
    tokio::spawn(async move {
        tokio::time::sleep(MINUTE / 2).await;
        assert!(model.touch(&key, 1, None, model.clock().now()).await.unwrap());
    });
    setup.storage.create(&key, record("mine")).await.unwrap();
    let counts = setup.calls.take();
    assert_eq!(counts, [(Operation::Create, 2), (Operation::Read, 1)]);
}

#[tokio::test(start_paused = true)]
async fn create_over_another_record_is_refused() {
    let setup = setup(MINUTE);
    let key = created(&setup.model, "another's").await;
    for fault in once() {
        setup.faults.fail_next(Operation::Create, fault);
        let refused = setup.storage.create(&key, record("mine")).await;
        assert_eq!(kind(refused), Some(StorageErrorKind::Exists));
    }
    assert_free(&setup.model, &key, "another's").await;
}

/// Two records of the same moment and without contents can differ by their facts alone.
#[tokio::test(start_paused = true)]
async fn create_over_a_record_with_other_facts_is_refused() {
    let setup = setup(MINUTE);
    let [key] = keys();
    let mut other = record("");
    other.meta.facts = Facts::from_bytes(b"\x01\x03ada").unwrap();
    setup.model.create(&key, other.clone()).await.unwrap();
    for fault in once() {
        setup.faults.fail_next(Operation::Create, fault);
        let refused = setup.storage.create(&key, record("")).await;
        assert_eq!(kind(refused), Some(StorageErrorKind::Exists));
    }
    assert_eq!(setup.stored(&key).await, other);
}

#[tokio::test(start_paused = true)]
async fn commit_takes_effect_once() {
    for fault in once() {
        let setup = setup(Duration::from_secs(1));
        let (key, mut held) = held(&setup).await;
        setup.faults.fail_next(Operation::Commit, fault);
        let record = next(&held.record, "1");
        setup.storage.commit(&mut held.lock, record.clone()).await.unwrap();
        assert!(is_disarmed(&held));
        assert_eq!(setup.stored(&key).await, record);
        assert_free(&setup.model, &key, "1").await;
    }
}

/// The lock is lost after an attempt without a reply.
#[tokio::test(start_paused = true)]
async fn commit_that_did_not_take_effect_is_refused() {
    let setup = setup(LEASE);
    let (key, mut held) = held(&setup).await;
    setup.faults.fail_next(Operation::Commit, Fault::before(UNAVAILABLE));
    let record = next(&held.record, "1");
    let refused = setup.storage.commit(&mut held.lock, record).await;
    assert_eq!(kind(refused), Some(StorageErrorKind::LockLost));
    assert!(!is_disarmed(&held));
    assert_free(&setup.model, &key, "0").await;
}

/// Another holder writes an equal record after the lease, which must not be taken for the own write.
#[tokio::test(start_paused = true)]
async fn an_equal_commit_of_another_holder_is_not_taken_for_its_own() {
    for (payload, version) in [("1", 2), ("something else", 2), ("something else", 3)] {
        let setup = setup(LEASE * 2);
        let (key, mut held) = held(&setup).await;
        setup
            .faults
            .fail_next(Operation::Commit, Fault::before(StorageErrorKind::Timeout));
        let model = setup.model.clone();
        let other = tokio::spawn(async move {
            let mut held = model.lock(&key, LEASE * 2).await.unwrap().found().unwrap();
            let mut record = next(&held.record, payload);
            record.meta.version = version;
            model.commit(&mut held.lock, record).await.unwrap();
        });
        let record = next(&held.record, "1");
        let unknown = setup.storage.commit(&mut held.lock, record).await.unwrap_err();
        assert_eq!(
            (unknown.kind(), unknown.operation()),
            (StorageErrorKind::Timeout, "commit")
        );
        assert!(!is_disarmed(&held));
        other.await.unwrap();
        assert_free(&setup.model, &key, payload).await;
    }
}

#[tokio::test(start_paused = true)]
async fn commit_that_another_holder_has_overwritten_is_ambiguous() {
    let setup = setup(LEASE / 2);
    let (key, mut held) = held(&setup).await;
    setup.faults.fail_next(Operation::Commit, Fault::after(UNAVAILABLE));
    let model = setup.model.clone();
    tokio::spawn(async move {
        tokio::time::sleep(LEASE / 4).await;
        let mut held = locked(&model, &key).await;
        assert_eq!(held.record.payload, "1");
        model.commit(&mut held.lock, next(&held.record, "2")).await.unwrap();
    });
    let record = next(&held.record, "1");
    let unknown = setup.storage.commit(&mut held.lock, record).await;
    assert_eq!(kind(unknown), Some(UNAVAILABLE));
    assert_free(&setup.model, &key, "2").await;
}

#[tokio::test(start_paused = true)]
async fn commit_to_a_session_that_ends_meanwhile_is_gone() {
    for fault in once() {
        let setup = setup(LEASE / 2);
        let (key, mut held) = held(&setup).await;
        setup.faults.fail_next(Operation::Commit, fault);
        let model = setup.model.clone();
        tokio::spawn(async move {
            tokio::time::sleep(LEASE / 4).await;
            model.destroy(&key).await.unwrap();
        });
        let record = next(&held.record, "1");
        let gone = setup.storage.commit(&mut held.lock, record).await;
        assert_eq!(kind(gone), Some(StorageErrorKind::Gone));
        assert_missing(&setup.model, &key).await;
    }
}

#[tokio::test(start_paused = true)]
async fn commit_to_a_session_that_another_holder_moves_is_ambiguous() {
    for grace in [Duration::ZERO, HOUR] {
        let setup = setup(LEASE / 2);
        let [key, new] = keys();
        setup.model.create(&key, record("0")).await.unwrap();
        let mut held = locked(&*setup.storage, &key).await;
        setup.faults.fail_next(Operation::Commit, Fault::after(UNAVAILABLE));
        let model = setup.model.clone();
        tokio::spawn(async move {
            tokio::time::sleep(LEASE / 4).await;
            let mut held = locked(&model, &key).await;
            let record = next(&held.record, "2");
            model.rotate(&mut held.lock, &new, record, grace).await.unwrap();
        });
        let record = next(&held.record, "1");
        let unknown = setup.storage.commit(&mut held.lock, record).await;
        assert_eq!(kind(unknown), Some(UNAVAILABLE));
        assert_free(&setup.model, &new, "2").await;
    }
}

/// The read that resolves an ambiguous outcome can fail as well, and is repeated like any other.
#[tokio::test(start_paused = true)]
async fn commit_that_cannot_be_resolved_is_ambiguous() {
    let setup = setup(Duration::from_secs(1));
    let (key, mut held) = held(&setup).await;
    setup
        .faults
        .fail_next(Operation::Commit, Fault::after(StorageErrorKind::Timeout));
    setup.faults.fail_always(Operation::Read, Fault::before(UNAVAILABLE));
    let record = next(&held.record, "1");
    let unknown = setup.storage.commit(&mut held.lock, record).await.unwrap_err();
    assert_eq!((unknown.kind(), unknown.operation()), (UNAVAILABLE, "commit"));
    assert_eq!(setup.faults.injected(), 1 + 3);
    assert_eq!(setup.stored(&key).await.payload, "1");
}

#[tokio::test(start_paused = true)]
async fn a_renewal_extends_the_known_lease() {
    let setup = setup(LEASE / 2);
    let (key, mut held) = held(&setup).await;
    tokio::time::advance(LEASE * 2 / 3).await;
    setup.storage.renew(&held.lock.id()).await.unwrap();
    setup.faults.fail_next(Operation::Commit, Fault::after(UNAVAILABLE));
    let record = next(&held.record, "1");
    setup
        .storage
        .commit(&mut held.lock, record)
        .await
        .expect("it was done well within the lease");
    assert_free(&setup.model, &key, "1").await;
}

#[tokio::test(start_paused = true)]
async fn rotate_takes_effect_once() {
    for fault in once() {
        for grace in [Duration::ZERO, HOUR] {
            let setup = setup(Duration::from_secs(1));
            let [old, new] = keys();
            setup.model.create(&old, record("0")).await.unwrap();
            let mut held = locked(&*setup.storage, &old).await;
            setup.faults.fail_next(Operation::Rotate, fault);
            let record = next(&held.record, "1");
            setup
                .storage
                .rotate(&mut held.lock, &new, record.clone(), grace)
                .await
                .unwrap();
            assert!(is_disarmed(&held));
            assert_eq!(setup.stored(&new).await, record);
            assert_free(&setup.model, &new, "1").await;
            let left = setup.model.read(&old).await.unwrap();
            assert_eq!(left.is_found(), !grace.is_zero());
        }
    }
}

#[tokio::test(start_paused = true)]
async fn rotate_that_took_effect_succeeds_despite_later_operations() {
    let setup = setup(LEASE / 2);
    let [old, new, newer] = keys();
    setup.model.create(&old, record("0")).await.unwrap();
    let mut held = locked(&*setup.storage, &old).await;
    setup.faults.fail_next(Operation::Rotate, Fault::after(UNAVAILABLE));
    let model = setup.model.clone();
    tokio::spawn(async move {
        tokio::time::sleep(LEASE / 4).await;
        let mut held = locked(&model, &old).await;
        model.commit(&mut held.lock, next(&held.record, "2")).await.unwrap();
        let mut held = locked(&model, &new).await;
        let record = next(&held.record, "3");
        model
            .rotate(&mut held.lock, &newer, record, Duration::ZERO)
            .await
            .unwrap();
    });
    let record = next(&held.record, "1");
    setup.storage.rotate(&mut held.lock, &new, record, HOUR).await.unwrap();
    assert_free(&setup.model, &newer, "3").await;
}

#[tokio::test(start_paused = true)]
async fn rotate_of_a_session_that_ends_meanwhile_is_refused() {
    let cases = [
        (Duration::ZERO, Fault::after(UNAVAILABLE), StorageErrorKind::Superseded),
        (HOUR, Fault::after(UNAVAILABLE), StorageErrorKind::Superseded),
        (HOUR, Fault::before(UNAVAILABLE), StorageErrorKind::Gone),
    ];
    for (grace, fault, expected) in cases {
        let setup = setup(LEASE / 2);
        let [old, new] = keys();
        setup.model.create(&old, record("0")).await.unwrap();
        let mut held = locked(&*setup.storage, &old).await;
        setup.faults.fail_next(Operation::Rotate, fault);
        let model = setup.model.clone();
        tokio::spawn(async move {
            tokio::time::sleep(LEASE / 4).await;
            for key in [new, old] {
                model.destroy(&key).await.unwrap();
            }
        });
        let record = next(&held.record, "1");
        let refused = setup.storage.rotate(&mut held.lock, &new, record, grace).await;
        assert_eq!(kind(refused), Some(expected));
        assert_missing(&setup.model, &new).await;
    }
}

#[tokio::test(start_paused = true)]
async fn rotate_onto_another_session_is_refused() {
    for fault in once() {
        let setup = setup(Duration::from_secs(1));
        let [old, taken] = keys();
        setup.model.create(&old, record("0")).await.unwrap();
        let mut another = record("another's");
        another.meta.created_at = setup.model.clock().now();
        setup.model.create(&taken, another).await.unwrap();
        let mut held = locked(&*setup.storage, &old).await;
        setup.faults.fail_next(Operation::Rotate, fault);
        let record = next(&held.record, "1");
        let refused = setup.storage.rotate(&mut held.lock, &taken, record.clone(), HOUR).await;
        assert_eq!(kind(refused), Some(StorageErrorKind::Exists));
        setup
            .storage
            .commit(&mut held.lock, record)
            .await
            .expect("the lock is as it was");
        assert_free(&setup.model, &taken, "another's").await;
    }
}

#[tokio::test(start_paused = true)]
async fn rotate_after_the_lease_is_refused() {
    let setup = setup(LEASE);
    let [old, new] = keys();
    setup.model.create(&old, record("0")).await.unwrap();
    let mut held = locked(&*setup.storage, &old).await;
    setup.faults.fail_next(Operation::Rotate, Fault::before(UNAVAILABLE));
    let record = next(&held.record, "1");
    let refused = setup.storage.rotate(&mut held.lock, &new, record, HOUR).await;
    assert_eq!(kind(refused), Some(StorageErrorKind::LockLost));
    assert_missing(&setup.model, &new).await;
    assert_free(&setup.model, &old, "0").await;
}

/// The lock of a lost reply ends with its lease. The next attempt waits for it like for any other.
#[tokio::test(start_paused = true)]
async fn lock_waits_no_longer_than_its_wait() {
    let setup = setup(Duration::from_secs(1));
    let key = created(&setup.model, "0").await;
    setup.faults.fail_next(Operation::Lock, Fault::after(UNAVAILABLE));
    let start = Instant::now();
    let late = setup.storage.lock(&key, LEASE / 2).await;
    assert_eq!(kind(late), Some(StorageErrorKind::LockTimeout));
    assert_eq!(start.elapsed(), LEASE / 2);
    let held = setup.storage.lock(&key, LEASE).await.unwrap();
    assert!(held.is_found());
    assert!(start.elapsed() < LEASE + Duration::from_secs(1));
    assert_held(&setup.model, &key).await;
}

#[tokio::test(start_paused = true)]
async fn lock_that_fails_before_is_taken_by_the_next_attempt() {
    let setup = setup(Duration::from_secs(1));
    let key = created(&setup.model, "0").await;
    setup.faults.fail_next(Operation::Lock, Fault::before(UNAVAILABLE));
    let held = locked(&*setup.storage, &key).await;
    setup.storage.release(held.lock).await.unwrap();
    assert_free(&setup.model, &key, "0").await;
}

#[tokio::test(start_paused = true)]
async fn a_dropped_lock_is_released() {
    let setup = setup(Duration::from_secs(1));
    let (key, held) = held(&setup).await;
    drop(held);
    assert_free(&setup.model, &key, "0").await;
}

/// Many visits use a storage on which a third of the calls fail. Visits whose write succeeded have written once, and
/// visits whose write was refused have not.
#[tokio::test(start_paused = true)]
async fn many_failures_lose_and_repeat_no_updates() {
    async fn increment(storage: &dyn Storage, key: &SessionKey) -> Result<(), StorageError> {
        let mut held = storage.lock(key, HOUR).await?.found().expect("a live session");
        let count: u32 = std::str::from_utf8(&held.record.payload).unwrap().parse().unwrap();
        let mut record = next(&held.record, "");
        record.payload = (count + 1).to_string().into();
        storage.commit(&mut held.lock, record).await
    }

    let setup = setup(Duration::from_secs(1));
    let key = created(&setup.model, "0").await;
    setup.faults.fail_at_random(sessile_testkit::seed(), 0.3);
    let visits = (0..300).map(|_| {
        let storage = Arc::clone(&setup.storage);
        tokio::spawn(async move { increment(&*storage, &key).await })
    });
    let (mut done, mut unknown) = (0, 0);
    for visit in visits.collect::<Vec<_>>() {
        match visit.await.unwrap() {
            Ok(()) => done += 1,
            Err(error) if error.kind() == UNAVAILABLE || error.kind() == StorageErrorKind::Timeout => unknown += 1,
            Err(error) => assert_eq!(error.kind(), StorageErrorKind::LockTimeout, "{error:?}"),
        }
    }
    let stored = setup.stored(&key).await;
    let count: u32 = std::str::from_utf8(&stored.payload).unwrap().parse().unwrap();
    assert!(
        (done..=done + unknown).contains(&count),
        "{done} done, {unknown} unknown, {count} counted"
    );
    assert_eq!(stored.meta.version, u64::from(count) + 1);
    assert!(done > unknown, "{done} done, {unknown} unknown");
}
