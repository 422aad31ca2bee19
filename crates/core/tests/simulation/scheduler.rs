//! A scheduler that selects the next task by a seed, and interruptions of futures: they are dropped or count_stall.
//!
//! It runs as one future on a tokio runtime with paused time. If no task is ready, it yields to the runtime, which runs
//! spawned background tasks and then advances the clock to the next timer.

use std::cell::Cell;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use tokio::time::{Sleep, sleep};

use crate::rng::Rng;

pub(crate) type Task<'a> = Pin<Box<dyn Future<Output = ()> + 'a>>;

/// More polls than any run needs.
const MAX_POLLS: u32 = 100_000;

/// The tasks wake each other endlessly while no time passes.
#[derive(Debug)]
pub(crate) struct Livelock;

/// The waker of a task: marks it as ready and wakes the scheduler.
struct Wakeup {
    ready: AtomicBool,
    scheduler: Arc<Mutex<Option<Waker>>>,
}

impl Wake for Wakeup {
    fn wake(self: Arc<Self>) {
        self.ready.store(true, Ordering::SeqCst);
        let scheduler = self.scheduler.lock().expect("the mutex is never poisoned").clone();
        if let Some(scheduler) = scheduler {
            scheduler.wake();
        }
    }
}

/// Runs all tasks to completion, one poll at a time, in an order that `rng` determines.
pub(crate) async fn run_all(tasks: Vec<Task<'_>>, mut rng: Rng) -> Result<(), Livelock> {
    let scheduler = Arc::new(Mutex::new(None));
    let wakeup = |_: &Task<'_>| {
        Arc::new(Wakeup {
            ready: AtomicBool::new(true),
            scheduler: Arc::clone(&scheduler),
        })
    };
    let wakeups: Vec<_> = tasks.iter().map(wakeup).collect();
    let mut tasks: Vec<_> = tasks.into_iter().map(Some).collect();
    let mut polls = 0;
    poll_fn(move |cx| {
        *scheduler.lock().expect("the mutex is never poisoned") = Some(cx.waker().clone());
        loop {
            if tasks.iter().all(Option::is_none) {
                return Poll::Ready(Ok(()));
            }
            let is_ready = |index: &usize| tasks[*index].is_some() && wakeups[*index].ready.load(Ordering::SeqCst);
            let ready: Vec<usize> = (0..tasks.len()).filter(is_ready).collect();
            if ready.is_empty() {
                return Poll::Pending;
            }
            polls += 1;
            if polls > MAX_POLLS {
                return Poll::Ready(Err(Livelock));
            }
            // Background tasks need the runtime, too.
            if rng.percent(10) {
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            let index = *rng.pick(&ready);
            wakeups[index].ready.store(false, Ordering::SeqCst);
            let waker = Waker::from(Arc::clone(&wakeups[index]));
            let task = tasks[index].as_mut().expect("a ready task is not completed");
            if task.as_mut().poll(&mut Context::from_waker(&waker)).is_ready() {
                tasks[index] = None;
            }
        }
    })
    .await
}

/// Yields to other tasks once.
pub(crate) async fn yield_once() {
    let mut stepped = false;
    poll_fn(|cx| {
        if stepped {
            return Poll::Ready(());
        }
        stepped = true;
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

/// The interruption of the future of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Interruption {
    /// It is polled whenever it is woken, until it completes.
    None,
    /// It is dropped after the given number of polls.
    Drop(u32),
    /// It is not polled for a while after the given number of polls, and then continues or is dropped.
    Stall { polls: u32, pause: Duration, dropped: bool },
}

thread_local! {
    static CALL: Cell<Option<u32>> = const { Cell::new(None) };
}

/// Returns the number of the call that is being polled; `None` in background tasks.
pub(crate) fn current_call() -> Option<u32> {
    CALL.get()
}

/// A call with its interruption. The output is `None` if the call was dropped.
pub(crate) struct Interruptible<F> {
    call: u32,
    interruption: Interruption,
    polls: u32,
    pause: Option<Pin<Box<Sleep>>>,
    future: Option<Pin<Box<F>>>,
}

impl<F: Future> Interruptible<F> {
    pub(crate) fn new(call: u32, interruption: Interruption, future: F) -> Self {
        Self {
            call,
            interruption,
            polls: 0,
            pause: None,
            future: Some(Box::pin(future)),
        }
    }

    /// Runs a function as part of this call, so that its effects are attributed to the call.
    fn within<R>(&mut self, f: impl FnOnce(&mut Self) -> R) -> R {
        let before = CALL.replace(Some(self.call));
        let result = f(self);
        CALL.set(before);
        result
    }

    fn end(&mut self) -> Poll<Option<F::Output>> {
        self.within(|this| this.future = None);
        Poll::Ready(None)
    }
}

impl<F: Future> Future for Interruptible<F> {
    type Output = Option<F::Output>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        match this.interruption {
            Interruption::Drop(polls) if this.polls >= polls => return this.end(),
            Interruption::Stall { polls, pause, dropped } if this.polls >= polls => {
                let pause = this.pause.get_or_insert_with(|| Box::pin(sleep(pause)));
                if pause.as_mut().poll(cx).is_pending() {
                    return Poll::Pending;
                }
                if dropped {
                    return this.end();
                }
                this.interruption = Interruption::None;
            }
            _ => {}
        }
        this.polls += 1;
        let polled = this.within(|this| {
            let future = this.future.as_mut().expect("not polled after completion");
            let polled = future.as_mut().poll(cx);
            if polled.is_ready() {
                this.future = None;
            }
            polled
        });
        if polled.is_pending() && this.interruption != Interruption::None {
            // The interruption is due after the next poll, even without a wake-up.
            cx.waker().wake_by_ref();
        }
        polled.map(Some)
    }
}
