//! The limit in bytes is exact, refuses operations as a whole, and is freed again.

#![allow(clippy::unwrap_used, reason = "an unwrap is an assertion here")]

mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use common::*;
use sessile_core::{
    Clock, Facts, Lookup, ManualClock, Meta, Record, SessionHead, SessionKey, Storage, StorageErrorKind,
};
use sessile_memory::{MemoryStats, MemoryStorage};

const SESSION: usize = MemoryStorage::SESSION_BYTES;
const MOVED: usize = MemoryStorage::MOVED_BYTES;

fn limited(max_bytes: usize) -> (MemoryStorage, Arc<ManualClock>) {
    in_shards(128, max_bytes)
}

fn in_shards(shards: usize, max_bytes: usize) -> (MemoryStorage, Arc<ManualClock>) {
    let clock = manual_clock();
    let builder = MemoryStorage::builder().clock(Arc::clone(&clock)).sweeper(false);
    (builder.shards(shards).max_bytes(max_bytes).build(), clock)
}

/// Returns a record with a payload of so many bytes.
fn of(storage: &MemoryStorage, bytes: usize) -> Record {
    Record::new(Meta::new(storage.clock().now()), vec![b'x'; bytes])
}

async fn created(storage: &MemoryStorage, bytes: usize) -> SessionKey {
    let key = new_key();
    storage.create(&key, of(storage, bytes)).await.expect("there is room");
    key
}

async fn length(storage: &MemoryStorage, key: &SessionKey) -> usize {
    read(storage, key).await.found().expect("live").record.payload.len()
}

/// Asserts that exactly this many bytes are left: a session that takes them fits, and one that takes one more does not.
async fn assert_left(storage: &MemoryStorage, left: usize) {
    let before = storage.stats();
    let payload = left - SESSION;
    let refused = storage.create(&new_key(), of(storage, payload + 1)).await;
    assert_eq!(kind(refused), StorageErrorKind::Full);
    assert_eq!(storage.stats(), before, "a refusal changes nothing");
    let key = created(storage, payload).await;
    assert_eq!(storage.stats().bytes, before.bytes + left);
    storage.destroy(&key).await.expect("destroyed");
    assert_eq!(storage.stats(), before);
}

#[tokio::test]
async fn a_session_counts_as_its_payload_and_a_fixed_amount() {
    let (storage, _) = limited(10_000);
    assert_left(&storage, 10_000).await;
    let key = created(&storage, 1_000).await;
    assert_eq!(storage.stats().bytes, SESSION + 1_000);
    assert_left(&storage, 9_000 - SESSION).await;
    created(&storage, 0).await;
    assert_left(&storage, 9_000 - 2 * SESSION).await;
    storage.destroy(&key).await.unwrap();
    storage.destroy(&key).await.unwrap();
    assert_left(&storage, 10_000 - SESSION).await;
}

#[tokio::test]
async fn a_create_that_is_refused_for_another_reason_takes_no_room() {
    let (storage, _) = limited(10_000);
    let key = created(&storage, 1_000).await;
    for _ in 0..3 {
        let again = storage.create(&key, of(&storage, 5_000)).await;
        assert_eq!(kind(again), StorageErrorKind::Exists);
    }
    assert_left(&storage, 9_000 - SESSION).await;
}

#[tokio::test]
async fn a_commit_that_grows_too_far_is_refused_whole_and_keeps_the_lock() {
    let (storage, _) = limited(2 * SESSION + 1_000);
    let [key, other] = [created(&storage, 100).await, created(&storage, 700).await];
    let mut held = lock(&storage, &key).await;
    let refused = storage.commit(&mut held.lock, of(&storage, 301)).await.unwrap_err();
    assert_eq!(refused.kind(), StorageErrorKind::Full);
    assert_eq!(refused.operation(), "commit");
    assert!(!refused.is_retryable());
    assert_eq!(read(&storage, &key).await.found().unwrap().record, held.record);
    assert_eq!(
        refusal(&storage, &key).await,
        StorageErrorKind::LockTimeout,
        "it is held"
    );
    assert_eq!(storage.stats().bytes, 2 * SESSION + 800);

    // A payload that fits to the last byte is accepted under the same lock.
    storage.commit(&mut held.lock, of(&storage, 300)).await.unwrap();
    assert_eq!(storage.stats().bytes, 2 * SESSION + 1_000);
    assert_eq!(length(&storage, &key).await, 300);

    // A payload that does not grow is accepted although no byte is left, and one that shrinks frees bytes.
    let mut held = lock(&storage, &other).await;
    storage.commit(&mut held.lock, of(&storage, 700)).await.unwrap();
    let mut held = lock(&storage, &other).await;
    storage.commit(&mut held.lock, of(&storage, 10)).await.unwrap();
    assert_eq!(storage.stats().bytes, 2 * SESSION + 310);
    assert_left(&storage, 690).await;
}

#[tokio::test]
async fn a_commit_that_is_refused_for_another_reason_takes_no_room() {
    let (storage, clock) = limited(10_000);
    let key = created(&storage, 100).await;
    let mut late = lock(&storage, &key).await;
    clock.advance(LEASE);
    let lost = storage.commit(&mut late.lock, of(&storage, 5_000)).await;
    assert_eq!(kind(lost), StorageErrorKind::LockLost);
    assert_left(&storage, 9_900 - SESSION).await;
    storage.destroy(&key).await.unwrap();
    let gone = storage.commit(&mut late.lock, of(&storage, 5_000)).await;
    assert_eq!(kind(gone), StorageErrorKind::Gone);
    assert_left(&storage, 10_000).await;
}

#[tokio::test]
async fn a_rotation_counts_its_old_key_until_that_expires() {
    let (storage, clock) = limited(10_000);
    let [old, new, newer] = rotated_keys();
    storage.create(&old, of(&storage, 1_000)).await.unwrap();
    let mut held = lock(&storage, &old).await;
    let record = of(&storage, 2_000);
    storage.rotate(&mut held.lock, &new, record, SECOND).await.unwrap();
    assert_eq!(storage.stats().bytes, SESSION + 2_000 + MOVED);

    // One byte too many: the session does not move, and the lock is still held.
    let mut held = lock(&storage, &new).await;
    let left = 10_000 - storage.stats().bytes;
    let record = of(&storage, 2_000 + left - MOVED + 1);
    let refused = storage.rotate(&mut held.lock, &newer, record, SECOND).await;
    assert_eq!(kind(refused), StorageErrorKind::Full);
    assert_eq!(length(&storage, &new).await, 2_000);
    assert_eq!(read(&storage, &newer).await, Lookup::Missing);
    assert_left(&storage, left).await;
    let record = of(&storage, 2_000 + left - MOVED);
    storage.rotate(&mut held.lock, &newer, record, SECOND).await.unwrap();
    assert_eq!(storage.stats().bytes, 10_000);

    // Both moved keys are removed when they have expired and their bytes are needed.
    clock.advance(SECOND + Duration::from_secs(60));
    created(&storage, 2 * MOVED - SESSION).await;
    assert_eq!(storage.stats().moved, 0);
    assert_eq!(storage.stats().bytes, 10_000);
}

#[tokio::test]
async fn expired_sessions_make_room_and_live_ones_never_do() {
    let (storage, clock) = limited(3 * SESSION + 300);
    let ending = |after| {
        Record::new(
            of(&storage, 0).meta.with_deadline(Some(clock.now() + after)),
            vec![0; 100],
        )
    };
    let (short, long) = (new_key(), new_key());
    storage.create(&short, ending(SECOND)).await.unwrap();
    storage.create(&long, ending(3 * SECOND)).await.unwrap();
    let grows = created(&storage, 100).await;
    let mut held = lock(&storage, &grows).await;
    let refused = storage.commit(&mut held.lock, of(&storage, 101)).await;
    assert_eq!(kind(refused), StorageErrorKind::Full);

    clock.advance(SECOND);
    let room = 100 + SESSION + 100;
    let refused = storage.commit(&mut held.lock, of(&storage, room + 1)).await;
    assert_eq!(kind(refused), StorageErrorKind::Full);
    storage.commit(&mut held.lock, of(&storage, room)).await.unwrap();
    assert_eq!(storage.stats().stored, 2);
    assert!(read(&storage, &long).await.is_found());
    // Sweeping frees bytes as well.
    clock.advance(2 * SECOND);
    assert_eq!(storage.sweep(10).await.unwrap().len(), 1);
    assert_left(&storage, SESSION + 100).await;
}

#[tokio::test]
async fn both_limits_hold_and_neither_takes_from_the_other() {
    let builder = MemoryStorage::builder().sweeper(false).capacity(2);
    let storage = builder.max_bytes(2 * SESSION + 100).build();
    created(&storage, 60).await;
    for _ in 0..3 {
        let refused = storage.create(&new_key(), of(&storage, 41)).await;
        assert_eq!(kind(refused), StorageErrorKind::Full);
    }
    // The refusals did not count as sessions.
    let key = created(&storage, 0).await;
    for _ in 0..3 {
        let refused = storage.create(&new_key(), of(&storage, 0)).await;
        assert_eq!(kind(refused), StorageErrorKind::Full);
    }
    storage.destroy(&key).await.unwrap();
    // These refusals took no bytes.
    created(&storage, 40).await;
}

#[tokio::test]
async fn extreme_sizes_do_not_overflow() {
    let (storage, _) = limited(usize::MAX);
    let key = created(&storage, 1).await;
    let mut held = lock(&storage, &key).await;
    storage.commit(&mut held.lock, of(&storage, 2)).await.unwrap();
    let (none, _) = limited(0);
    let refused = none.create(&new_key(), of(&none, 0)).await;
    assert_eq!(kind(refused), StorageErrorKind::Full);
}

/// Creates, resizes, rotates and destroys sessions on four threads: the limit is never exceeded, no acknowledged commit
/// is lost, and the count is exact to the byte at the end.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_count_of_bytes_is_exact_under_contention() {
    contend(1).await;
    contend(64).await;
}

async fn contend(shards: usize) {
    const MAX: usize = 20_000;
    let (storage, clock) = in_shards(shards, MAX);
    let refusals = Arc::new(AtomicUsize::new(0));
    let tasks: Vec<_> = (0..8_usize)
        .map(|task| {
            let (storage, refusals) = (storage.clone(), Arc::clone(&refusals));
            tokio::spawn(async move {
                let mut size = task * 997 % 4_000;
                for round in 0..400 {
                    size = (size * 31 + 17) % 4_000;
                    let keys: [SessionKey; 2] = rotated_keys();
                    let mut key = keys[0];
                    if let Err(error) = storage.create(&key, of(&storage, size)).await {
                        assert_eq!(error.kind(), StorageErrorKind::Full);
                        refusals.fetch_add(1, Ordering::Relaxed);
                        continue;
                    }
                    let mut stored = size;
                    for step in 0..4 {
                        tokio::task::yield_now().await;
                        size = (size * 31 + 17) % 4_000;
                        let mut held = lock(&storage, &key).await;
                        assert_eq!(held.record.payload.len(), stored, "an acknowledged size is lost");
                        let record = of(&storage, size);
                        let done = if step == 2 && key == keys[0] {
                            let rotated = storage.rotate(&mut held.lock, &keys[1], record, Duration::ZERO).await;
                            rotated.map(|()| key = keys[1])
                        } else {
                            storage.commit(&mut held.lock, record).await
                        };
                        match done {
                            Ok(()) => stored = size,
                            Err(error) => {
                                assert_eq!(error.kind(), StorageErrorKind::Full);
                                refusals.fetch_add(1, Ordering::Relaxed);
                            }
                        }
                        assert!(
                            storage.stats().bytes <= 2 * MAX,
                            "shards are counted one after the other"
                        );
                    }
                    if round % 5 > 0 || stored > 300 {
                        assert_eq!(storage.destroy(&key).await.unwrap(), Lookup::Found(()));
                    }
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    assert!(refusals.load(Ordering::Relaxed) > 0, "there was room for all");
    clock.advance(Duration::from_secs(60));
    storage.sweep(1).await.unwrap();
    let mut cursor = None;
    loop {
        let page = storage.scan(cursor, 10).await.unwrap();
        for SessionHead { key, .. } in page.sessions {
            storage.destroy(&key).await.unwrap();
        }
        cursor = page.next;
        if cursor.is_none() {
            break;
        }
    }
    assert_eq!(storage.stats(), MemoryStats::default());
    assert_left(&storage, MAX).await;
}

/// Lets sixteen commits compete for the last bytes, which are enough for three.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_last_bytes_are_given_out_once() {
    for _ in 0..50 {
        let (storage, _) = limited(16 * (SESSION + 10) + 3 * 100);
        let mut keys = Vec::new();
        for _ in 0..16 {
            keys.push(created(&storage, 10).await);
        }
        let start = Arc::new(tokio::sync::Barrier::new(16));
        let tasks: Vec<_> = keys
            .iter()
            .map(|&key| {
                let (storage, start) = (storage.clone(), Arc::clone(&start));
                tokio::spawn(async move {
                    let mut held = lock(&storage, &key).await;
                    start.wait().await;
                    storage.commit(&mut held.lock, of(&storage, 110)).await.is_ok()
                })
            })
            .collect();
        let mut grown = 0;
        for task in tasks {
            grown += usize::from(task.await.unwrap());
        }
        assert_eq!(grown, 3);
        assert_eq!(storage.stats().bytes, 16 * (SESSION + 10) + 300);
    }
}

/// Facts count as well: they can be longer than the payload.
#[tokio::test]
async fn facts_count_and_are_freed() {
    let facts = Facts::from_bytes(b"\x01\x03ada").expect("an owner");
    let counted = 32 + facts.as_bytes().len();
    let (storage, _) = limited(SESSION + 10 + counted);
    let key = created(&storage, 10).await;
    for more in [0, 1] {
        let mut held = lock(&storage, &key).await;
        let mut record = of(&storage, 10 + more);
        record.meta.facts = facts.clone();
        let committed = storage.commit(&mut held.lock, record).await;
        assert_eq!(committed.is_ok(), more == 0, "{committed:?}");
        drop(held);
        assert_eq!(storage.stats().bytes, SESSION + 10 + counted);
    }
    let known = read(&storage, &key).await.found().expect("live");
    assert_eq!(known.record.meta.facts, facts);
    assert!(storage.replace(&known, of(&storage, 10 + counted)).await.expect("room"));
    assert_eq!(storage.stats().bytes, SESSION + 10 + counted);
    storage.destroy(&key).await.expect("done");
    let mut record = of(&storage, 10);
    record.meta.facts = facts;
    storage
        .create(&new_key(), record.clone())
        .await
        .expect("the room is free again");
    let refused = storage.create(&new_key(), record).await;
    assert_eq!(refused.expect_err("it is full").kind(), StorageErrorKind::Full);
}
