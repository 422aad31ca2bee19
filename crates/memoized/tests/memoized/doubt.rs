//! Calls of which nobody knows what they have done, or will do.

use std::time::Duration;

use sessile_core::{Lookup, Storage, StorageErrorKind};
use sessile_testkit::{Fault, Verb};

use crate::support::{HOUR, SECOND, Setup, keys, kind, next};

const SETTLE_TIME: Duration = Duration::from_secs(60);

fn found(payload: &str) -> Lookup<String> {
    Lookup::Found(payload.to_owned())
}

/// Reads twice, and says whether the second read was answered from memory.
async fn is_kept(setup: &Setup, key: &sessile_core::SessionKey) -> bool {
    setup.read(key).await;
    setup.calls.reset();
    setup.read(key).await;
    setup.calls.of(Verb::Read) == 0
}

#[tokio::test(start_paused = true)]
async fn a_commit_whose_answer_is_lost_is_seen() {
    for fault in [
        Fault::after(StorageErrorKind::Timeout),
        Fault::after(StorageErrorKind::Unavailable),
    ] {
        let setup = Setup::new();
        let key = setup.hot("old").await;
        let mut held = setup.locked(&key).await;
        setup.faults.fail_next(Verb::Commit, fault);
        setup
            .storage
            .commit(&mut held.lock, next(&held.record, "new"))
            .await
            .unwrap_err();
        assert_eq!(setup.read(&key).await, found("new"));
        assert!(!is_kept(&setup, &key).await);
        tokio::time::advance(SETTLE_TIME).await;
        assert!(is_kept(&setup, &key).await, "for ever it is not in doubt");
    }
}

/// The request is on its way when the caller gives up, and arrives when the session has been read again.
#[tokio::test(start_paused = true)]
async fn a_destroy_that_arrives_late_is_not_outlived() {
    let setup = Setup::new();
    let key = setup.hot("0").await;
    setup.faults.fail_next(Verb::Destroy, Fault::hang_before());
    tokio::time::timeout(SECOND, setup.storage.destroy(&key))
        .await
        .unwrap_err();
    assert_eq!(setup.read(&key).await, found("0"));
    assert_eq!(setup.read(&key).await, found("0"));
    setup.model.destroy(&key).await.unwrap();
    assert_eq!(setup.read(&key).await, Lookup::Missing);
}

#[tokio::test(start_paused = true)]
async fn every_write_that_is_cut_off_is_in_doubt() {
    for verb in [Verb::Create, Verb::Commit, Verb::Rotate, Verb::Touch, Verb::Destroy] {
        let setup = Setup::new();
        let [key, new] = keys();
        setup.model.create(&key, setup.record("old")).await.unwrap();
        let mut held = setup.locked(&key).await;
        assert!(is_kept(&setup, &key).await, "before {verb:?}");
        setup.faults.fail_next(verb, Fault::hang_before());
        let record = next(&held.record, "new");
        let now = setup.storage.clock().now();
        let storage = &setup.storage;
        let call = async {
            match verb {
                Verb::Create => storage.create(&key, record).await,
                Verb::Commit => storage.commit(&mut held.lock, record).await,
                Verb::Rotate => storage.rotate(&mut held.lock, &new, record, HOUR).await,
                Verb::Touch => storage.touch(&key, 1, None, now).await.map(drop),
                _ => storage.destroy(&key).await.map(drop),
            }
        };
        tokio::time::timeout(SECOND, call).await.unwrap_err();
        assert!(!is_kept(&setup, &key).await, "after {verb:?}");
        tokio::time::advance(SETTLE_TIME).await;
        assert!(is_kept(&setup, &key).await, "long after {verb:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_has_certainly_not_been_done_is_not_in_doubt() {
    use StorageErrorKind::{Denied, Exists, Full, Gone, LockLost, Superseded, Unsupported};
    for certain in [Denied, Exists, Full, Gone, LockLost, Superseded, Unsupported] {
        let setup = Setup::new();
        let key = setup.hot("0").await;
        let mut held = setup.locked(&key).await;
        setup.faults.fail_next(Verb::Commit, Fault::before(certain));
        let refused = setup.storage.commit(&mut held.lock, next(&held.record, "new")).await;
        assert_eq!(kind(refused), Some(certain));
        assert_eq!(setup.read(&key).await, found("0"));
        assert!(is_kept(&setup, &key).await);
    }
    for uncertain in [StorageErrorKind::Other, StorageErrorKind::Corrupt] {
        let setup = Setup::new();
        let key = setup.hot("0").await;
        let mut held = setup.locked(&key).await;
        setup.faults.fail_next(Verb::Commit, Fault::before(uncertain));
        setup
            .storage
            .commit(&mut held.lock, next(&held.record, "new"))
            .await
            .unwrap_err();
        assert!(!is_kept(&setup, &key).await);
    }
}

/// A read that fails leaves things as they are: nothing was written.
#[tokio::test(start_paused = true)]
async fn a_read_that_fails_is_an_error_and_the_next_is_not() {
    let setup = Setup::new();
    let key = setup.cold("0").await;
    setup
        .faults
        .fail_next(Verb::Read, Fault::before(StorageErrorKind::Unavailable));
    assert_eq!(
        kind(setup.storage.read(&key).await),
        Some(StorageErrorKind::Unavailable)
    );
    assert_eq!(setup.read(&key).await, found("0"));
    assert!(is_kept(&setup, &key).await);
}

/// Sessions whose state is in doubt are not remembered for longer than the doubt lasts.
#[tokio::test(start_paused = true)]
async fn doubt_takes_no_memory_for_ever() {
    let setup = Setup::new();
    setup
        .faults
        .fail_always(Verb::Destroy, Fault::before(StorageErrorKind::Timeout));
    for _ in 0..2_000 {
        let [key] = keys();
        setup.storage.destroy(&key).await.unwrap_err();
    }
    tokio::time::advance(SETTLE_TIME).await;
    let key = setup.hot("0").await;
    assert!(is_kept(&setup, &key).await);
}
