//! Waiting for locks, with paused time.

mod common;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use common::*;
use sessile_core::{Locked, Lookup, SessionKey, Storage, StorageError, StorageErrorKind};
use sessile_memory::MemoryStorage;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};

type Waiter = JoinHandle<Result<Lookup<Locked>, StorageError>>;

/// Spawns a task that waits for the lock.
async fn waiter(storage: &MemoryStorage, key: SessionKey, wait: Duration) -> Waiter {
    let storage = storage.clone();
    let task = tokio::spawn(async move { storage.lock(&key, wait).await });
    settle().await;
    task
}

async fn found(waiter: Waiter) -> Locked {
    let result = waiter.await.expect("the task ends").expect("the lock is free");
    result.found().expect("the session is there")
}

#[tokio::test(start_paused = true)]
async fn waiters_are_served_in_the_order_of_arrival() {
    let storage = tokio_storage();
    let key = session(&storage, "").await;
    let held = take(&storage, &key).await;
    let order = Arc::new(Mutex::new(Vec::new()));
    let mut tasks = Vec::new();
    for number in 0..20 {
        let (storage, order) = (storage.clone(), Arc::clone(&order));
        tasks.push(tokio::spawn(async move {
            let mut locked = lock(&storage, &key).await;
            order.lock().unwrap().push(number);
            sleep(MS).await;
            storage.commit(&mut locked.lock, locked.record).await.unwrap();
        }));
        settle().await;
    }
    assert_eq!((storage.stats().locks, storage.stats().waiters), (1, 20));
    drop(held);
    for task in tasks {
        task.await.unwrap();
    }
    assert_eq!(*order.lock().unwrap(), (0..20).collect::<Vec<_>>());
    assert_eq!((storage.stats().locks, storage.stats().waiters), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn a_newcomer_does_not_overtake_a_waiter_to_which_the_lock_was_just_handed() {
    let storage = tokio_storage();
    let key = session(&storage, "").await;
    let held = take(&storage, &key).await;
    let first = waiter(&storage, key, SECOND).await;
    drop(held);
    // The waiter has not been polled yet, but it is the holder already.
    assert_eq!(refusal(&storage, &key).await, StorageErrorKind::LockTimeout);
    drop(found(first).await);
}

#[tokio::test(start_paused = true)]
async fn every_way_to_release_a_lock_hands_it_over_at_once() {
    let storage = tokio_storage();
    let key = session(&storage, "a").await;
    let start = Instant::now();
    let held = take(&storage, &key).await;
    let next = waiter(&storage, key, SECOND).await;
    drop(held);
    let locked = found(next).await;
    let next = waiter(&storage, key, SECOND).await;
    storage.release(locked.lock).await.unwrap();
    let mut locked = found(next).await;
    let next = waiter(&storage, key, SECOND).await;
    storage.commit(&mut locked.lock, record(&storage, "b")).await.unwrap();
    let locked = found(next).await;
    assert_eq!(
        locked.record.payload, "b",
        "the record as it was when the lock was taken"
    );
    assert_eq!(start.elapsed(), Duration::ZERO, "a waiter waited for a timer");
}

#[tokio::test(start_paused = true)]
async fn a_wait_ends_with_lock_timeout_at_its_limit() {
    let storage = tokio_storage();
    let key = session(&storage, "a").await;
    let held = take(&storage, &key).await;
    for wait in [Duration::ZERO, MS, 10 * SECOND] {
        let start = Instant::now();
        assert_eq!(kind(storage.lock(&key, wait).await), StorageErrorKind::LockTimeout);
        assert_eq!(start.elapsed(), wait);
        assert_eq!(storage.stats().waiters, 0);
    }
    drop(held);
    assert_free(&storage, &key).await;
}

#[tokio::test(start_paused = true)]
async fn a_wait_without_limit_lasts_as_long_as_it_takes() {
    let storage = tokio_storage();
    let key = session(&storage, "a").await;
    let held = take(&storage, &key).await;
    let waiting = waiter(&storage, key, Duration::MAX).await;
    for _ in 0..100 {
        sleep(20 * SECOND).await;
        storage.renew(&held.id()).await.unwrap();
    }
    assert!(!waiting.is_finished());
    drop(held);
    drop(found(waiting).await);
}

#[tokio::test(start_paused = true)]
async fn too_many_waiters_are_refused_at_once() {
    let storage = tokio_builder().max_waiters(3).build();
    let key = session(&storage, "a").await;
    let held = take(&storage, &key).await;
    let mut waiters = Vec::new();
    for _ in 0..3 {
        waiters.push(waiter(&storage, key, SECOND).await);
    }
    let start = Instant::now();
    assert_eq!(kind(storage.lock(&key, SECOND).await), StorageErrorKind::TooManyWaiters);
    assert_eq!(start.elapsed(), Duration::ZERO);
    waiters.pop().unwrap().abort();
    settle().await;
    waiters.push(waiter(&storage, key, SECOND).await);
    assert_eq!(storage.stats().waiters, 3);
    drop(held);
    for waiter in waiters {
        drop(found(waiter).await);
    }

    let storage = tokio_builder().max_waiters(0).build();
    let key = session(&storage, "a").await;
    let _held = take(&storage, &key).await;
    assert_eq!(kind(storage.lock(&key, SECOND).await), StorageErrorKind::TooManyWaiters);
}

#[tokio::test(start_paused = true)]
async fn the_default_is_1024_waiters() {
    let storage = tokio_storage();
    let key = session(&storage, "a").await;
    let _held = take(&storage, &key).await;
    for _ in 0..1_024 {
        let storage = storage.clone();
        tokio::spawn(async move { storage.lock(&key, SECOND).await.map(|_| ()) });
    }
    tokio::task::yield_now().await;
    while storage.stats().waiters < 1_024 {
        settle().await;
    }
    assert_eq!(kind(storage.lock(&key, SECOND).await), StorageErrorKind::TooManyWaiters);
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_waiter_leaves_the_queue() {
    let storage = tokio_storage();
    let key = session(&storage, "a").await;
    let held = take(&storage, &key).await;
    let mut waiters = Vec::new();
    for _ in 0..5 {
        waiters.push(waiter(&storage, key, SECOND).await);
    }
    for index in [4, 0, 1] {
        waiters.remove(index).abort();
        settle().await;
    }
    assert_eq!(storage.stats().waiters, 2);
    drop(held);
    for waiter in waiters {
        drop(found(waiter).await);
    }
    assert_free(&storage, &key).await;
}

#[tokio::test(start_paused = true)]
async fn a_waiter_cancelled_after_the_lock_was_handed_to_it_passes_it_on() {
    let storage = tokio_storage();
    let key = session(&storage, "a").await;
    let held = take(&storage, &key).await;
    let mut first = Box::pin(storage.lock(&key, SECOND));
    assert!(std::future::poll_fn(|cx| std::task::Poll::Ready(first.as_mut().poll(cx).is_pending())).await);
    let second = waiter(&storage, key, SECOND).await;
    drop(held);
    drop(first);
    let start = Instant::now();
    drop(found(second).await);
    assert_eq!(start.elapsed(), Duration::ZERO);
    assert_free(&storage, &key).await;
}

#[tokio::test(start_paused = true)]
async fn a_future_that_was_never_polled_holds_no_lock() {
    let storage = tokio_storage();
    let key = session(&storage, "a").await;
    drop(storage.lock(&key, SECOND));
    assert_free(&storage, &key).await;
}

#[tokio::test(start_paused = true)]
async fn the_lease_of_a_crashed_holder_bounds_the_wait() {
    let storage = tokio_storage();
    let key = session(&storage, "a").await;
    let mut crashed = take(&storage, &key).await;
    let start = Instant::now();
    let first = waiter(&storage, key, 60 * SECOND).await;
    let second = waiter(&storage, key, 60 * SECOND).await;
    let locked = found(first).await;
    assert_eq!(start.elapsed(), LEASE);
    assert_eq!(
        kind(storage.commit(&mut crashed, record(&storage, "b")).await),
        StorageErrorKind::LockLost
    );
    drop(crashed);
    assert!(!second.is_finished());
    drop(locked);
    let locked = found(second).await;
    assert_eq!(
        (start.elapsed(), locked.record.payload.as_ref()),
        (LEASE, b"a".as_ref())
    );
}

#[tokio::test(start_paused = true)]
async fn a_renewed_lease_is_waited_out() {
    let storage = tokio_storage();
    let key = session(&storage, "a").await;
    let held = take(&storage, &key).await;
    let start = Instant::now();
    let next = waiter(&storage, key, 60 * SECOND).await;
    sleep(10 * SECOND).await;
    storage.renew(&held.id()).await.unwrap();
    drop(found(next).await);
    assert_eq!(start.elapsed(), 10 * SECOND + LEASE);
    drop(held);
}

#[tokio::test(start_paused = true)]
async fn a_lock_that_was_handed_over_has_its_full_lease_when_its_waiter_is_polled() {
    let storage = tokio_storage();
    let key = session(&storage, "a").await;
    let held = take(&storage, &key).await;
    let mut next = Box::pin(storage.lock(&key, 60 * SECOND));
    assert!(std::future::poll_fn(|cx| std::task::Poll::Ready(next.as_mut().poll(cx).is_pending())).await);
    drop(held);
    sleep(20 * SECOND).await;
    let mut locked = next.await.unwrap().found().unwrap();
    sleep(LEASE - MS).await;
    storage.commit(&mut locked.lock, locked.record).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_waiter_that_is_not_polled_within_its_lease_loses_the_lock_and_queues_again() {
    let storage = tokio_storage();
    let key = session(&storage, "a").await;
    let held = take(&storage, &key).await;
    let mut unpolled = Box::pin(storage.lock(&key, 1_000 * SECOND));
    assert!(std::future::poll_fn(|cx| std::task::Poll::Ready(unpolled.as_mut().poll(cx).is_pending())).await);
    let start = Instant::now();
    let next = waiter(&storage, key, 60 * SECOND).await;
    drop(held);
    let locked = found(next).await;
    assert_eq!(start.elapsed(), LEASE);
    assert!(std::future::poll_fn(|cx| std::task::Poll::Ready(unpolled.as_mut().poll(cx).is_pending())).await);
    drop(locked);
    drop(unpolled.await.unwrap().found().unwrap());
    assert_free(&storage, &key).await;
}

#[tokio::test(start_paused = true)]
async fn waiters_are_notified_at_once_when_the_session_is_destroyed() {
    let storage = tokio_storage();
    let key = session(&storage, "a").await;
    let held = take(&storage, &key).await;
    let waiters = [
        waiter(&storage, key, 9 * SECOND).await,
        waiter(&storage, key, 9 * SECOND).await,
    ];
    let start = Instant::now();
    storage.destroy(&key).await.unwrap();
    for waiter in waiters {
        assert!(matches!(waiter.await.unwrap(), Ok(Lookup::Missing)));
    }
    assert_eq!(start.elapsed(), Duration::ZERO);
    drop(held);
    assert_eq!(storage.stats(), MemoryStorage::new().stats());
}

#[tokio::test(start_paused = true)]
async fn waiters_are_notified_when_the_record_expires() {
    let storage = tokio_storage();
    let key = new_key();
    storage.create(&key, ending(&storage, "a", 5 * SECOND)).await.unwrap();
    let _held = take(&storage, &key).await;
    let start = Instant::now();
    let waiters = [
        waiter(&storage, key, 9 * SECOND).await,
        waiter(&storage, key, 9 * SECOND).await,
    ];
    sleep(4 * SECOND).await;
    let now = storage.clock().now();
    storage.touch(&key, 1, Some(now + 2 * SECOND), now).await.unwrap();
    for waiter in waiters {
        assert!(matches!(waiter.await.unwrap(), Ok(Lookup::Missing)));
    }
    assert_eq!(start.elapsed(), 6 * SECOND);
    assert_eq!(storage.stats().waiters, 0);
}

#[tokio::test(start_paused = true)]
async fn waiters_notice_a_deadline_that_was_brought_forward() {
    let storage = tokio_storage();
    let key = new_key();
    storage
        .create(&key, ending(&storage, "a", 1_000 * SECOND))
        .await
        .unwrap();
    let mut held = take(&storage, &key).await;
    let start = Instant::now();
    let first = waiter(&storage, key, 60 * SECOND).await;
    let second = waiter(&storage, key, 60 * SECOND).await;
    storage.commit(&mut held, ending(&storage, "b", SECOND)).await.unwrap();
    let held = found(first).await;
    assert!(matches!(second.await.unwrap(), Ok(Lookup::Missing)));
    assert_eq!(start.elapsed(), SECOND);
    drop(held);
}

#[tokio::test(start_paused = true)]
async fn waiters_are_notified_when_the_record_is_swept() {
    let (storage, clock) = manual_storage();
    let key = new_key();
    storage.create(&key, ending(&storage, "a", 5 * SECOND)).await.unwrap();
    let _held = take(&storage, &key).await;
    let start = Instant::now();
    let next = waiter(&storage, key, 9 * SECOND).await;
    clock.advance(5 * SECOND);
    assert_eq!(storage.sweep(10).await.unwrap().len(), 1);
    assert!(matches!(next.await.unwrap(), Ok(Lookup::Missing)));
    assert_eq!(start.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn waiters_are_notified_of_a_rotation_without_grace() {
    let storage = tokio_storage();
    let [old, new] = rotated_keys();
    storage.create(&old, record(&storage, "a")).await.unwrap();
    let mut held = take(&storage, &old).await;
    let waiters = [
        waiter(&storage, old, 9 * SECOND).await,
        waiter(&storage, old, 9 * SECOND).await,
    ];
    let start = Instant::now();
    storage
        .rotate(&mut held, &new, record(&storage, "b"), Duration::ZERO)
        .await
        .unwrap();
    for waiter in waiters {
        assert!(matches!(waiter.await.unwrap(), Ok(Lookup::Superseded)));
    }
    assert_eq!(start.elapsed(), Duration::ZERO);
    assert_free(&storage, &new).await;
}

#[tokio::test(start_paused = true)]
async fn during_the_grace_waiters_get_the_record_under_its_new_key() {
    let storage = tokio_storage();
    let [old, new] = rotated_keys();
    storage.create(&old, record(&storage, "a")).await.unwrap();
    let mut held = take(&storage, &old).await;
    let first = waiter(&storage, old, 9 * SECOND).await;
    let second = waiter(&storage, old, 9 * SECOND).await;
    let start = Instant::now();
    storage
        .rotate(&mut held, &new, record(&storage, "b"), SECOND)
        .await
        .unwrap();
    let locked = found(first).await;
    assert_eq!(
        (locked.lock.id().key, locked.record.payload.as_ref()),
        (new, b"b".as_ref())
    );
    settle().await;
    assert!(!second.is_finished());
    // The second waiter waits under the new key now, beyond the grace.
    sleep(2 * SECOND).await;
    assert_eq!(read(&storage, &old).await, Lookup::Superseded);
    drop(locked);
    assert_eq!(found(second).await.lock.id().key, new);
    assert_eq!(start.elapsed(), 2 * SECOND);
}

#[tokio::test(start_paused = true)]
async fn one_limit_covers_the_waits_under_both_keys() {
    let storage = tokio_storage();
    let [old, new] = rotated_keys();
    storage.create(&old, record(&storage, "a")).await.unwrap();
    let mut held = take(&storage, &old).await;
    let start = Instant::now();
    let next = waiter(&storage, old, 9 * SECOND).await;
    sleep(5 * SECOND).await;
    let _held = {
        storage
            .rotate(&mut held, &new, record(&storage, "b"), SECOND)
            .await
            .unwrap();
        take(&storage, &new).await
    };
    assert_eq!(kind(next.await.unwrap()), StorageErrorKind::LockTimeout);
    assert_eq!(start.elapsed(), 9 * SECOND);
}

#[tokio::test(start_paused = true)]
async fn a_panicking_holder_releases_its_lock() {
    let storage = tokio_storage();
    let key = session(&storage, "a").await;
    let start = Instant::now();
    let holder = {
        let storage = storage.clone();
        tokio::spawn(async move {
            let _held = take(&storage, &key).await;
            sleep(SECOND).await;
            panic!("the holder panics, as it is meant to");
        })
    };
    let next = waiter(&storage, key, 9 * SECOND).await;
    drop(found(next).await);
    assert_eq!(start.elapsed(), SECOND);
    assert!(holder.await.unwrap_err().is_panic());
}

#[tokio::test(start_paused = true)]
async fn a_lock_can_outlive_its_storage() {
    let storage = tokio_storage();
    let key = session(&storage, "a").await;
    let held = take(&storage, &key).await;
    drop(storage);
    drop(held);
}

#[tokio::test(start_paused = true)]
async fn draining_waits_for_its_patience_and_then_hands_the_lock_to_the_first_waiter() {
    let storage = tokio_storage();
    let [free, held, awaited] = [
        session(&storage, "a").await,
        session(&storage, "b").await,
        session(&storage, "c").await,
    ];
    let (mut one, mut two) = (take(&storage, &held).await, take(&storage, &awaited).await);
    let waiting = waiter(&storage, awaited, 60 * SECOND).await;
    let start = Instant::now();
    storage.drain(SECOND).await;
    assert_eq!(start.elapsed(), SECOND);
    for late in [&mut one, &mut two] {
        let written = storage.commit(late, record(&storage, "late")).await;
        assert_eq!(kind(written), StorageErrorKind::LockLost);
    }
    let mut next = found(waiting).await;
    drop((one, two));
    let record = next.record.clone();
    storage.commit(&mut next.lock, record).await.unwrap();
    for key in [free, held, awaited] {
        drop(take(&storage, &key).await);
    }
}

/// Combines the extremes of leases, waits and graces.
#[tokio::test(start_paused = true)]
async fn any_lease_wait_and_grace_is_accepted() {
    for length in [Duration::ZERO, Duration::from_nanos(1), MS, Duration::MAX] {
        let storage = tokio_builder().lease(length).tombstone_ttl(length).build();
        for wait in [Duration::ZERO, Duration::from_nanos(1), MS, Duration::MAX] {
            let [old, new] = rotated_keys();
            storage.create(&old, record(&storage, "a")).await.unwrap();
            let first = take(&storage, &old).await;
            let second = tokio::time::timeout(SECOND, storage.lock(&old, wait)).await;
            let _ = storage.renew(&first.id()).await;
            drop((first, second));
            let mut last = take(&storage, &old).await;
            let next = record(&storage, "b");
            let rotated = storage.rotate(&mut last, &new, next, wait).await;
            assert_eq!(rotated.is_ok(), length >= MS, "{length:?}, {wait:?}");
        }
        storage.drain(Duration::MAX).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_increment_of_a_counter_is_lost() {
    const TASKS: u64 = 50;
    const ROUNDS: u64 = 40;
    let storage = MemoryStorage::builder().max_waiters(usize::MAX).build();
    let key = session(&storage, "0").await;
    let tasks: Vec<_> = (0..TASKS)
        .map(|task| {
            let storage = storage.clone();
            tokio::spawn(async move {
                for round in 0..ROUNDS {
                    if (task + round) % 3 == 0 {
                        // Cancelled while it waits, or after it got the lock.
                        let cancelled = tokio::time::timeout(MS / 10, storage.lock(&key, SECOND)).await;
                        drop(cancelled);
                    }
                    let mut locked = storage.lock(&key, 60 * SECOND).await.unwrap().found().unwrap();
                    let count: u64 = std::str::from_utf8(&locked.record.payload).unwrap().parse().unwrap();
                    tokio::task::yield_now().await;
                    locked.record.payload = (count + 1).to_string().into();
                    storage.commit(&mut locked.lock, locked.record).await.unwrap();
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    assert_eq!(payload(&storage, &key).await, Some((TASKS * ROUNDS).to_string()));
    assert_eq!((storage.stats().locks, storage.stats().waiters), (0, 0));
}
