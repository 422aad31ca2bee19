//! Rotation: its aliases and tombstones, and how long they last.

mod common;

use common::*;
use sessile_core::{Lookup, MAX_ALIASES, SessionKey, Storage, StorageErrorKind, Timestamp};
use sessile_memory::MemoryStorage;
use std::time::Duration;

async fn rotate(storage: &MemoryStorage, from: &SessionKey, to: &SessionKey, grace: Duration) {
    let mut lock = take(storage, from).await;
    storage
        .rotate(&mut lock, to, record(storage, "b"), grace)
        .await
        .expect("rotated");
    assert!(format!("{lock:?}").contains("disarmed: true"));
}

#[tokio::test]
async fn without_grace_the_old_key_is_a_tombstone_for_a_minute() {
    let (storage, clock) = manual_storage();
    let [old, new] = rotated_keys();
    storage.create(&old, record(&storage, "a")).await.unwrap();
    rotate(&storage, &old, &new, Duration::ZERO).await;

    assert_eq!(payload(&storage, &new).await.as_deref(), Some("b"));
    assert_free(&storage, &new).await;
    for moment in [0, 59_999] {
        clock.set(Timestamp::from_millis(1_000_000 + moment));
        assert_eq!(read(&storage, &old).await, Lookup::Superseded);
        assert!(matches!(storage.lock(&old, SECOND).await, Ok(Lookup::Superseded)));
        assert!(read(&storage, &new).await.is_found());
    }
    clock.set(Timestamp::from_millis(1_060_000));
    assert_eq!(read(&storage, &old).await, Lookup::Missing);
    assert!(matches!(storage.lock(&old, SECOND).await, Ok(Lookup::Missing)));
    assert_eq!(storage.destroy(&old).await.unwrap(), Lookup::Missing);
    assert!(read(&storage, &new).await.is_found());
}

#[tokio::test]
async fn a_tombstone_stands_as_long_as_configured_and_does_not_depend_on_the_session() {
    let clock = manual_clock();
    let build = |ttl: u32| {
        MemoryStorage::builder()
            .clock(clock.clone())
            .sweeper(false)
            .tombstone_ttl(ttl * SECOND)
            .build()
    };
    for (ttl, lives) in [(5, 100), (60, 10), (0, 100)] {
        let storage = build(ttl);
        let [old, new] = rotated_keys();
        storage.create(&old, record(&storage, "a")).await.unwrap();
        let mut lock = take(&storage, &old).await;
        storage
            .rotate(&mut lock, &new, ending(&storage, "b", lives * SECOND), Duration::ZERO)
            .await
            .unwrap();
        if ttl > 0 {
            clock.advance(ttl * SECOND - MS);
            assert_eq!(read(&storage, &old).await, Lookup::Superseded);
            clock.advance(MS);
        }
        assert_eq!(read(&storage, &old).await, Lookup::Missing);
        storage.sweep(10).await.unwrap();
        assert_eq!(storage.stats().moved, 0);
    }
}

#[tokio::test]
async fn with_grace_the_old_key_is_an_alias_for_every_operation() {
    let (storage, clock) = manual_storage();
    let [old, new, newer] = rotated_keys();
    storage.create(&old, record(&storage, "a")).await.unwrap();
    rotate(&storage, &old, &new, 10 * SECOND).await;
    clock.advance(10 * SECOND - MS);

    let stored = read(&storage, &old).await.found().unwrap();
    assert_eq!((stored.key, stored.record.payload.as_ref()), (new, b"b".as_ref()));
    let mut locked = lock(&storage, &old).await;
    assert_eq!(locked.lock.id().key, new);
    assert_eq!(refusal(&storage, &new).await, StorageErrorKind::LockTimeout);
    storage.renew(&locked.lock.id()).await.unwrap();
    let start = storage.clock().now();
    storage.touch(&old, 1, None, start + SECOND).await.unwrap();
    assert_eq!(
        read(&storage, &new).await.found().unwrap().record.meta.last_active,
        start + SECOND
    );
    let mut again = locked.record.clone();
    again.payload = "c".into();
    storage.commit(&mut locked.lock, again).await.unwrap();
    assert_eq!(payload(&storage, &new).await.as_deref(), Some("c"));

    // Without grace, another rotation ends the chain of aliases.
    let mut lock = take(&storage, &old).await;
    storage
        .rotate(&mut lock, &newer, record(&storage, "d"), Duration::ZERO)
        .await
        .unwrap();
    assert_eq!(read(&storage, &old).await, Lookup::Superseded);
    assert_eq!(read(&storage, &new).await, Lookup::Superseded);
    assert_eq!(payload(&storage, &newer).await.as_deref(), Some("d"));
}

#[tokio::test]
async fn after_the_grace_the_alias_is_a_tombstone_for_a_minute() {
    let (storage, clock) = manual_storage();
    let [old, new] = rotated_keys();
    storage.create(&old, record(&storage, "a")).await.unwrap();
    rotate(&storage, &old, &new, 10 * SECOND).await;
    clock.advance(10 * SECOND);
    assert_eq!(read(&storage, &old).await, Lookup::Superseded);
    assert_eq!(
        kind(storage.touch(&old, 1, None, storage.clock().now()).await),
        StorageErrorKind::Superseded
    );
    clock.advance(60 * SECOND - MS);
    assert_eq!(read(&storage, &old).await, Lookup::Superseded);
    clock.advance(MS);
    assert_eq!(read(&storage, &old).await, Lookup::Missing);
    assert!(read(&storage, &new).await.is_found());
    assert_eq!(storage.stats().moved, 1);
    assert_eq!(storage.sweep(10).await.unwrap(), []);
    assert_eq!(storage.stats().moved, 0);
}

#[tokio::test]
async fn aliases_chain() {
    let (storage, clock) = manual_storage();
    let keys: [_; MAX_ALIASES + 4] = rotated_keys();
    storage.create(&keys[0], record(&storage, "a")).await.unwrap();
    for pair in keys.windows(2) {
        rotate(&storage, &pair[0], &pair[1], 100 * SECOND).await;
        clock.advance(SECOND);
    }
    let last = keys[MAX_ALIASES + 3];
    for key in &keys[3..] {
        assert_eq!(read(&storage, key).await.found().unwrap().key, last);
    }
    for key in &keys[..3] {
        assert_eq!(read(&storage, key).await, Lookup::Superseded);
    }
    assert_eq!(storage.destroy(&keys[0]).await.unwrap(), Lookup::Found(()));
    assert_eq!(read(&storage, &last).await, Lookup::Missing);
    for alias in &keys[..MAX_ALIASES + 3] {
        assert_eq!(read(&storage, alias).await, Lookup::Superseded);
    }
    clock.advance(160 * SECOND);
    storage.sweep(100).await.unwrap();
    assert_eq!(storage.stats().moved, 0);
}

#[tokio::test]
async fn moved_keys_outlast_an_expired_session_swept_or_not() {
    for sweeps in [false, true] {
        let (storage, clock) = manual_storage();
        let [old, new] = rotated_keys();
        storage.create(&old, record(&storage, "a")).await.unwrap();
        let mut lock = take(&storage, &old).await;
        let ends = ending(&storage, "b", 5 * SECOND);
        storage.rotate(&mut lock, &new, ends, 10 * SECOND).await.unwrap();
        for _ in 0..13 {
            clock.advance(5 * SECOND);
            if sweeps {
                storage.sweep(10).await.unwrap();
            }
            assert_eq!(read(&storage, &old).await, Lookup::Superseded);
        }
        clock.advance(5 * SECOND);
        assert_eq!(read(&storage, &old).await, Lookup::Missing);
    }
}

#[tokio::test]
async fn rotating_onto_a_taken_key_changes_nothing() {
    let (storage, clock) = manual_storage();
    let [old, taken, moved] = rotated_keys();
    storage.create(&taken, record(&storage, "t")).await.unwrap();
    rotate(&storage, &taken, &moved, Duration::ZERO).await;
    storage.create(&old, record(&storage, "a")).await.unwrap();
    let mut lock = take(&storage, &old).await;
    for key in [&moved, &taken, &old] {
        let rotated = storage.rotate(&mut lock, key, record(&storage, "x"), SECOND).await;
        assert_eq!(kind(rotated), StorageErrorKind::Exists);
    }
    assert_eq!(payload(&storage, &old).await.as_deref(), Some("a"));
    assert_eq!(payload(&storage, &moved).await.as_deref(), Some("b"));
    // The lock is still held, and the key can be used once its tombstone has expired.
    clock.advance(20 * SECOND);
    storage.renew(&lock.id()).await.unwrap();
    clock.advance(20 * SECOND);
    storage.renew(&lock.id()).await.unwrap();
    clock.advance(20 * SECOND);
    storage
        .rotate(&mut lock, &taken, record(&storage, "x"), SECOND)
        .await
        .unwrap();
    assert_eq!(payload(&storage, &old).await.as_deref(), Some("x"));
}

#[tokio::test]
async fn an_expired_record_at_the_new_key_is_removed() {
    let (storage, clock) = manual_storage();
    let [old, new] = rotated_keys();
    // Removing the expired record moves the other one to its slot, or not, by the order of creation.
    for (first, second) in [(old, new), (new, old)] {
        for key in [first, second] {
            let ends = ending(&storage, "e", if key == new { SECOND } else { 100 * SECOND });
            storage.create(&key, ends).await.unwrap();
        }
        let mut lock = take(&storage, &old).await;
        clock.advance(SECOND);
        storage
            .rotate(&mut lock, &new, record(&storage, "b"), Duration::ZERO)
            .await
            .unwrap();
        assert_eq!(payload(&storage, &new).await.as_deref(), Some("b"));
        assert_eq!(storage.stats().stored, 1);
        storage.destroy(&new).await.unwrap();
        clock.advance(100 * SECOND);
    }
}

#[tokio::test]
async fn a_late_holder_changes_nothing_after_the_rotation() {
    for (grace, refusal) in [
        (Duration::ZERO, StorageErrorKind::Superseded),
        (SECOND, StorageErrorKind::LockLost),
    ] {
        let (storage, clock) = manual_storage();
        let [old, new, other] = rotated_keys();
        storage.create(&old, record(&storage, "a")).await.unwrap();
        let mut late = take(&storage, &old).await;
        clock.advance(LEASE);
        rotate(&storage, &old, &new, grace).await;
        assert_eq!(kind(storage.commit(&mut late, record(&storage, "x")).await), refusal);
        assert_eq!(kind(storage.renew(&late.id()).await), refusal);
        assert_eq!(
            kind(storage.rotate(&mut late, &other, record(&storage, "x"), SECOND).await),
            refusal
        );
        drop(late);
        assert_eq!(payload(&storage, &new).await.as_deref(), Some("b"));
        assert_eq!(read(&storage, &other).await, Lookup::Missing);
    }
}

#[tokio::test]
async fn another_shard_is_refused() {
    let (storage, _clock) = manual_storage();
    let key = session(&storage, "a").await;
    let mut lock = take(&storage, &key).await;
    let elsewhere = loop {
        let other = new_key();
        if other.shard() != key.shard() {
            break other;
        }
    };
    let rotated = storage
        .rotate(&mut lock, &elsewhere, record(&storage, "b"), SECOND)
        .await;
    assert_eq!(kind(rotated), StorageErrorKind::Unsupported);
    assert_eq!(payload(&storage, &key).await.as_deref(), Some("a"));
}

#[tokio::test]
async fn destroy_follows_tombstones_and_aliases_that_are_over() {
    for from in 0..4 {
        let (storage, clock) = manual_storage();
        let keys: [_; 5] = rotated_keys();
        storage.create(&keys[0], record(&storage, "a")).await.unwrap();
        for (pair, grace) in keys.windows(2).zip([Duration::ZERO, SECOND, Duration::ZERO, SECOND]) {
            rotate(&storage, &pair[0], &pair[1], grace).await;
        }
        clock.advance(2 * SECOND);
        assert_eq!(storage.destroy(&keys[from]).await.unwrap(), Lookup::Found(()));
        assert_eq!(storage.stats().live, 0);
        assert_eq!(storage.stats().moved, 4, "the keys on the way stay");
        assert_eq!(storage.destroy(&keys[from]).await.unwrap(), Lookup::Superseded);
        assert_eq!(storage.destroy(&keys[4]).await.unwrap(), Lookup::Missing);
    }
}
