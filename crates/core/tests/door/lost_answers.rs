//! The store does as told and its answer is lost: with `Retry` around the pair, nobody notices.

use std::time::Duration;

use sessile_core::{Exponential, LocalLocks, Lookup, Paired, Retry, Storage, StorageErrorKind, Timestamp, TokioClock};

use crate::support::{HOUR, MapStore, Setup, keys, locked, next};

struct Repeating {
    storage: Retry<Paired<MapStore, LocalLocks>>,
    setup: Setup,
}

fn repeating() -> Repeating {
    let setup = Setup::with(MapStore::default(), TokioClock::start());
    let storage = Retry::new(setup.storage.clone(), Exponential::default());
    Repeating { storage, setup }
}

#[tokio::test(start_paused = true)]
async fn without_retry_the_lock_is_kept_until_it_is_dropped() {
    let setup = Setup::new();
    let key = setup.created("0").await;
    let mut held = setup.locked(&key).await;
    setup.store.lose_answer_of("replace");
    let record = next(&held.record, "1");
    let unknown = setup.storage.commit(&mut held.lock, record.clone()).await.unwrap_err();
    assert_eq!(
        (unknown.kind(), unknown.operation()),
        (StorageErrorKind::Unavailable, "commit")
    );
    // What is stored now is not what the holder knew, so he cannot write over it.
    let again = setup.storage.commit(&mut held.lock, record).await.unwrap_err();
    assert_eq!(again.kind(), StorageErrorKind::LockLost);
    drop(held);
    assert_eq!(setup.locks.in_use(), 0);
    assert_eq!(setup.payload(&key).await, Lookup::Found("1".into()));
}

#[tokio::test(start_paused = true)]
async fn of_a_commit() {
    let Repeating { storage, setup } = repeating();
    let key = setup.created("0").await;
    let mut held = locked(&storage, &key).await;
    setup.store.lose_answer_of("replace");
    let record = next(&held.record, "1");
    storage.commit(&mut held.lock, record.clone()).await.unwrap();
    assert_eq!(storage.read(&key).await.unwrap().found().unwrap().record, record);
    assert_eq!(
        (setup.locks.in_use(), setup.storage.locks_held()),
        (0, 0),
        "the next need not wait for the lease"
    );
}

#[tokio::test(start_paused = true)]
async fn of_a_rotation() {
    for grace in [Duration::ZERO, HOUR] {
        let Repeating { storage, setup } = repeating();
        let [old, new] = keys();
        storage.create(&old, setup.record("0")).await.unwrap();
        let mut held = locked(&storage, &old).await;
        setup.store.lose_answer_of("rename");
        let record = next(&held.record, "1");
        storage
            .rotate(&mut held.lock, &new, record.clone(), grace)
            .await
            .unwrap();
        assert_eq!(storage.read(&new).await.unwrap().found().unwrap().record, record);
        assert_eq!((setup.locks.in_use(), setup.storage.locks_held()), (0, 0));
        assert_eq!(storage.read(&old).await.unwrap().is_found(), !grace.is_zero());
    }
}

#[tokio::test(start_paused = true)]
async fn of_everything_else() {
    let Repeating { storage, setup } = repeating();
    let [key] = keys();
    for verb in ["insert", "load", "head", "touch", "head", "remove"] {
        setup.store.lose_answer_of(verb);
    }
    storage.create(&key, setup.record("0")).await.unwrap();
    assert!(storage.read(&key).await.unwrap().is_found());
    storage.touch(&key, 1, None, Timestamp::MAX).await.unwrap();
    let meta = storage.read(&key).await.unwrap().found().unwrap().record.meta;
    assert_eq!((meta.deadline, meta.last_active), (None, Timestamp::MAX));
    let destroyed = storage.destroy(&key).await.unwrap();
    assert_eq!(destroyed, Lookup::Missing, "which is what the second attempt finds");
    assert_eq!(setup.footprint(), 0);
}
