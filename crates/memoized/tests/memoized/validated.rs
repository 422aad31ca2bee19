//! Validated mode: each read asks whether the cached record is still current.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use sessile_core::{Lookup, Storage};
use sessile_memoized::MemoizedStorage;
use sessile_testkit::{Calls, Counting, Delays, ModelStorage, Operation, Slow};

use crate::support::{HOUR, Probing, SECOND, Setup, keys, locked, next, read};

/// A storage in validated mode, its counters of reads and of probes, and the inner storage, which others write to.
struct Validated {
    storage: MemoizedStorage<Probing<Loads>>,
    loads: Calls,
    delays: Delays,
    probes: Arc<AtomicU64>,
    model: ModelStorage,
}

type Loads = Counting<Slow<ModelStorage>>;

fn validated() -> Validated {
    let model = ModelStorage::new();
    let slow = Slow::new(model.clone());
    let delays = slow.delays();
    let counting = Counting::new(slow);
    let loads = counting.calls();
    let probing = Probing::new(counting);
    let probes = probing.probes();
    Validated {
        storage: MemoizedStorage::builder(probing).validated(),
        loads,
        delays,
        probes,
        model,
    }
}

impl Validated {
    async fn read(&self, key: &sessile_core::SessionKey) -> Lookup<String> {
        read(&self.storage, key).await
    }

    /// Returns the numbers of reads and of probes since the last call. (A probe of this storage reads too, which is
    /// subtracted.)
    fn costs(&self) -> (u64, u64) {
        let probes = self.probes.swap(0, Ordering::SeqCst);
        (self.loads.take().of(Operation::Read) - probes, probes)
    }
}

fn found(payload: &str) -> Lookup<String> {
    Lookup::Found(payload.to_owned())
}

#[tokio::test(start_paused = true)]
async fn a_hot_session_costs_a_probe() {
    let validated = validated();
    let key = Setup::new().hot("x").await;
    validated.model.create(&key, Setup::new().record("0")).await.unwrap();
    assert_eq!(validated.read(&key).await, found("0"));
    assert_eq!(validated.costs(), (1, 1));
    for _ in 0..5 {
        assert_eq!(validated.read(&key).await, found("0"));
    }
    assert_eq!(validated.costs(), (0, 5));
    assert_eq!(validated.storage.stats().hits, 5);
}

#[tokio::test(start_paused = true)]
async fn changes_by_others_are_seen_at_once() {
    let validated = validated();
    let [key, new] = keys();
    let record = Setup::new().record("0");
    validated.storage.create(&key, record).await.unwrap();
    assert_eq!(validated.read(&key).await, found("0"));

    let mut held = locked(&validated.model, &key).await;
    validated
        .model
        .commit(&mut held.lock, next(&held.record, "1"))
        .await
        .unwrap();
    assert_eq!(validated.read(&key).await, found("1"));

    validated.costs();
    let later = validated.model.clock().now() + HOUR * 9;
    assert!(validated.model.touch(&key, 2, Some(later), later).await.unwrap());
    let stored = validated.storage.read(&key).await.unwrap().found().unwrap();
    assert_eq!(
        (stored.record.meta.deadline, stored.record.meta.last_active),
        (Some(later), later)
    );
    assert_eq!(validated.costs(), (0, 1), "the payload is the same");

    let mut held = locked(&validated.model, &key).await;
    let record = next(&held.record, "2");
    validated
        .model
        .rotate(&mut held.lock, &new, record, SECOND)
        .await
        .unwrap();
    for key in [&key, &new] {
        let stored = validated.storage.read(key).await.unwrap().found().unwrap();
        assert_eq!((stored.key, &*stored.record.payload), (new, &b"2"[..]));
    }
    validated.costs();
    assert_eq!(validated.read(&key).await, found("2"));
    assert_eq!(validated.costs(), (0, 1), "an alias leads to the cached record");
    tokio::time::advance(SECOND).await;
    assert_eq!(validated.read(&key).await, Lookup::Superseded);

    validated.model.destroy(&new).await.unwrap();
    assert_eq!(validated.read(&new).await, Lookup::Missing);
    assert_eq!(validated.storage.stats().records, 0);
}

/// One read has begun to load the old record when another has seen that there is a new one.
#[tokio::test(start_paused = true)]
async fn a_load_that_is_older_than_the_probe_is_not_shared() {
    let validated = validated();
    let [key] = keys();
    validated.model.create(&key, Setup::new().record("old")).await.unwrap();
    // The load of the first read has read the record and has not returned yet.
    let storage = validated.storage.clone();
    let first = tokio::spawn(async move { read(&storage, &key).await });
    validated.delays.after(Operation::Read, SECOND * 10);
    tokio::task::yield_now().await;
    validated.delays.after(Operation::Read, Duration::ZERO);

    let mut held = locked(&validated.model, &key).await;
    validated
        .model
        .commit(&mut held.lock, next(&held.record, "new"))
        .await
        .unwrap();
    assert_eq!(validated.read(&key).await, found("new"));
    first.await.unwrap();
    assert_eq!(validated.read(&key).await, found("new"));
}
