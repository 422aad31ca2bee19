//! A verb that is dropped at any await leaves no lock behind, and nobody in a queue. (What it leaves of the record is
//! checked by the kit.)

use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use sessile_core::{Locked, Storage, TokioClock};

use crate::support::{HOUR, MapStore, Setup, keys, next};

/// More await points than any verb has.
const POINTS: usize = 64;

fn setup() -> Setup {
    Setup::with(MapStore::yielding(), TokioClock::start())
}

/// Polls the future this often and drops it. Returns whether it had come to its end.
pub(crate) async fn cut<F: Future>(polls: usize, future: F) -> bool {
    let mut future = pin!(future);
    for _ in 0..polls {
        if poll_fn(|cx| Poll::Ready(future.as_mut().poll(cx).is_ready())).await {
            return true;
        }
        tokio::task::yield_now().await;
    }
    false
}

/// Runs the test with a cut at each await point, until the call comes to its end.
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
        let ended = cut(polls, setup.storage.lock(&key, HOUR)).await;
        assert_eq!(setup.footprint(), 1, "after {polls} polls");
        ended
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_dropped_wait_leaves_the_queue_and_passes_the_turn_on() {
    at_every_point(async |polls| {
        let setup = setup();
        let key = setup.created("0").await;
        let mut held = Some(setup.locked(&key).await);
        let mut first = Box::pin(setup.storage.lock(&key, HOUR));
        let mut ended = false;
        for poll in 0..polls {
            if poll == 6 {
                // By now it stands in the queue; from here on the lock is on its way to it.
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

/// Each verb that is given a lock, which is dropped after it, as it is when a whole visit is cut off.
async fn leaves_nothing_of_a_lock(verb: impl AsyncFn(&Setup, &mut Locked)) {
    at_every_point(async |polls| {
        let setup = setup();
        let key = setup.created("0").await;
        let mut held = setup.locked(&key).await;
        let ended = cut(polls, verb(&setup, &mut held)).await;
        drop(held);
        assert_eq!(setup.locks.in_use(), 0, "after {polls} polls");
        assert_eq!(setup.storage.locks_held(), 0, "after {polls} polls");
        ended
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_dropped_commit_leaves_no_lock() {
    leaves_nothing_of_a_lock(async |setup, held| {
        let record = next(&held.record, "1");
        setup.storage.commit(&mut held.lock, record).await.unwrap();
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_dropped_rotation_leaves_no_lock() {
    for grace in [Duration::ZERO, HOUR] {
        leaves_nothing_of_a_lock(async |setup, held| {
            let [new] = keys();
            let record = next(&held.record, "1");
            setup.storage.rotate(&mut held.lock, &new, record, grace).await.unwrap();
        })
        .await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_dropped_renewal_leaves_no_lock() {
    leaves_nothing_of_a_lock(async |setup, held| {
        setup.storage.renew(&held.lock.ticket()).await.unwrap();
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
        let ended = cut(polls, setup.storage.destroy(&key)).await;
        drop(held);
        let found = tokio::time::timeout(Duration::from_secs(1), waiter).await;
        let found = found.expect("a waiter is told what has become of the session").unwrap();
        assert_eq!(found, setup.store.len() == 1);
        assert_eq!(setup.locks.in_use(), 0, "after {polls} polls");
        ended
    })
    .await;
}
