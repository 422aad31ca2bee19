//! The exact number of allocations for each operation, and the bytes for each session.

#![allow(clippy::unwrap_used, reason = "an unwrap is an assertion here")]

mod common;

use std::alloc::System;
use std::sync::Arc;
use std::task::{Context, Waker};
use std::time::{Duration, Instant};

use bytes::Bytes;
use common::{MS, SECOND, manual_clock, new_id, new_key};
use sessile_core::{Clock, Facts, Meta, OsEntropy, Record, SessionHead, Storage};
use sessile_memory::MemoryStorage;
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// Counts the allocations of a thousand rounds of `work`.
async fn allocations(mut work: impl AsyncFnMut()) -> usize {
    // One round in advance allocates what is kept for the next ones.
    work().await;
    let region = Region::new(ALLOCATOR);
    for _ in 0..1_000 {
        work().await;
    }
    let change = region.change();
    change.allocations + change.reallocations
}

fn heap_bytes() -> usize {
    let stats = ALLOCATOR.stats();
    stats.bytes_allocated - stats.bytes_deallocated
}

/// Replaces the usual harness, whose threads would be counted too.
fn main() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap();
    runtime.block_on(each_operation_allocates_the_box_of_its_future_and_the_copy_of_a_payload());
    runtime.block_on(a_storage_without_sessions_is_small());
    runtime.block_on(waiting_leaves_nothing_behind());
    runtime.block_on(a_session_takes_no_more_than_it_counts());
    runtime.block_on(a_moved_key_takes_no_more_than_it_counts());
    runtime.block_on(a_session_takes_at_most_250_bytes_and_they_are_freed_without_any_access());
}

/// A payload inside an entry is copied for its readers, which is one allocation. A longer one is shared with them.
async fn each_operation_allocates_the_box_of_its_future_and_the_copy_of_a_payload() {
    for (payload, copies) in [(payload(), 1_000), (Bytes::from(vec![b'x'; 1_000]), 0)] {
        let storage = MemoryStorage::builder().sweeper(false).capacity(1_000).build();
        let now = storage.clock().now();
        let meta = || Meta::new(now).with_deadline(Some(now + 3_600 * SECOND));
        let record = || Record::new(meta(), payload.clone());
        let (key, new) = (new_key(), new_key());
        storage.create(&key, record()).await.unwrap();

        let read = async || drop(storage.read(&key).await.unwrap().found().unwrap());
        assert_eq!(allocations(read).await, 1_000 + copies);

        let read_modify_write = async || {
            let mut locked = storage.lock(&key, SECOND).await.unwrap().found().unwrap();
            locked.record.payload = payload.clone();
            storage.commit(&mut locked.lock, locked.record).await.unwrap();
        };
        assert_eq!(allocations(read_modify_write).await, 2_000 + copies);

        let lock_and_drop = async || drop(storage.lock(&key, SECOND).await.unwrap().found().unwrap());
        assert_eq!(allocations(lock_and_drop).await, 1_000 + copies);

        let touch = async || assert!(storage.touch(&key, 1, Some(now + 3_600 * SECOND), now).await.unwrap());
        assert_eq!(allocations(touch).await, 1_000);

        let unknown = async || drop(storage.lock(&new, SECOND).await.unwrap());
        assert_eq!(allocations(unknown).await, 1_000);

        let create_and_destroy = async || {
            storage.create(&new, record()).await.unwrap();
            storage.destroy(&new).await.unwrap().found().unwrap();
        };
        assert_eq!(allocations(create_and_destroy).await, 2_000);

        // The plain functions have no future to box.
        let immediate = storage.immediate().unwrap();
        let read = async || drop(immediate.read(&key).unwrap().0.found().unwrap());
        assert_eq!(allocations(read).await, copies);

        let read_modify_write = async || {
            let mut locked = immediate.lock(&key).unwrap().unwrap().0.found().unwrap();
            locked.record.payload = payload.clone();
            immediate.commit(&mut locked.lock, locked.record).unwrap();
        };
        assert_eq!(allocations(read_modify_write).await, copies);

        let read_and_replace = async || {
            let known = immediate.read(&key).unwrap().0.found().unwrap();
            assert!(immediate.replace(&known, record()).unwrap());
        };
        assert_eq!(allocations(read_and_replace).await, copies);

        let create_and_destroy = async || {
            immediate.create(&new, record()).unwrap();
            storage.destroy(&new).await.unwrap().found().unwrap();
        };
        assert_eq!(allocations(create_and_destroy).await, 1_000);
    }
}

/// Measures a storage before its first session, and after every shard has had some.
async fn a_storage_without_sessions_is_small() {
    let before = heap_bytes();
    let storage = MemoryStorage::builder().sweeper(false).shards(128).build();
    let unused = heap_bytes() - before;
    let keys: Vec<_> = (0..2_000).map(|_| new_key()).collect();
    let payload = payload();
    let now = storage.clock().now();
    let filled = heap_bytes();
    for key in &keys {
        let meta = Meta::new(now).with_deadline(Some(now + SECOND));
        storage.create(key, Record::new(meta, payload.clone())).await.unwrap();
    }
    for key in &keys {
        storage.destroy(key).await.unwrap().found().unwrap();
    }
    let kept = heap_bytes() - filled;
    println!("{unused} bytes for a storage, and {kept} bytes kept by one that was emptied");
    assert!(unused <= 64 << 10, "{unused} bytes for no session");
    assert!(kept <= 72 << 10, "{kept} bytes kept for no session");
}

async fn waiting_leaves_nothing_behind() {
    let storage = MemoryStorage::builder().sweeper(false).build();
    let key = new_key();
    let record = Record::new(Meta::new(storage.clock().now()), payload());
    storage.create(&key, record).await.unwrap();
    let before = heap_bytes();
    for is_taken_up in [true, false] {
        let held = storage.lock(&key, SECOND).await.unwrap().found().unwrap();
        let mut waiters: Vec<_> = (0..100).map(|_| storage.lock(&key, SECOND)).collect();
        for waiter in &mut waiters {
            assert!(
                waiter
                    .as_mut()
                    .poll(&mut Context::from_waker(Waker::noop()))
                    .is_pending()
            );
        }
        assert_eq!(storage.stats().waiters, 100);
        drop(held);
        if is_taken_up {
            for waiter in waiters {
                drop(waiter.await.unwrap().found().unwrap());
            }
        } else {
            drop(waiters);
        }
        assert_eq!(storage.stats().waiters, 0);
    }
    assert!(heap_bytes() <= before, "{} bytes more", heap_bytes() - before);
}

/// Returns the payload of a small session, in a vector without spare capacity.
fn payload() -> Bytes {
    Bytes::from(vec![b'x'; 65])
}

/// Checks every number of sessions, as their containers grow in steps, with three payloads: none, the longest that lies
/// in an entry, and one that lies outside and has been read; and with facts, the shortest and the longest.
async fn a_session_takes_no_more_than_it_counts() {
    /// The largest spare capacity of a shard.
    const KEPT: usize = 64 * 192;
    let longest = Facts::from_bytes(&[&[0x63, 0xfd, 0x07][..], &[0; Facts::MAX_LEN - 3]].concat()).unwrap();
    let shortest = Facts::from_bytes(b"\x63\x00").unwrap();
    let none = |length| (length, Facts::NONE, 0);
    for (length, facts, counted_of_facts) in [
        none(0),
        none(78),
        none(79),
        (78, shortest, 32 + 2),
        (79, longest, 32 + Facts::MAX_LEN),
    ] {
        let storage = MemoryStorage::builder().sweeper(false).shards(1).build();
        let before = heap_bytes();
        let now = storage.clock().now();
        for number in 1_u32..=20_000 {
            // Facts of their own, as each session has them.
            let facts = Facts::from_bytes(facts.as_bytes()).unwrap();
            let meta = Meta::new(now).with_deadline(Some(now + number * MS)).with_facts(facts);
            let key = new_key();
            let record = Record::new(meta, vec![b'x'; length]);
            storage.create(&key, record).await.unwrap();
            storage.read(&key).await.unwrap().found().unwrap();
            let taken = heap_bytes() - before;
            let counted = number as usize * (MemoryStorage::SESSION_BYTES + length + counted_of_facts);
            assert!(
                taken <= counted + KEPT,
                "{number} of {length}: {taken} bytes are allocated, and {counted} are counted"
            );
        }
    }
}

/// Checks every number of moved keys, as their containers grow in steps.
async fn a_moved_key_takes_no_more_than_it_counts() {
    let storage = MemoryStorage::builder().sweeper(false).shards(1).build();
    let before = heap_bytes();
    let record = || Record::new(Meta::new(storage.clock().now()), payload());
    let mut id = new_id();
    let mut key = id.key();
    storage.create(&key, record()).await.unwrap();
    for moved in 1..=20_000 {
        let mut locked = storage.lock(&key, SECOND).await.unwrap().found().unwrap();
        id = id.rotated(&OsEntropy);
        key = id.key();
        storage.rotate(&mut locked.lock, &key, record(), SECOND).await.unwrap();
        drop(locked);
        let (taken, counted) = (heap_bytes() - before, storage.stats().bytes);
        if moved >= 100 {
            assert!(
                taken <= counted,
                "{moved}: {taken} bytes are allocated, and {counted} are counted"
            );
        }
    }
}

async fn a_session_takes_at_most_250_bytes_and_they_are_freed_without_any_access() {
    const SESSIONS: usize = 1_000_000;
    let start = heap_bytes();
    let clock = manual_clock();
    let storage = MemoryStorage::builder().clock(Arc::clone(&clock)).shards(128).build();
    let now = clock.now();
    for number in 0..SESSIONS {
        // Deadlines within one second, in no order.
        let spread = Duration::from_millis((number as u64 * 7_919) % 1_000);
        let meta = Meta::new(now).with_deadline(Some(now + SECOND + spread));
        storage.create(&new_key(), Record::new(meta, payload())).await.unwrap();
    }
    assert_eq!((storage.stats().live, storage.stats().stored), (SESSIONS, SESSIONS));
    println!("{} bytes a session", (heap_bytes() - start) / SESSIONS);
    // The copies for readers do not stay.
    let mut cursor = None;
    loop {
        let page = storage.scan(cursor, 1_000).await.unwrap();
        for SessionHead { key, .. } in page.sessions {
            storage.read(&key).await.unwrap().found().unwrap();
        }
        cursor = page.next;
        if cursor.is_none() {
            break;
        }
    }
    let full = heap_bytes() - start;
    println!("{} bytes a session, once it was read", full / SESSIONS);
    assert!(full / SESSIONS <= 250, "{} bytes a session", full / SESSIONS);
    let counted = storage.stats().bytes;
    assert!(full <= counted, "{full} bytes are allocated, and {counted} are counted");

    // The sweeper sleeps until the first deadline, and finds that the last one has passed by the clock.
    clock.advance(2 * SECOND);
    let patience = Instant::now() + 60 * SECOND;
    while storage.stats().stored > 0 {
        assert!(Instant::now() < patience, "{:?}", storage.stats());
        std::thread::sleep(10 * MS);
    }
    let left = heap_bytes() - start;
    println!("{left} bytes left of {full}");
    assert!(left < full / 100, "{left} bytes left of {full}");
}
