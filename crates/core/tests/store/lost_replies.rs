//! The store takes effect and its reply is lost: a `Retry` around the storage hides that from callers.

use std::time::Duration;

use sessile_core::{
    Exponential, LocalLocks, LockedStore, Lookup, Retry, Storage, StorageErrorKind, Timestamp, TokioClock,
};

use crate::support::{HOUR, MapStore, Setup, keys, locked, next};

struct Repeating {
    storage: Retry<LockedStore<MapStore, LocalLocks>>,
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
    setup.store.lose_reply_of("replace");
    let record = next(&held.record, "1");
    let unknown = setup.storage.commit(&mut held.lock, record.clone()).await.unwrap_err();
    assert_eq!(
        (unknown.kind(), unknown.operation()),
        (StorageErrorKind::Unavailable, "commit")
    );
    // The holder does not know the stored version, so it cannot overwrite it.
    let again = setup.storage.commit(&mut held.lock, record).await.unwrap_err();
    assert_eq!(again.kind(), StorageErrorKind::LockLost);
    drop(held);
    assert_eq!(setup.locks.in_use(), 0);
    assert_eq!(setup.payload(&key).await, Lookup::Found("1".into()));
}

#[tokio::test(start_paused = true)]
async fn retry_resolves_a_lost_reply_to_commit() {
    let Repeating { storage, setup } = repeating();
    let key = setup.created("0").await;
    let mut held = locked(&storage, &key).await;
    setup.store.lose_reply_of("replace");
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
async fn retry_resolves_a_lost_reply_to_rotate() {
    for grace in [Duration::ZERO, HOUR] {
        let Repeating { storage, setup } = repeating();
        let [old, new] = keys();
        storage.create(&old, setup.record("0")).await.unwrap();
        let mut held = locked(&storage, &old).await;
        setup.store.lose_reply_of("rename");
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
async fn retry_resolves_lost_replies_to_other_operations() {
    let Repeating { storage, setup } = repeating();
    let [key] = keys();
    for operation in ["insert", "load", "head", "touch", "head", "remove"] {
        setup.store.lose_reply_of(operation);
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
