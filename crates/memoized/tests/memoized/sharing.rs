//! Concurrent reads of a session share one load.

use std::error::Error;
use std::time::Duration;

use sessile_core::{Lookup, Storage, StorageErrorKind};
use sessile_testkit::{Fault, Operation};

use crate::support::{SECOND, Setup, keys};

#[tokio::test(start_paused = true)]
async fn concurrent_reads_are_one_load() {
    let setup = Setup::new();
    let key = setup.cold("0").await;
    setup.delays.before(Operation::Read, SECOND);
    let mut reads = Vec::new();
    for _ in 0..100 {
        reads.push(setup.reading(key).await);
    }
    for read in reads {
        assert_eq!(read.await.unwrap(), Lookup::Found("0".to_owned()));
    }
    assert_eq!(setup.calls.of(Operation::Read), 1);
    let stats = setup.storage.stats();
    assert_eq!((stats.records, stats.hits, stats.misses, stats.shared), (1, 0, 1, 99));
}

#[tokio::test(start_paused = true)]
async fn a_missing_session_is_shared_too() {
    let setup = Setup::new();
    let [key] = keys();
    setup.delays.before(Operation::Read, SECOND);
    let [one, two] = [setup.reading(key).await, setup.reading(key).await];
    assert_eq!(
        (one.await.unwrap(), two.await.unwrap()),
        (Lookup::Missing, Lookup::Missing)
    );
    assert_eq!(setup.calls.take().of(Operation::Read), 1);
    assert_eq!(setup.read(&key).await, Lookup::Missing);
    assert_eq!(setup.calls.of(Operation::Read), 1, "the result is not cached");
}

#[tokio::test(start_paused = true)]
async fn a_failure_is_shared_and_keeps_its_cause() {
    let setup = Setup::new();
    let key = setup.cold("0").await;
    setup.faults.fail_next(Operation::Read, Fault::hang_before());
    let storage = setup.storage.clone();
    let leader = tokio::spawn(async move { tokio::time::timeout(SECOND, storage.read(&key)).await });
    tokio::task::yield_now().await;
    // When the leader is cancelled, the next caller loads, and its failure is shared by the others.
    setup
        .faults
        .fail_next(Operation::Read, Fault::before(StorageErrorKind::Unavailable));
    let followers: Vec<_> = (0..10)
        .map(|_| {
            let storage = setup.storage.clone();
            tokio::spawn(async move { storage.read(&key).await.unwrap_err() })
        })
        .collect();
    assert!(leader.await.unwrap().is_err());
    for follower in followers {
        let error = follower.await.unwrap();
        assert_eq!(
            (error.kind(), error.operation()),
            (StorageErrorKind::Unavailable, "read")
        );
        let shown = error.source().expect("the shared error").to_string();
        assert!(shown.contains("cannot be reached"), "{shown}");
        let cause = error
            .source()
            .and_then(Error::source)
            .expect("the cause is kept")
            .to_string();
        assert_eq!(cause, "injected before the call took effect");
    }
    assert_eq!(setup.faults.injected(), 2);
    assert_eq!(setup.read(&key).await, Lookup::Found("0".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn when_the_leader_is_cancelled_the_next_takes_over() {
    let setup = Setup::new();
    let key = setup.cold("0").await;
    setup.delays.before(Operation::Read, SECOND);
    let first = setup.reading(key).await;
    let [second, third] = [setup.reading(key).await, setup.reading(key).await];
    first.abort();
    assert_eq!(second.await.unwrap(), Lookup::Found("0".to_owned()));
    assert_eq!(third.await.unwrap(), Lookup::Found("0".to_owned()));
    let stats = setup.storage.stats();
    assert_eq!((stats.records, stats.misses, stats.shared), (1, 2, 1));
}

#[tokio::test(start_paused = true)]
async fn when_all_callers_are_cancelled_the_load_is_removed() {
    let setup = Setup::new();
    let key = setup.cold("0").await;
    setup.delays.before(Operation::Read, SECOND * 10);
    let [one, two] = [setup.reading(key).await, setup.reading(key).await];
    one.abort();
    two.abort();
    tokio::task::yield_now().await;
    setup.delays.before(Operation::Read, Duration::ZERO);
    assert_eq!(setup.read(&key).await, Lookup::Found("0".to_owned()));
    assert_eq!(setup.storage.stats().records, 1);
}
