//! `Timeout` limits the duration of calls.

use std::time::Duration;

use sessile_core::{Lookup, Storage, StorageErrorKind, Timeout};
use sessile_testkit::{Fault, Faulty, ModelStorage, Operation, Slow};
use tokio::time::Instant;

use crate::support::{HOUR, MINUTE, assert_free, created, keys, kind, locked, next, record};

const LIMIT: Duration = Duration::from_secs(5);

/// Creates a storage that can be made to never reply.
fn silent() -> (Timeout<Faulty<ModelStorage>>, sessile_testkit::Faults) {
    let faulty = Faulty::new(ModelStorage::new().with_lease(HOUR));
    let faults = faulty.faults();
    (Timeout::new(faulty, LIMIT), faults)
}

#[tokio::test(start_paused = true)]
async fn every_operation_ends_in_time_and_is_named() {
    let (storage, faults) = silent();
    let [key, other] = keys();
    storage.create(&key, record("0")).await.unwrap();
    let mut held = locked(&storage, &key).await;
    let record = next(&held.record, "1");
    faults.fail_all(Fault::hang_before());
    let now = storage.clock().now();
    let start = Instant::now();
    let errors = [
        ("read", storage.read(&key).await.err()),
        ("lock", storage.lock(&key, Duration::ZERO).await.err()),
        ("create", storage.create(&other, record.clone()).await.err()),
        ("commit", storage.commit(&mut held.lock, record.clone()).await.err()),
        (
            "rotate",
            storage.rotate(&mut held.lock, &other, record, HOUR).await.err(),
        ),
        ("renew", storage.renew(&held.lock.id()).await.err()),
        ("touch", storage.touch(&key, 1, None, now).await.err()),
        ("destroy", storage.destroy(&key).await.err()),
        ("scan", storage.scan(None, 1).await.err()),
        ("sweep", storage.sweep(1).await.err()),
        ("release", storage.release(held.lock).await.err()),
    ];
    assert_eq!(start.elapsed(), LIMIT * 11);
    for (operation, error) in errors {
        let error = error.expect(operation);
        assert_eq!(error.kind(), StorageErrorKind::Timeout);
        assert_eq!((error.operation(), error.storage()), (operation, "model"));
        assert!(error.is_retryable());
        let cause = std::error::Error::source(&error).unwrap().to_string();
        assert_eq!(cause, "no reply within 5s");
    }
}

#[tokio::test(start_paused = true)]
async fn a_wait_for_a_lock_is_added_to_the_limit() {
    let storage = Timeout::new(ModelStorage::new().with_lease(HOUR), LIMIT);
    let key = created(&storage, "0").await;
    let held = locked(&storage, &key).await;
    let start = Instant::now();
    let result = storage.lock(&key, MINUTE).await;
    assert_eq!(
        kind(result),
        Some(StorageErrorKind::LockTimeout),
        "the storage has answered"
    );
    assert_eq!(start.elapsed(), MINUTE);
    drop(held);
    let forever = storage.lock(&key, Duration::MAX).await.unwrap();
    assert!(forever.is_found());

    let (storage, faults) = silent();
    faults.fail_always(Operation::Lock, Fault::hang_before());
    let start = Instant::now();
    assert_eq!(kind(storage.lock(&key, MINUTE).await), Some(StorageErrorKind::Timeout));
    assert_eq!(start.elapsed(), MINUTE + LIMIT);
}

/// A call that takes the lock too late releases it; a call that held it leaves it held.
#[tokio::test(start_paused = true)]
async fn no_lock_stays_behind() {
    let slow = Slow::new(ModelStorage::new().with_lease(HOUR));
    let delays = slow.delays();
    let storage = Timeout::new(slow, LIMIT);
    let key = created(&storage, "0").await;
    delays.after(Operation::Lock, MINUTE);
    assert_eq!(
        kind(storage.lock(&key, Duration::ZERO).await),
        Some(StorageErrorKind::Timeout)
    );
    delays.after(Operation::Lock, Duration::ZERO);
    assert_free(&storage, &key, "0").await;

    let mut held = locked(&storage, &key).await;
    delays.before(Operation::Commit, MINUTE);
    let record = next(&held.record, "1");
    let late = storage.commit(&mut held.lock, record.clone()).await;
    assert_eq!(kind(late), Some(StorageErrorKind::Timeout));
    delays.before(Operation::Commit, Duration::ZERO);
    storage
        .commit(&mut held.lock, record)
        .await
        .expect("the lock was left as it was");
    assert_eq!(
        storage.read(&key).await.unwrap().map(|stored| stored.record.payload),
        Lookup::Found("1".into())
    );
}
