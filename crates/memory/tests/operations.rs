//! The promises of each operation, sentence by sentence, for one caller at a time.

mod common;

use std::time::Duration;

use common::*;
use sessile_core::{Lookup, Meta, Record, Storage, StorageErrorKind, Timestamp};
use sessile_memory::MemoryStorage;

#[test]
fn the_default_clock_is_a_steady_one() {
    let clock = format!("{:?}", MemoryStorage::new().clock());
    assert!(clock.starts_with("SteadyClock"), "{clock}");
}

#[tokio::test]
async fn it_is_named_and_has_the_clock_it_was_given() {
    let (storage, clock) = manual_storage();
    assert_eq!(storage.name(), "memory");
    clock.advance(SECOND);
    assert_eq!(storage.clock().now().as_millis(), 1_001_000);
}

#[tokio::test]
async fn a_record_is_read_as_it_was_created() {
    let storage = MemoryStorage::new();
    let key = new_key();
    let mut meta = Meta::new(Timestamp::from_millis(5));
    meta.last_active = Timestamp::from_millis(7);
    meta.version = 9;
    meta.deadline = Some(Timestamp::MAX);
    for payload in [vec![], vec![0, 255, 254], vec![7; 1 << 20]] {
        let key = new_key();
        let record = Record::new(meta.clone(), payload);
        storage.create(&key, record.clone()).await.unwrap();
        let stored = read(&storage, &key).await.found().unwrap();
        assert_eq!((stored.key, stored.record), (key, record));
    }
    assert_eq!(read(&storage, &key).await, Lookup::Missing);
}

#[tokio::test]
async fn clones_share_their_sessions() {
    let storage = MemoryStorage::default();
    let key = session(&storage.clone(), "a").await;
    assert_eq!(payload(&storage, &key).await.as_deref(), Some("a"));
}

#[tokio::test]
async fn reading_takes_no_lock_and_waits_for_none() {
    let storage = tokio_storage();
    let key = session(&storage, "a").await;
    let held = take(&storage, &key).await;
    assert_eq!(payload(&storage, &key).await.as_deref(), Some("a"));
    drop(held);
    read(&storage, &key).await.found().unwrap();
    assert_free(&storage, &key).await;
}

#[tokio::test]
async fn create_refuses_a_taken_key_and_changes_nothing() {
    let (storage, clock) = manual_storage();
    let [old, new] = rotated_keys();
    storage.create(&old, record(&storage, "first")).await.unwrap();
    let refused = storage.create(&old, record(&storage, "second")).await;
    assert_eq!(kind(refused), StorageErrorKind::Exists);
    assert_eq!(payload(&storage, &old).await.as_deref(), Some("first"));

    let mut lock = take(&storage, &old).await;
    storage
        .rotate(&mut lock, &new, record(&storage, "moved"), SECOND)
        .await
        .unwrap();
    // The key is an alias, then a tombstone, then free.
    assert_eq!(
        kind(storage.create(&old, record(&storage, "x")).await),
        StorageErrorKind::Exists
    );
    clock.advance(2 * SECOND);
    assert_eq!(
        kind(storage.create(&old, record(&storage, "x")).await),
        StorageErrorKind::Exists
    );
    assert_eq!(read(&storage, &old).await, Lookup::Superseded);
    clock.advance(60 * SECOND);
    storage.create(&old, record(&storage, "again")).await.unwrap();
    assert_eq!(payload(&storage, &old).await.as_deref(), Some("again"));
    assert_eq!(payload(&storage, &new).await.as_deref(), Some("moved"));
}

#[tokio::test]
async fn commit_replaces_the_record_and_releases_the_lock() {
    let (storage, _clock) = manual_storage();
    let key = session(&storage, "a").await;
    let mut lock = take(&storage, &key).await;
    storage.commit(&mut lock, record(&storage, "b")).await.unwrap();
    assert!(format!("{lock:?}").contains("disarmed: true"));
    assert_eq!(payload(&storage, &key).await.as_deref(), Some("b"));
    let next = take(&storage, &key).await;
    drop(lock);
    assert_eq!(
        refusal(&storage, &key).await,
        StorageErrorKind::LockTimeout,
        "a disarmed guard released the lock of another"
    );
    drop(next);
}

#[tokio::test]
async fn a_lock_comes_with_the_record_it_protects() {
    let (storage, _clock) = manual_storage();
    let key = session(&storage, "a").await;
    let locked = lock(&storage, &key).await;
    assert_eq!(locked.record, record(&storage, "a"));
    assert_eq!(locked.lock.id().key, key);
    assert_eq!(locked.lock.lease(), LEASE);
}

#[tokio::test]
async fn no_two_locks_have_the_same_token() {
    let (storage, _clock) = manual_storage();
    let mut tokens = std::collections::HashSet::new();
    for _ in 0..50 {
        let key = session(&storage, "a").await;
        for _ in 0..20 {
            assert!(tokens.insert(take(&storage, &key).await.id().token));
        }
    }
}

#[tokio::test]
async fn an_operation_without_its_lock_changes_nothing() {
    let (storage, clock) = manual_storage();
    let key = session(&storage, "a").await;
    let mut late = take(&storage, &key).await;
    clock.advance(LEASE);
    let check = async |late: &mut sessile_core::Lock| {
        let [_, other] = rotated_keys::<2>();
        assert_eq!(
            kind(storage.commit(late, record(&storage, "b")).await),
            StorageErrorKind::LockLost
        );
        assert_eq!(kind(storage.renew(&late.id()).await), StorageErrorKind::LockLost);
        let rotated = storage.rotate(late, &other, record(&storage, "b"), SECOND).await;
        assert_eq!(kind(rotated), StorageErrorKind::Unsupported, "another shard");
        assert!(format!("{late:?}").contains("disarmed: false"));
        assert_eq!(payload(&storage, &key).await.as_deref(), Some("a"));
    };
    // The lease is over: first without a later holder, then with one.
    check(&mut late).await;
    let next = take(&storage, &key).await;
    check(&mut late).await;
    drop(late);
    assert_eq!(refusal(&storage, &key).await, StorageErrorKind::LockTimeout);
    drop(next);
    assert_free(&storage, &key).await;
}

#[tokio::test]
async fn a_late_rotation_is_refused() {
    let (storage, clock) = manual_storage();
    let [old, new] = rotated_keys();
    storage.create(&old, record(&storage, "a")).await.unwrap();
    let mut late = take(&storage, &old).await;
    clock.advance(LEASE);
    let rotated = storage.rotate(&mut late, &new, record(&storage, "b"), SECOND).await;
    assert_eq!(kind(rotated), StorageErrorKind::LockLost);
    assert_eq!(read(&storage, &new).await, Lookup::Missing);
    assert_eq!(payload(&storage, &old).await.as_deref(), Some("a"));
}

#[tokio::test]
async fn a_lease_ends_on_time_and_not_earlier() {
    let (storage, clock) = manual_storage();
    let key = session(&storage, "a").await;
    let mut lock = take(&storage, &key).await;
    clock.advance(LEASE - MS);
    assert_eq!(refusal(&storage, &key).await, StorageErrorKind::LockTimeout);
    storage.renew(&lock.id()).await.unwrap();
    clock.advance(LEASE - MS);
    storage.commit(&mut lock, record(&storage, "b")).await.unwrap();

    let _late = take(&storage, &key).await;
    clock.advance(LEASE);
    assert_free(&storage, &key).await;
}

#[tokio::test]
async fn a_clock_that_is_set_back_does_not_make_a_lease_longer() {
    let (storage, clock) = manual_storage();
    let key = session(&storage, "a").await;
    clock.advance(10_000 * SECOND);
    let _crashed = take(&storage, &key).await;
    clock.set(Timestamp::from_millis(1_000_000));
    assert_eq!(refusal(&storage, &key).await, StorageErrorKind::LockTimeout);
    clock.advance(LEASE);
    assert_free(&storage, &key).await;
}

/// A payload of some length that uses the storage when it is dropped.
struct Reentrant(MemoryStorage, usize);

impl AsRef<[u8]> for Reentrant {
    fn as_ref(&self) -> &[u8] {
        &[b'x'; 1_000][..self.1]
    }
}

impl Drop for Reentrant {
    fn drop(&mut self) {
        let _ = self.0.stats();
    }
}

#[test]
fn payloads_are_dropped_outside_of_the_mutex() {
    // Under the mutex, the thread would deadlock.
    let (done, finished) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        // A short payload is copied, so its buffer is dropped at the point where a longer one would be stored.
        for lengths in [[1_000; 2], [4; 2], [4, 1_000], [1_000, 4]] {
            runtime.block_on(drop_payloads_in_every_way(lengths));
        }
        done.send(()).unwrap();
    });
    finished.recv_timeout(20 * SECOND).expect("it does not deadlock");
}

/// Runs all operations with payloads of alternating lengths.
async fn drop_payloads_in_every_way(lengths: [usize; 2]) {
    let clock = manual_clock();
    let storage = MemoryStorage::builder()
        .clock(clock.clone())
        .shards(1)
        .sweeper(false)
        .build();
    let mut lengths = lengths.into_iter().cycle();
    let mut reentrant = |after: u32| {
        let mut record = ending(&storage, "", after * SECOND);
        record.payload = bytes::Bytes::from_owner(Reentrant(storage.clone(), lengths.next().expect("they go on")));
        record
    };
    let [key, new, newer] = rotated_keys();
    storage.create(&key, reentrant(1)).await.expect("done");
    storage.create(&key, reentrant(1)).await.expect_err("refused");
    clock.advance(SECOND);
    storage.create(&key, reentrant(2)).await.expect("done");
    let mut lock = take(&storage, &key).await;
    storage.commit(&mut lock, reentrant(2)).await.expect("done");
    storage.commit(&mut lock, reentrant(2)).await.expect_err("refused");
    let known = read(&storage, &key).await.found().expect("it is there");
    assert!(storage.replace(&known, reentrant(3)).await.expect("done"));
    assert!(!storage.replace(&known, reentrant(2)).await.expect("refused"));
    storage.create(&new, reentrant(1)).await.expect("done");
    let mut lock = take(&storage, &key).await;
    clock.advance(SECOND);
    storage
        .rotate(&mut lock, &new, reentrant(1), SECOND)
        .await
        .expect("done");
    storage
        .rotate(&mut lock, &newer, reentrant(1), SECOND)
        .await
        .expect_err("refused");
    storage.destroy(&new).await.expect("done");
    storage.create(&newer, reentrant(1)).await.expect("done");
    clock.advance(SECOND);
    assert_eq!(storage.sweep(1).await.expect("done").len(), 1);
}

#[tokio::test]
async fn payloads_of_every_length_are_kept_as_they_are() {
    let (storage, clock) = manual_storage();
    // A payload of this length that differs from all others of this length.
    let record = |length: usize, fill: u8| {
        let mut record = ending(&storage, "", SECOND);
        let bytes: Vec<_> = (0..length).map(|at| fill.wrapping_add(at as u8)).collect();
        record.payload = bytes.into();
        record
    };
    let lengths = [0, 1, 65, 77, 78, 79, 80, 128, 255, 256, 257, 300, 342, 5_000];
    for from in lengths {
        for to in lengths {
            let key = new_key();
            let [first, second, third] = [(from, 1), (to, 2), (from, 3)].map(|(length, fill)| record(length, fill));
            storage.create(&key, first.clone()).await.unwrap();
            let known = read(&storage, &key).await.found().unwrap();
            assert_eq!(known.record, first);
            assert!(storage.replace(&known, second.clone()).await.unwrap());
            let mut held = lock(&storage, &key).await;
            assert_eq!(held.record, second);
            storage.commit(&mut held.lock, third.clone()).await.unwrap();
            let bytes = MemoryStorage::SESSION_BYTES + from;
            assert_eq!((storage.stats().stored, storage.stats().bytes), (1, bytes));
            clock.advance(SECOND);
            let swept = storage.sweep(10).await.unwrap();
            assert_eq!((swept[0].key, &swept[0].record), (key, &third));
            // The payload of a reader outlives its entry.
            assert_eq!(known.record, first);
        }
    }
}

#[tokio::test]
async fn release_writes_nothing_and_is_no_error_when_the_lock_is_lost() {
    let (storage, clock) = manual_storage();
    let key = session(&storage, "a").await;
    storage.release(take(&storage, &key).await).await.unwrap();
    let late = take(&storage, &key).await;
    clock.advance(LEASE);
    let holder = take(&storage, &key).await;
    storage.release(late).await.unwrap();
    assert_eq!(
        refusal(&storage, &key).await,
        StorageErrorKind::LockTimeout,
        "released the lock of another"
    );
    drop(holder);
    assert_eq!(payload(&storage, &key).await.as_deref(), Some("a"));
    let orphan = take(&storage, &key).await;
    storage.destroy(&key).await.unwrap();
    storage.release(orphan).await.unwrap();
    assert_eq!(storage.stats().stored, 0);
}

#[tokio::test]
async fn a_deadline_is_the_first_moment_without_the_record_for_every_operation() {
    let (storage, clock) = manual_storage();
    let [key, other] = rotated_keys();
    storage.create(&key, ending(&storage, "a", 10 * SECOND)).await.unwrap();
    let mut lock = take(&storage, &key).await;
    clock.advance(10 * SECOND - MS);
    assert!(read(&storage, &key).await.is_found());
    clock.advance(MS);

    assert_eq!(read(&storage, &key).await, Lookup::Missing);
    assert!(matches!(storage.lock(&key, SECOND).await, Ok(Lookup::Missing)));
    assert_eq!(
        kind(storage.commit(&mut lock, record(&storage, "b")).await),
        StorageErrorKind::Gone
    );
    let rotated = storage.rotate(&mut lock, &other, record(&storage, "b"), SECOND).await;
    assert_eq!(kind(rotated), StorageErrorKind::Gone);
    assert_eq!(kind(storage.renew(&lock.id()).await), StorageErrorKind::Gone);
    let now = storage.clock().now();
    assert_eq!(kind(storage.touch(&key, 1, None, now).await), StorageErrorKind::Gone);
    assert_eq!(storage.destroy(&key).await.unwrap(), Lookup::Missing);
    assert_eq!(storage.scan(None, 10).await.unwrap().sessions, []);
    assert_eq!(storage.stats().live, 0);
    storage.create(&key, record(&storage, "new")).await.unwrap();
    assert_eq!(payload(&storage, &key).await.as_deref(), Some("new"));
    drop(lock);
    assert_free(&storage, &key).await;
}

#[tokio::test]
async fn touching_moves_deadline_and_activity_forward_and_nothing_else() {
    let (storage, clock) = manual_storage();
    let key = new_key();
    let start = storage.clock().now();
    storage.create(&key, ending(&storage, "a", 10 * SECOND)).await.unwrap();
    let _held = take(&storage, &key).await;
    let meta = async || read(&storage, &key).await.found().unwrap().record.meta;

    storage
        .touch(&key, 1, Some(start + 20 * SECOND), start + SECOND)
        .await
        .unwrap();
    assert_eq!(
        (meta().await.deadline, meta().await.last_active),
        (Some(start + 20 * SECOND), start + SECOND)
    );
    storage.touch(&key, 1, Some(start + 5 * SECOND), start).await.unwrap();
    assert_eq!(
        (meta().await.deadline, meta().await.last_active),
        (Some(start + 20 * SECOND), start + SECOND)
    );
    assert_eq!((meta().await.version, meta().await.created_at), (1, start));
    assert_eq!(payload(&storage, &key).await.as_deref(), Some("a"));

    // A later deadline holds, and so does none at all.
    clock.advance(19 * SECOND);
    assert_eq!(storage.sweep(10).await.unwrap(), []);
    storage.touch(&key, 1, None, start).await.unwrap();
    storage.touch(&key, 1, Some(start + 30 * SECOND), start).await.unwrap();
    assert_eq!(meta().await.deadline, None);
    clock.advance(1_000_000 * SECOND);
    assert_eq!(storage.sweep(10).await.unwrap(), []);
    assert!(read(&storage, &key).await.is_found());
}

#[tokio::test]
async fn touching_revives_nothing() {
    let (storage, _clock) = manual_storage();
    let now = storage.clock().now();
    let [old, new] = rotated_keys();
    assert_eq!(kind(storage.touch(&old, 1, None, now).await), StorageErrorKind::Gone);
    storage.create(&old, record(&storage, "a")).await.unwrap();
    let mut lock = take(&storage, &old).await;
    storage
        .rotate(&mut lock, &new, record(&storage, "b"), Duration::ZERO)
        .await
        .unwrap();
    assert_eq!(
        kind(storage.touch(&old, 1, None, now).await),
        StorageErrorKind::Superseded
    );
    storage.destroy(&new).await.unwrap();
    assert_eq!(kind(storage.touch(&new, 1, None, now).await), StorageErrorKind::Gone);
    assert_eq!(read(&storage, &new).await, Lookup::Missing);
}

#[tokio::test]
async fn destroy_removes_a_locked_record_and_may_be_repeated() {
    let (storage, _clock) = manual_storage();
    let [key, other] = rotated_keys();
    storage.create(&key, record(&storage, "a")).await.unwrap();
    let mut lock = take(&storage, &key).await;
    assert_eq!(storage.destroy(&key).await.unwrap(), Lookup::Found(()));
    assert_eq!(storage.destroy(&key).await.unwrap(), Lookup::Missing);
    // A late operation does not bring the session back.
    assert_eq!(
        kind(storage.commit(&mut lock, record(&storage, "b")).await),
        StorageErrorKind::Gone
    );
    let rotated = storage.rotate(&mut lock, &other, record(&storage, "b"), SECOND).await;
    assert_eq!(kind(rotated), StorageErrorKind::Gone);
    assert_eq!(kind(storage.renew(&lock.id()).await), StorageErrorKind::Gone);
    drop(lock);
    assert_eq!(read(&storage, &key).await, Lookup::Missing);
    assert_eq!(read(&storage, &other).await, Lookup::Missing);
    assert_eq!(storage.stats().stored, 0);
}

#[tokio::test]
async fn an_unknown_key_leaves_nothing_behind() {
    let storage = tokio_storage();
    for _ in 0..1_000 {
        let key = new_key();
        assert!(matches!(storage.lock(&key, SECOND).await, Ok(Lookup::Missing)));
        assert_eq!(read(&storage, &key).await, Lookup::Missing);
        assert_eq!(storage.destroy(&key).await.unwrap(), Lookup::Missing);
    }
    assert_eq!(storage.stats(), MemoryStorage::new().stats());
}

#[tokio::test]
async fn sweeping_returns_each_expired_record_once_and_no_more_than_the_limit() {
    let (storage, clock) = manual_storage();
    let mut expected = std::collections::HashSet::new();
    for _ in 0..300 {
        let key = new_key();
        storage.create(&key, ending(&storage, "a", SECOND)).await.unwrap();
        expected.insert(key);
        storage
            .create(&new_key(), ending(&storage, "b", 2 * SECOND))
            .await
            .unwrap();
        session(&storage, "c").await;
    }
    clock.advance(SECOND - MS);
    assert_eq!(storage.sweep(1_000).await.unwrap(), []);
    clock.advance(MS);
    assert_eq!(storage.sweep(0).await.unwrap(), []);
    loop {
        let swept = storage.sweep(7).await.unwrap();
        assert!(swept.len() <= 7);
        if swept.is_empty() {
            break;
        }
        for stored in swept {
            assert_eq!(stored.record.payload, "a");
            assert!(expected.remove(&stored.key), "returned twice, or never created");
        }
    }
    assert!(expected.is_empty());
    assert_eq!((storage.stats().stored, storage.stats().live), (600, 600));
}

#[tokio::test]
async fn a_session_whose_deadline_moved_on_is_not_swept_early() {
    let (storage, clock) = manual_storage();
    let key = new_key();
    storage.create(&key, ending(&storage, "a", SECOND)).await.unwrap();
    for _ in 0..5 {
        clock.advance(SECOND - MS);
        let mut lock = take(&storage, &key).await;
        storage.commit(&mut lock, ending(&storage, "a", SECOND)).await.unwrap();
        assert_eq!(storage.sweep(10).await.unwrap(), []);
    }
    clock.advance(SECOND);
    assert_eq!(storage.sweep(10).await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_deadline_can_be_brought_forward_by_a_commit() {
    let (storage, clock) = manual_storage();
    let mut keys = Vec::new();
    for _ in 0..100 {
        let key = new_key();
        storage.create(&key, ending(&storage, "a", 100 * SECOND)).await.unwrap();
        keys.push(key);
    }
    let mut lock = take(&storage, &keys[42]).await;
    storage.commit(&mut lock, ending(&storage, "a", SECOND)).await.unwrap();
    clock.advance(SECOND);
    let swept = storage.sweep(10).await.unwrap();
    assert_eq!(swept.iter().map(|stored| stored.key).collect::<Vec<_>>(), [keys[42]]);
}

#[tokio::test]
async fn errors_name_the_operation_and_the_storage() {
    let (storage, _clock) = manual_storage();
    let key = session(&storage, "a").await;
    let error = storage.create(&key, record(&storage, "b")).await.unwrap_err();
    assert_eq!((error.storage(), error.operation()), ("memory", "create"));
}

#[tokio::test]
async fn a_full_storage_makes_room_by_expired_sessions_only() {
    let clock = manual_clock();
    let storage = MemoryStorage::builder()
        .clock(clock.clone())
        .capacity(3)
        .sweeper(false)
        .build();
    let kept = session(&storage, "a").await;
    storage.create(&new_key(), ending(&storage, "b", SECOND)).await.unwrap();
    let third = session(&storage, "c").await;
    assert_eq!(
        kind(storage.create(&new_key(), record(&storage, "d")).await),
        StorageErrorKind::Full
    );
    // Neither a lock nor a refused record counts.
    drop(take(&storage, &kept).await);
    clock.advance(SECOND);
    session(&storage, "d").await;
    assert_eq!(
        kind(storage.create(&new_key(), record(&storage, "e")).await),
        StorageErrorKind::Full
    );
    storage.destroy(&third).await.unwrap();
    assert_eq!(
        kind(storage.create(&kept, record(&storage, "f")).await),
        StorageErrorKind::Exists
    );
    session(&storage, "e").await;
    assert_eq!(
        kind(storage.create(&new_key(), record(&storage, "f")).await),
        StorageErrorKind::Full
    );
    assert_eq!(storage.stats().stored, 3);
    assert_eq!(payload(&storage, &kept).await.as_deref(), Some("a"));
}
