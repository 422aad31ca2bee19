//! The cache is bounded, and hot sessions stay in it.

use sessile_core::{Lookup, Storage};
use sessile_testkit::Operation;

use crate::support::{Setup, keys, next};

#[tokio::test]
async fn the_capacity_is_never_exceeded() {
    for capacity in [0, 1, 15, 16, 100] {
        let setup = Setup::with_capacity(capacity);
        for _ in 0..500 {
            let [key] = keys();
            setup.storage.create(&key, setup.record("x")).await.unwrap();
            assert!(setup.storage.stats().records <= capacity);
        }
        let kept = setup.storage.stats().records;
        assert!(kept >= capacity / 2, "{kept} of {capacity} are kept");
    }
}

#[tokio::test]
async fn hot_sessions_stay_and_cold_ones_are_evicted() {
    // A hundred in each segment.
    let setup = Setup::with_capacity(1_600);
    let hot = setup.hot("hot").await;
    let cold = setup.hot("cold").await;
    // Sessions of the same shards, and so of the same segments: far more than their capacity.
    for shard in [hot.shard().to_owned(), cold.shard().to_owned()] {
        for number in 0..400 {
            let id = sessile_core::SessionId::parse(&format!("{shard}{number:0>29}")).unwrap();
            setup.model.create(&id.key(), setup.record("x")).await.unwrap();
            setup.read(&id.key()).await;
            setup.calls.reset();
            setup.read(&hot).await;
            assert_eq!(setup.calls.of(Operation::Read), 0, "a hot session was evicted");
        }
    }
    setup.read(&cold).await;
    assert_eq!(setup.calls.of(Operation::Read), 1, "a cold session was kept");
}

/// Repeated writes leave stale positions in the order of eviction, which are removed.
#[tokio::test]
async fn a_session_that_is_written_repeatedly_counts_once() {
    let setup = Setup::with_capacity(16);
    let key = setup.hot("0").await;
    for _ in 0..1_000 {
        let mut held = setup.locked(&key).await;
        setup
            .storage
            .commit(&mut held.lock, next(&held.record, "1"))
            .await
            .unwrap();
    }
    assert_eq!(setup.storage.stats().records, 1);
    assert_eq!(setup.read(&key).await, Lookup::Found("1".to_owned()));
    assert_eq!(setup.calls.of(Operation::Read), 0);
}

#[tokio::test]
async fn a_session_with_a_long_payload_is_read_each_time() {
    let setup = Setup::new();
    // Two shards: a write clears the bucket of its shard.
    let [[short], [long]] = [keys(), keys()];
    for (key, length) in [(short, 1_000), (long, 1_001)] {
        let mut record = setup.record("");
        record.payload = vec![b'x'; length].into();
        setup.storage.create(&key, record).await.unwrap();
    }
    assert_eq!(setup.storage.stats().records, 1);
    for _ in 0..3 {
        assert!(setup.read(&short).await.is_found());
        assert!(setup.read(&long).await.is_found());
    }
    assert_eq!(setup.calls.of(Operation::Read), 3);
}
