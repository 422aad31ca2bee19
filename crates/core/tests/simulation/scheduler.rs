//! A scheduler that decides by a seed which task goes on next, and the fates of futures: to be dropped, or left alone.
//!
//! It runs as one future on a tokio runtime with paused time. Whenever no task can go on, it lets the runtime have its
//! way, which runs what was spawned in the background and then moves the clock to the next timer.

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
const TOO_MANY_POLLS: u32 = 100_000;

/// Tasks that wake each other for ever, though no time passes.
#[derive(Debug)]
pub(crate) struct Spinning;

/// Whether a task was woken, and whom to wake for it.
struct Wakeup {
    ready: AtomicBool,
    scheduler: Arc<Mutex<Option<Waker>>>,
}

impl Wake for Wakeup {
    fn wake(self: Arc<Self>) {
        self.ready.store(true, Ordering::SeqCst);
        let scheduler = self.scheduler.lock().expect("nobody panics with it").clone();
        if let Some(scheduler) = scheduler {
            scheduler.wake();
        }
    }
}

/// Runs all tasks to their ends, one poll at a time, in an order that `rng` decides.
pub(crate) async fn run_all(tasks: Vec<Task<'_>>, mut rng: Rng) -> Result<(), Spinning> {
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
        *scheduler.lock().expect("nobody panics with it") = Some(cx.waker().clone());
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
            if polls > TOO_MANY_POLLS {
                return Poll::Ready(Err(Spinning));
            }
            // What is done in the background has its turns too.
            if rng.percent(10) {
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            let index = *rng.pick(&ready);
            wakeups[index].ready.store(false, Ordering::SeqCst);
            let waker = Waker::from(Arc::clone(&wakeups[index]));
            let task = tasks[index].as_mut().expect("those that are ready are there");
            if task.as_mut().poll(&mut Context::from_waker(&waker)).is_ready() {
                tasks[index] = None;
            }
        }
    })
    .await
}

/// Lets others go on first.
pub(crate) async fn step_back() {
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

/// What becomes of the future of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It is polled whenever it is woken, until it is done.
    Runs,
    /// It is dropped after so many polls.
    Dropped(u32),
    /// It is not polled for a while after so many polls, and then goes on or is dropped.
    Stalls { polls: u32, pause: Duration, dropped: bool },
}

thread_local! {
    static CALL: Cell<Option<u32>> = const { Cell::new(None) };
}

/// The number of the call that is being polled; `None` for what is done in the background.
pub(crate) fn current_call() -> Option<u32> {
    CALL.get()
}

/// A call that meets its fate. Its output is `None` if it was dropped.
pub(crate) struct Fated<F> {
    call: u32,
    fate: Fate,
    polls: u32,
    pause: Option<Pin<Box<Sleep>>>,
    future: Option<Pin<Box<F>>>,
}

impl<F: Future> Fated<F> {
    pub(crate) fn new(call: u32, fate: Fate, future: F) -> Self {
        Self {
            call,
            fate,
            polls: 0,
            pause: None,
            future: Some(Box::pin(future)),
        }
    }

    /// Sees to it that whatever the call does is known to be done by it.
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

impl<F: Future> Future for Fated<F> {
    type Output = Option<F::Output>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        match this.fate {
            Fate::Dropped(polls) if this.polls >= polls => return this.end(),
            Fate::Stalls { polls, pause, dropped } if this.polls >= polls => {
                let pause = this.pause.get_or_insert_with(|| Box::pin(sleep(pause)));
                if pause.as_mut().poll(cx).is_pending() {
                    return Poll::Pending;
                }
                if dropped {
                    return this.end();
                }
                this.fate = Fate::Runs;
            }
            _ => {}
        }
        this.polls += 1;
        let polled = this.within(|this| {
            let future = this.future.as_mut().expect("it is not polled after it was done");
            let polled = future.as_mut().poll(cx);
            if polled.is_ready() {
                this.future = None;
            }
            polled
        });
        if polled.is_pending() && this.fate != Fate::Runs {
            // Its fate does not wait until it is woken.
            cx.waker().wake_by_ref();
        }
        polled.map(Some)
    }
}
