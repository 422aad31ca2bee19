//! What sessions cost: allocations by the verb, exactly, and bytes by the session.

#![allow(clippy::unwrap_used, reason = "an unwrap is an assertion here")]

mod common;

use std::alloc::System;
use std::sync::Arc;
use std::task::{Context, Waker};
use std::time::{Duration, Instant};

use bytes::Bytes;
use common::{MS, SECOND, manual_clock, new_id, new_key};
use sessile_core::{Clock, Meta, OsEntropy, Record, Storage};
use sessile_memory::MemoryStorage;
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// How many times `work` allocates, over a thousand rounds.
async fn allocations(mut work: impl AsyncFnMut()) -> usize {
    // Once in advance: what is kept for the next time is there then.
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

/// Without the usual harness, whose threads would be counted too.
fn main() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap();
    runtime.block_on(each_verb_allocates_the_box_of_its_future_and_nothing_else());
    runtime.block_on(waiting_leaves_nothing_behind());
    runtime.block_on(what_a_rotation_leaves_takes_no_more_than_it_counts());
    runtime.block_on(a_session_takes_at_most_250_bytes_and_they_come_back_without_any_access());
}

async fn each_verb_allocates_the_box_of_its_future_and_nothing_else() {
    let storage = MemoryStorage::builder().sweeper(false).capacity(1_000).build();
    let now = storage.clock().now();
    let meta = || Meta::new(now).with_deadline(Some(now + 3_600 * SECOND));
    let payload = payload();
    let (key, new) = (new_key(), new_key());
    storage
        .create(&key, Record::new(meta(), payload.clone()))
        .await
        .unwrap();

    let read = async || drop(storage.read(&key).await.unwrap().found().unwrap());
    assert_eq!(allocations(read).await, 1_000);

    let read_modify_write = async || {
        let mut locked = storage.lock(&key, SECOND).await.unwrap().found().unwrap();
        locked.record.payload = payload.clone();
        storage.commit(&mut locked.lock, locked.record).await.unwrap();
    };
    assert_eq!(allocations(read_modify_write).await, 2_000);

    let lock_and_drop = async || drop(storage.lock(&key, SECOND).await.unwrap().found().unwrap());
    assert_eq!(allocations(lock_and_drop).await, 1_000);

    let touch = async || assert!(storage.touch(&key, 1, Some(now + 3_600 * SECOND), now).await.unwrap());
    assert_eq!(allocations(touch).await, 1_000);

    let unknown = async || drop(storage.lock(&new, SECOND).await.unwrap());
    assert_eq!(allocations(unknown).await, 1_000);

    let create_and_destroy = async || {
        storage
            .create(&new, Record::new(meta(), payload.clone()))
            .await
            .unwrap();
        storage.destroy(&new).await.unwrap().found().unwrap();
    };
    assert_eq!(allocations(create_and_destroy).await, 2_000);
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
    // Reading has made the payload one that is shared, once.
    assert!(heap_bytes() <= before + 24, "{} bytes more", heap_bytes() - before);
}

/// As long as that of a small session, and as tight as a vector can be made.
fn payload() -> Bytes {
    Bytes::from(vec![b'x'; 65])
}

/// At every size, as what keeps them doubles now and then.
async fn what_a_rotation_leaves_takes_no_more_than_it_counts() {
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

async fn a_session_takes_at_most_250_bytes_and_they_come_back_without_any_access() {
    const SESSIONS: usize = 1_000_000;
    let start = heap_bytes();
    let clock = manual_clock();
    let storage = MemoryStorage::builder().clock(Arc::clone(&clock)).build();
    let now = clock.now();
    for number in 0..SESSIONS {
        // They end within a second, in no order.
        let spread = Duration::from_millis((number as u64 * 7_919) % 1_000);
        let meta = Meta::new(now).with_deadline(Some(now + SECOND + spread));
        storage.create(&new_key(), Record::new(meta, payload())).await.unwrap();
    }
    assert_eq!((storage.stats().live, storage.stats().stored), (SESSIONS, SESSIONS));
    println!("{} bytes a session", (heap_bytes() - start) / SESSIONS);
    // What is read is shared with the reader, and the count of that is allocated the first time.
    let mut cursor = None;
    loop {
        let page = storage.scan(cursor, 1_000).await.unwrap();
        for (key, _meta) in page.sessions {
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

    // The sweeper is asleep until the first deadline, and finds by the clock that the last one has passed.
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
