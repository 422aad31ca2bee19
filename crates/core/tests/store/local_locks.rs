//! `LocalLocks` without a store.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use sessile_core::{
    LocalLocks, Lock, Locks, ManualClock, SessionKey, StorageError, StorageErrorKind, Timestamp, TokioClock,
};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::support::{HOUR, expect_ready, key};

const LEASE: Duration = Duration::from_secs(30);

fn locks() -> LocalLocks {
    let builder = LocalLocks::builder().clock(TokioClock::start());
    builder.lease(LEASE).max_waiters(4).build()
}

async fn take(locks: &LocalLocks, key: &SessionKey) -> Lock {
    locks.acquire(key, Duration::ZERO).await.expect("the lock is free")
}

fn kind<T>(result: Result<T, StorageError>) -> Option<StorageErrorKind> {
    result.err().map(|error| error.kind())
}

type Waiter = JoinHandle<Result<Lock, StorageError>>;

async fn waiter(locks: &LocalLocks, key: SessionKey, wait: Duration) -> Waiter {
    let locks = locks.clone();
    let waiter = tokio::spawn(async move { locks.acquire(&key, wait).await });
    tokio::task::yield_now().await;
    waiter
}

#[tokio::test(start_paused = true)]
async fn waiters_are_served_in_order() {
    let (locks, key) = (locks(), key());
    let mut held = take(&locks, &key).await;
    let mut waiters = Vec::new();
    for _ in 0..4 {
        waiters.push(waiter(&locks, key, HOUR).await);
    }
    waiters.remove(1).abort();
    for (place, waiter) in waiters.into_iter().enumerate() {
        tokio::task::yield_now().await;
        assert!(!waiter.is_finished(), "number {place} came too early");
        locks.release(held).await.unwrap();
        held = waiter.await.unwrap().unwrap();
    }
    drop(held);
    assert_eq!(locks.in_use(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_later_call_does_not_overtake_a_waiter() {
    let (locks, key) = (locks(), key());
    let held = take(&locks, &key).await;
    let waiter = waiter(&locks, key, HOUR).await;
    drop(held);
    // The waiter has not run yet, but already holds the lock.
    let jumper = expect_ready(locks.acquire(&key, Duration::ZERO));
    assert_eq!(kind(jumper), Some(StorageErrorKind::LockTimeout));
    assert!(waiter.await.unwrap().is_ok());
}

#[tokio::test(start_paused = true)]
async fn waiting_is_bounded_in_time_and_number() {
    let (locks, key) = (locks(), key());
    let held = take(&locks, &key).await;
    let start = Instant::now();
    let late = locks.acquire(&key, Duration::from_secs(5)).await;
    assert_eq!(kind(late), Some(StorageErrorKind::LockTimeout));
    assert_eq!(start.elapsed(), Duration::from_secs(5));
    let mut waiters = Vec::new();
    for _ in 0..4 {
        waiters.push(waiter(&locks, key, Duration::MAX).await);
    }
    let crowded = expect_ready(locks.acquire(&key, HOUR));
    assert_eq!(kind(crowded), Some(StorageErrorKind::TooManyWaiters));
    let impatient = expect_ready(locks.acquire(&key, Duration::ZERO));
    assert_eq!(kind(impatient), Some(StorageErrorKind::LockTimeout));
    waiters.pop().unwrap().abort();
    tokio::task::yield_now().await;
    waiters.push(waiter(&locks, key, HOUR).await);
    drop(held);
    for waiter in waiters {
        drop(waiter.await.unwrap().unwrap());
    }
    assert_eq!(locks.in_use(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_lease_that_is_over_passes_the_lock_on() {
    let (locks, key) = (locks(), key());
    let dead = take(&locks, &key).await;
    let start = Instant::now();
    let [first, second] = [waiter(&locks, key, HOUR).await, waiter(&locks, key, HOUR).await];
    let first = first.await.unwrap().unwrap();
    assert_eq!(start.elapsed(), LEASE);
    // The former holder does not affect the next one.
    assert_eq!(kind(locks.renew(&dead.id()).await), Some(StorageErrorKind::LockLost));
    drop(dead);
    tokio::time::sleep(LEASE / 2).await;
    assert!(!second.is_finished());
    locks.renew(&first.id()).await.unwrap();
    let second = second.await.unwrap().unwrap();
    assert_eq!(start.elapsed(), LEASE + LEASE / 2 + LEASE);
    drop((first, second));
    assert_eq!(locks.in_use(), 0);
}

#[tokio::test]
async fn a_clock_that_is_set_back_lengthens_no_lease_by_more_than_one() {
    let clock = Arc::new(ManualClock::at(Timestamp::MIN + 2 * HOUR));
    let locks = LocalLocks::builder().clock(Arc::clone(&clock)).lease(LEASE).build();
    let key = key();
    let hung = take(&locks, &key).await;
    clock.set(Timestamp::MIN + HOUR);
    let waits = locks.acquire(&key, Duration::ZERO).await;
    assert_eq!(kind(waits), Some(StorageErrorKind::LockTimeout));
    clock.advance(LEASE);
    drop(take(&locks, &key).await);
    drop(hung);
    assert_eq!(locks.in_use(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_lease_begins_when_the_waiter_runs() {
    let (locks, key) = (locks(), key());
    let held = take(&locks, &key).await;
    let mut slow = locks.acquire(&key, HOUR);
    assert!(std::future::poll_fn(|cx| std::task::Poll::Ready(slow.as_mut().poll(cx).is_pending())).await);
    drop(held);
    tokio::time::advance(LEASE / 2).await;
    let slow = slow.await.unwrap();
    tokio::time::advance(LEASE * 3 / 4).await;
    locks
        .renew(&slow.id())
        .await
        .expect("three quarters of a lease have passed");
}

/// The lock was handed over to a waiter that did not run within the lease. It passes on, and the waiter queues again.
#[tokio::test(start_paused = true)]
async fn a_hand_over_that_is_not_taken_up_within_a_lease_is_lost() {
    let (locks, key) = (locks(), key());
    let held = take(&locks, &key).await;
    let mut sleeper = locks.acquire(&key, HOUR);
    assert!(std::future::poll_fn(|cx| std::task::Poll::Ready(sleeper.as_mut().poll(cx).is_pending())).await);
    drop(held);
    tokio::time::advance(LEASE).await;
    let other = take(&locks, &key).await;
    assert!(std::future::poll_fn(|cx| std::task::Poll::Ready(sleeper.as_mut().poll(cx).is_pending())).await);
    drop(other);
    drop(sleeper.await.unwrap());
    assert_eq!(locks.in_use(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_waiter_that_is_dropped_after_the_hand_over_passes_the_lock_on() {
    let (locks, key) = (locks(), key());
    let held = take(&locks, &key).await;
    let mut first = locks.acquire(&key, HOUR);
    assert!(std::future::poll_fn(|cx| std::task::Poll::Ready(first.as_mut().poll(cx).is_pending())).await);
    let second = waiter(&locks, key, HOUR).await;
    drop(held);
    drop(first);
    assert!(second.await.unwrap().is_ok());
}

#[tokio::test]
async fn only_the_holder_releases_and_renews() {
    let (locks, [one, two]) = (locks(), [key(), key()]);
    let [first, second] = [take(&locks, &one).await, take(&locks, &two).await];
    let mut mixed = first.id();
    mixed.token = second.id().token;
    assert_eq!(kind(locks.renew(&mixed).await), Some(StorageErrorKind::LockLost));
    let released = first.id();
    locks.release(first).await.unwrap();
    assert_eq!(kind(locks.renew(&released).await), Some(StorageErrorKind::LockLost));
    locks.renew(&second.id()).await.unwrap();
    assert_eq!(locks.in_use(), 1);
}

#[tokio::test]
async fn locks_that_are_never_released_are_bounded() {
    let clock = Arc::new(ManualClock::at(Timestamp::from_millis(1_000_000)));
    let locks = LocalLocks::builder().clock(Arc::clone(&clock)).build();
    for _ in 0..1_000 {
        take(&locks, &key()).await.disarm();
        clock.advance(LEASE);
    }
    assert!(locks.in_use() <= 65, "{} are in use", locks.in_use());
}

/// Runs on real threads, with locks that are released and dropped, and with waiters that time out.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn there_is_one_holder_at_a_time() {
    let locks = LocalLocks::new();
    let keys = Arc::new([key(), key()]);
    let inside: Arc<[AtomicU32; 2]> = Arc::default();
    let tasks = (0..16).map(|number: usize| {
        let (locks, keys, inside) = (locks.clone(), Arc::clone(&keys), Arc::clone(&inside));
        tokio::spawn(async move {
            for round in 0..200 {
                let which = (number + round) % 2;
                let wait = if round % 5 == 0 {
                    Duration::from_micros(50)
                } else {
                    HOUR
                };
                let Ok(lock) = locks.acquire(&keys[which], wait).await else {
                    continue;
                };
                assert_eq!(inside[which].fetch_add(1, Ordering::SeqCst), 0, "two at a time");
                tokio::task::yield_now().await;
                inside[which].fetch_sub(1, Ordering::SeqCst);
                if round % 3 == 0 {
                    drop(lock);
                } else {
                    locks.release(lock).await.unwrap();
                }
            }
        })
    });
    for task in tasks.collect::<Vec<_>>() {
        task.await.unwrap();
    }
    assert_eq!(locks.in_use(), 0);
}

#[tokio::test(start_paused = true)]
async fn draining_waits_for_holders_and_then_releases_their_locks() {
    let locks = locks();
    let [given_back, kept, over] = [key(), key(), key()];
    let over = take(&locks, &over).await;
    tokio::time::advance(LEASE).await;
    let (returned, kept_lock) = (take(&locks, &given_back).await, take(&locks, &kept).await);
    let start = Instant::now();
    let back = async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        locks.release(returned).await
    };
    let (_, back) = tokio::join!(locks.drain(Duration::from_secs(3)), back);
    back.unwrap();
    assert_eq!(start.elapsed(), Duration::from_secs(3));
    assert_eq!(locks.in_use(), 0);
    assert_eq!(
        kind(locks.renew(&kept_lock.id()).await),
        Some(StorageErrorKind::LockLost)
    );
    let next = take(&locks, &kept).await;
    // Locks that are dropped late do not release another holder's lock.
    drop((kept_lock, over));
    assert_eq!(
        kind(locks.acquire(&kept, Duration::ZERO).await),
        Some(StorageErrorKind::LockTimeout)
    );
    locks.release(next).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn draining_hands_a_lock_to_its_first_waiter() {
    let (locks, key) = (locks(), key());
    let held = take(&locks, &key).await;
    let waiter = waiter(&locks, key, HOUR).await;
    locks.drain(Duration::ZERO).await;
    let next = waiter.await.unwrap().unwrap();
    assert_eq!(kind(locks.renew(&held.id()).await), Some(StorageErrorKind::LockLost));
    locks.renew(&next.id()).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_dropped_drain_has_released_nothing() {
    let (locks, key) = (locks(), key());
    let held = take(&locks, &key).await;
    let drain = tokio::time::timeout(Duration::from_secs(1), locks.drain(HOUR));
    assert!(drain.await.is_err());
    locks.renew(&held.id()).await.unwrap();
}

#[test]
fn the_default_clock_is_monotonic() {
    let clock = format!("{:?}", LocalLocks::new().clock());
    assert!(clock.starts_with("SteadyClock"), "{clock}");
}
