use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context as TaskContext, Poll, Waker};

use super::*;
use crate::{NullStorage, Session, Visit};

fn context() -> Arc<Context> {
    let session: Session = Session::builder(NullStorage).build();
    let visit = session.open(Visit::new());
    Arc::clone(&visit.handle().0)
}

fn poll<F: Future>(future: Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut TaskContext::from_waker(Waker::noop()))
}

fn is_free(context: &Context) -> bool {
    context.try_begin_operation().is_some()
}

#[test]
fn only_one_operation_runs_at_a_time() {
    let context = context();
    let guard = context.try_begin_operation().expect("no operation is running");
    assert!(!is_free(&context));
    drop(guard);
    assert!(is_free(&context));
}

#[test]
fn waiters_are_served_in_their_order() {
    let context = context();
    let first = context.try_begin_operation().expect("no operation is running");
    let (mut second, mut third) = (pin!(context.wait_for_operation()), pin!(context.wait_for_operation()));
    assert!(poll(second.as_mut()).is_pending());
    assert!(poll(third.as_mut()).is_pending());
    drop(first);
    assert!(!is_free(&context), "a newcomer does not overtake the waiter");
    assert!(poll(third.as_mut()).is_pending());
    let Poll::Ready(second) = poll(second.as_mut()) else {
        panic!("the first waiter gets the guard");
    };
    assert!(poll(third.as_mut()).is_pending());
    drop(second);
    assert!(poll(third.as_mut()).is_ready());
    assert!(is_free(&context));
}

#[test]
fn a_dropped_waiter_passes_the_guard_on() {
    let context = context();
    let first = context.try_begin_operation().expect("no operation is running");
    let mut gone = Box::pin(context.wait_for_operation());
    let mut granted = Box::pin(context.wait_for_operation());
    let mut last = pin!(context.wait_for_operation());
    for waiter in [gone.as_mut(), granted.as_mut(), last.as_mut()] {
        assert!(poll(waiter).is_pending());
    }
    drop(gone);
    drop(first);
    assert!(poll(last.as_mut()).is_pending(), "the waiter before gets it");
    drop(granted);
    assert!(poll(last.as_mut()).is_ready());
    assert!(is_free(&context));
}

#[test]
fn a_dropped_waiter_leaves_the_visit_free() {
    let context = context();
    let first = context.try_begin_operation().expect("no operation is running");
    let mut waiter = Box::pin(context.wait_for_operation());
    assert!(poll(waiter.as_mut()).is_pending());
    drop(waiter);
    drop(first);
    assert!(is_free(&context));
}

/// Threads that wait and give up now and then: there is never more than one guard, and the visit is free in the end.
#[test]
fn the_guard_is_never_lost_when_waiters_give_up() {
    const ROUNDS: usize = 2_000;
    let context = context();
    let (inside, taken) = (AtomicUsize::new(0), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let (context, inside, taken) = (&context, &inside, &taken);
            scope.spawn(move || {
                for round in 0..ROUNDS {
                    let mut waiter = Box::pin(context.wait_for_operation());
                    // Every third round gives up before the guard is there.
                    let stays = (round + thread) % 3 != 0;
                    let end = Instant::now() + Duration::from_secs(60);
                    for polled in 1.. {
                        if !stays && polled > 2 {
                            break;
                        }
                        assert!(Instant::now() < end, "the guard is lost");
                        if let Poll::Ready(guard) = poll(waiter.as_mut()) {
                            assert_eq!(inside.fetch_add(1, Ordering::SeqCst), 0);
                            taken.fetch_add(1, Ordering::SeqCst);
                            std::thread::yield_now();
                            inside.fetch_sub(1, Ordering::SeqCst);
                            drop(guard);
                            break;
                        }
                        std::thread::yield_now();
                    }
                }
            });
        }
    });
    assert!(is_free(&context));
    assert!(taken.into_inner() >= 4 * ROUNDS * 2 / 3);
}

/// A waker is foreign code: it may use the visit, as a future does that the waker polls immediately.
#[test]
fn a_waker_may_call_back() {
    struct CallsBack(Arc<Context>, AtomicUsize);

    impl std::task::Wake for CallsBack {
        fn wake(self: Arc<Self>) {
            assert!(!is_free(&self.0), "the guard was handed over");
            self.1.fetch_add(1, Ordering::SeqCst);
        }
    }

    let context = context();
    let first = context.try_begin_operation().expect("no operation is running");
    let calls = Arc::new(CallsBack(Arc::clone(&context), AtomicUsize::new(0)));
    let waker = Waker::from(Arc::clone(&calls));
    let mut waiter = pin!(context.wait_for_operation());
    assert!(waiter.as_mut().poll(&mut TaskContext::from_waker(&waker)).is_pending());
    drop(first);
    assert_eq!(calls.1.load(Ordering::SeqCst), 1);
    assert!(poll(waiter.as_mut()).is_ready());
    assert!(is_free(&context));
}

/// A waiting call is dropped with its runtime.
#[test]
fn waiters_end_with_their_runtime() {
    let context = context();
    let first = context.try_begin_operation().expect("no operation is running");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
    let runtime = runtime.expect("a runtime of one thread");
    let waiter = Arc::clone(&context);
    runtime.spawn(async move { waiter.begin_operation().await.map(drop) });
    runtime.block_on(tokio::task::yield_now());
    drop(runtime);
    drop(first);
    assert!(is_free(&context));
}

/// A panic hands over like any other drop of the guard.
#[test]
fn a_panic_passes_the_guard_on() {
    let context = context();
    let held = std::panic::AssertUnwindSafe(&context);
    let panicked = std::panic::catch_unwind(|| {
        let _guard = held.try_begin_operation().expect("no operation is running");
        panic!("on purpose");
    });
    assert!(panicked.is_err());
    assert!(is_free(&context));
}
