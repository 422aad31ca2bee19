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
fn one_has_the_turn_at_a_time() {
    let context = context();
    let turn = context.try_begin_operation().expect("nobody has it");
    assert!(!is_free(&context));
    drop(turn);
    assert!(is_free(&context));
}

#[test]
fn those_who_wait_are_given_it_in_the_order_in_which_they_came() {
    let context = context();
    let first = context.try_begin_operation().expect("nobody has it");
    let (mut second, mut third) = (pin!(context.wait_for_operation()), pin!(context.wait_for_operation()));
    assert!(poll(second.as_mut()).is_pending());
    assert!(poll(third.as_mut()).is_pending());
    drop(first);
    assert!(!is_free(&context), "nobody who comes later is faster");
    assert!(poll(third.as_mut()).is_pending());
    let Poll::Ready(second) = poll(second.as_mut()) else {
        panic!("it was given the turn");
    };
    assert!(poll(third.as_mut()).is_pending());
    drop(second);
    assert!(poll(third.as_mut()).is_ready());
    assert!(is_free(&context));
}

#[test]
fn who_does_not_want_it_any_more_passes_it_on() {
    let context = context();
    let first = context.try_begin_operation().expect("nobody has it");
    let mut gone = Box::pin(context.wait_for_operation());
    let mut given = Box::pin(context.wait_for_operation());
    let mut last = pin!(context.wait_for_operation());
    for waits in [gone.as_mut(), given.as_mut(), last.as_mut()] {
        assert!(poll(waits).is_pending());
    }
    drop(gone);
    drop(first);
    assert!(poll(last.as_mut()).is_pending(), "it is given to the one before");
    drop(given);
    assert!(poll(last.as_mut()).is_ready());
    assert!(is_free(&context));
}

#[test]
fn nobody_is_left_with_a_turn_that_nobody_has() {
    let context = context();
    let first = context.try_begin_operation().expect("nobody has it");
    let mut waits = Box::pin(context.wait_for_operation());
    assert!(poll(waits.as_mut()).is_pending());
    drop(waits);
    drop(first);
    assert!(is_free(&context));
}

/// Threads that take turns and give up now and then: never two at once, and the turn is free in the end.
#[test]
fn it_is_lost_by_nobody_who_gives_up() {
    const ROUNDS: usize = 2_000;
    let context = context();
    let (inside, taken) = (AtomicUsize::new(0), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let (context, inside, taken) = (&context, &inside, &taken);
            scope.spawn(move || {
                for round in 0..ROUNDS {
                    let mut waits = Box::pin(context.wait_for_operation());
                    // Every third time nobody stays until the turn is there.
                    let stays = (round + thread) % 3 != 0;
                    let end = Instant::now() + Duration::from_secs(60);
                    for polled in 1.. {
                        if !stays && polled > 2 {
                            break;
                        }
                        assert!(Instant::now() < end, "the turn is lost");
                        if let Poll::Ready(turn) = poll(waits.as_mut()) {
                            assert_eq!(inside.fetch_add(1, Ordering::SeqCst), 0);
                            taken.fetch_add(1, Ordering::SeqCst);
                            std::thread::yield_now();
                            inside.fetch_sub(1, Ordering::SeqCst);
                            drop(turn);
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

/// A waker is code of others: it may use the visit, as whoever is polled at once by it does.
#[test]
fn who_is_woken_may_call_back() {
    struct CallsBack(Arc<Context>, AtomicUsize);

    impl std::task::Wake for CallsBack {
        fn wake(self: Arc<Self>) {
            assert!(!is_free(&self.0), "it has just been given away");
            self.1.fetch_add(1, Ordering::SeqCst);
        }
    }

    let context = context();
    let first = context.try_begin_operation().expect("nobody has it");
    let calls = Arc::new(CallsBack(Arc::clone(&context), AtomicUsize::new(0)));
    let waker = Waker::from(Arc::clone(&calls));
    let mut waits = pin!(context.wait_for_operation());
    assert!(waits.as_mut().poll(&mut TaskContext::from_waker(&waker)).is_pending());
    drop(first);
    assert_eq!(calls.1.load(Ordering::SeqCst), 1);
    assert!(poll(waits.as_mut()).is_ready());
    assert!(is_free(&context));
}

/// A call that waits is dropped with the runtime it waits in.
#[test]
fn a_runtime_that_ends_takes_its_waiters_along() {
    let context = context();
    let first = context.try_begin_operation().expect("nobody has it");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
    let runtime = runtime.expect("a runtime of one thread");
    let waits = Arc::clone(&context);
    runtime.spawn(async move { waits.begin_operation().await.map(drop) });
    runtime.block_on(tokio::task::yield_now());
    drop(runtime);
    drop(first);
    assert!(is_free(&context));
}

/// A panic under a turn passes it on like any other end of it.
#[test]
fn a_panic_passes_it_on() {
    let context = context();
    let held = std::panic::AssertUnwindSafe(&context);
    let panicked = std::panic::catch_unwind(|| {
        let _turn = held.try_begin_operation().expect("nobody has it");
        panic!("on purpose");
    });
    assert!(panicked.is_err());
    assert!(is_free(&context));
}
