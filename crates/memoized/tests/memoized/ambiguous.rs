//! Writes with an ambiguous outcome.

use std::time::Duration;

use sessile_core::{Lookup, Storage, StorageErrorKind};
use sessile_testkit::{Fault, Operation};

use crate::support::{HOUR, SECOND, Setup, keys, kind, next};

const SETTLE_TIME: Duration = Duration::from_secs(60);

fn found(payload: &str) -> Lookup<String> {
    Lookup::Found(payload.to_owned())
}

/// Reads twice, and returns whether the second read was served from the cache.
async fn is_cached(setup: &Setup, key: &sessile_core::SessionKey) -> bool {
    setup.read(key).await;
    setup.calls.reset();
    setup.read(key).await;
    setup.calls.of(Operation::Read) == 0
}

#[tokio::test(start_paused = true)]
async fn a_commit_whose_reply_is_lost_is_seen() {
    for fault in [
        Fault::after(StorageErrorKind::Timeout),
        Fault::after(StorageErrorKind::Unavailable),
    ] {
        let setup = Setup::new();
        let key = setup.hot("old").await;
        let mut held = setup.locked(&key).await;
        setup.faults.fail_next(Operation::Commit, fault);
        setup
            .storage
            .commit(&mut held.lock, next(&held.record, "new"))
            .await
            .unwrap_err();
        assert_eq!(setup.read(&key).await, found("new"));
        assert!(!is_cached(&setup, &key).await);
        tokio::time::advance(SETTLE_TIME).await;
        assert!(is_cached(&setup, &key).await, "the outcome is not ambiguous for ever");
    }
}

/// The request is in flight when the caller gives up, and arrives after the session has been read again.
#[tokio::test(start_paused = true)]
async fn a_destroy_that_arrives_late_is_seen() {
    let setup = Setup::new();
    let key = setup.hot("0").await;
    setup.faults.fail_next(Operation::Destroy, Fault::hang_before());
    tokio::time::timeout(SECOND, setup.storage.destroy(&key))
        .await
        .unwrap_err();
    assert_eq!(setup.read(&key).await, found("0"));
    assert_eq!(setup.read(&key).await, found("0"));
    setup.model.destroy(&key).await.unwrap();
    assert_eq!(setup.read(&key).await, Lookup::Missing);
}

#[tokio::test(start_paused = true)]
async fn every_cancelled_write_is_ambiguous() {
    for operation in [
        Operation::Create,
        Operation::Commit,
        Operation::Rotate,
        Operation::Touch,
        Operation::Destroy,
    ] {
        let setup = Setup::new();
        let [key, new] = keys();
        setup.model.create(&key, setup.record("old")).await.unwrap();
        let mut held = setup.locked(&key).await;
        assert!(is_cached(&setup, &key).await, "before {operation:?}");
        setup.faults.fail_next(operation, Fault::hang_before());
        let record = next(&held.record, "new");
        let now = setup.storage.clock().now();
        let storage = &setup.storage;
        let call = async {
            match operation {
                Operation::Create => storage.create(&key, record).await,
                Operation::Commit => storage.commit(&mut held.lock, record).await,
                Operation::Rotate => storage.rotate(&mut held.lock, &new, record, HOUR).await,
                Operation::Touch => storage.touch(&key, 1, None, now).await.map(drop),
                _ => storage.destroy(&key).await.map(drop),
            }
        };
        tokio::time::timeout(SECOND, call).await.unwrap_err();
        assert!(!is_cached(&setup, &key).await, "after {operation:?}");
        tokio::time::advance(SETTLE_TIME).await;
        assert!(is_cached(&setup, &key).await, "long after {operation:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_definite_failure_is_not_ambiguous() {
    use StorageErrorKind::{Denied, Exists, Full, Gone, LockLost, Superseded, Unsupported};
    for definite in [Denied, Exists, Full, Gone, LockLost, Superseded, Unsupported] {
        let setup = Setup::new();
        let key = setup.hot("0").await;
        let mut held = setup.locked(&key).await;
        setup.faults.fail_next(Operation::Commit, Fault::before(definite));
        let refused = setup.storage.commit(&mut held.lock, next(&held.record, "new")).await;
        assert_eq!(kind(refused), Some(definite));
        assert_eq!(setup.read(&key).await, found("0"));
        assert!(is_cached(&setup, &key).await);
    }
    for ambiguous in [StorageErrorKind::Other, StorageErrorKind::Corrupt] {
        let setup = Setup::new();
        let key = setup.hot("0").await;
        let mut held = setup.locked(&key).await;
        setup.faults.fail_next(Operation::Commit, Fault::before(ambiguous));
        setup
            .storage
            .commit(&mut held.lock, next(&held.record, "new"))
            .await
            .unwrap_err();
        assert!(!is_cached(&setup, &key).await);
    }
}

/// A read that fails has written nothing, so the session can be cached.
#[tokio::test(start_paused = true)]
async fn a_read_that_fails_is_an_error_and_the_next_is_not() {
    let setup = Setup::new();
    let key = setup.cold("0").await;
    setup
        .faults
        .fail_next(Operation::Read, Fault::before(StorageErrorKind::Unavailable));
    assert_eq!(
        kind(setup.storage.read(&key).await),
        Some(StorageErrorKind::Unavailable)
    );
    assert_eq!(setup.read(&key).await, found("0"));
    assert!(is_cached(&setup, &key).await);
}

/// The cache remembers an ambiguous outcome no longer than the settle time.
#[tokio::test(start_paused = true)]
async fn ambiguous_outcomes_take_no_memory_for_ever() {
    let setup = Setup::new();
    setup
        .faults
        .fail_always(Operation::Destroy, Fault::before(StorageErrorKind::Timeout));
    for _ in 0..2_000 {
        let [key] = keys();
        setup.storage.destroy(&key).await.unwrap_err();
    }
    tokio::time::advance(SETTLE_TIME).await;
    let key = setup.hot("0").await;
    assert!(is_cached(&setup, &key).await);
}
