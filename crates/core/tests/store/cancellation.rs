//! An operation that is dropped at any await leaves neither a lock nor a queued waiter behind. (The kit checks the
//! record.)

use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use sessile_core::{Locked, Storage, TokioClock};

use crate::support::{HOUR, MapStore, Setup, keys, next};

/// More await points than any operation has.
const POINTS: usize = 64;

fn setup() -> Setup {
    Setup::with(MapStore::yielding(), TokioClock::start())
}

/// Polls the future up to `polls` times and drops it. Returns whether it has completed.
pub(crate) async fn poll_times<F: Future>(polls: usize, future: F) -> bool {
    let mut future = pin!(future);
    for _ in 0..polls {
        if poll_fn(|cx| Poll::Ready(future.as_mut().poll(cx).is_ready())).await {
            return true;
        }
        tokio::task::yield_now().await;
    }
    false
}

/// Runs the test once for each number of polls, until the call completes.
pub(crate) async fn at_every_point(test: impl AsyncFn(usize) -> bool) {
    for polls in 0..POINTS {
        if test(polls).await {
            assert!(polls > 1, "the call never waited, so it was never cut off");
            return;
        }
    }
    panic!("the call has not come to its end after {POINTS} polls");
}

#[tokio::test(start_paused = true)]
async fn a_dropped_lock_call_leaves_nothing() {
    at_every_point(async |polls| {
        let setup = setup();
        let key = setup.created("0").await;
        let ended = poll_times(polls, setup.storage.lock(&key, HOUR)).await;
        assert_eq!(setup.footprint(), 1, "after {polls} polls");
        ended
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_dropped_waiter_leaves_the_queue_or_passes_the_lock_on() {
    at_every_point(async |polls| {
        let setup = setup();
        let key = setup.created("0").await;
        let mut held = Some(setup.locked(&key).await);
        let mut first = Box::pin(setup.storage.lock(&key, HOUR));
        let mut ended = false;
        for poll in 0..polls {
            if poll == 6 {
                // By now it is queued; from here on the lock is handed over to it.
                drop(held.take());
            }
            ended |= poll_fn(|cx| Poll::Ready(first.as_mut().poll(cx).is_ready())).await;
            if ended {
                break;
            }
            tokio::task::yield_now().await;
        }
        drop((first, held));
        assert_eq!(setup.footprint(), 1, "after {polls} polls");
        drop(setup.locked(&key).await);
        ended
    })
    .await;
}

/// Drops an operation that takes a lock, and then the lock, as when a whole visit is cancelled.
async fn assert_leaves_no_lock(operation: impl AsyncFn(&Setup, &mut Locked)) {
    at_every_point(async |polls| {
        let setup = setup();
        let key = setup.created("0").await;
        let mut held = setup.locked(&key).await;
        let ended = poll_times(polls, operation(&setup, &mut held)).await;
        drop(held);
        assert_eq!(setup.locks.in_use(), 0, "after {polls} polls");
        assert_eq!(setup.storage.locks_held(), 0, "after {polls} polls");
        ended
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_dropped_commit_leaves_no_lock() {
    assert_leaves_no_lock(async |setup, held| {
        let record = next(&held.record, "1");
        setup.storage.commit(&mut held.lock, record).await.unwrap();
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_dropped_rotation_leaves_no_lock() {
    for grace in [Duration::ZERO, HOUR] {
        assert_leaves_no_lock(async |setup, held| {
            let [new] = keys();
            let record = next(&held.record, "1");
            setup.storage.rotate(&mut held.lock, &new, record, grace).await.unwrap();
        })
        .await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_dropped_renewal_leaves_no_lock() {
    assert_leaves_no_lock(async |setup, held| {
        setup.storage.renew(&held.lock.id()).await.unwrap();
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_dropped_destroy_leaves_no_lock_and_no_waiter() {
    at_every_point(async |polls| {
        let setup = setup();
        let key = setup.created("0").await;
        let held = setup.locked(&key).await;
        let waiting = setup.clone();
        let waiter = tokio::spawn(async move { waiting.storage.lock(&key, HOUR).await.unwrap().is_found() });
        for _ in 0..8 {
            tokio::task::yield_now().await;
        }
        let ended = poll_times(polls, setup.storage.destroy(&key)).await;
        drop(held);
        let found = tokio::time::timeout(Duration::from_secs(1), waiter).await;
        let found = found.expect("a waiter is told what has become of the session").unwrap();
        assert_eq!(found, setup.store.len() == 1);
        assert_eq!(setup.locks.in_use(), 0, "after {polls} polls");
        ended
    })
    .await;
}
