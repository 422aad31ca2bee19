//! A model of time that moves when a test moves it.

use std::collections::BTreeMap;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use sessile_core::{Clock, Timestamp};
use shuttle::sync::Mutex;

/// The time of the clock at the start of a test, in milliseconds.
const START: u64 = 1_000_000;

shuttle::lazy_static! {
    static ref TIME: Mutex<Time> = Mutex::new(Time::default());
}

#[derive(Default)]
struct Time {
    passed: u64,
    sleepers: BTreeMap<u64, (Instant, Waker)>,
    timers: u64,
}

/// Advances time, and wakes the timers that are due.
pub(crate) fn advance(by: Duration) {
    let mut time = TIME.lock().unwrap();
    time.passed += u64::try_from(by.as_millis()).unwrap();
    let now = Instant(time.passed);
    let (due, later): (BTreeMap<_, _>, _) = std::mem::take(&mut time.sleepers)
        .into_iter()
        .partition(|(_, (moment, _))| *moment <= now);
    time.sleepers = later;
    drop(time);
    due.into_iter().for_each(|(_, (_, waker))| waker.wake());
}

/// A clock that shows the model's time.
#[derive(Debug)]
pub(crate) struct ModelClock;

impl Clock for ModelClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(START + Instant::now().0)
    }
}

/// A moment of the model's time, in place of [`tokio::time::Instant`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Instant(u64);

impl Instant {
    pub(crate) fn now() -> Self {
        Self(TIME.lock().unwrap().passed)
    }

    pub(crate) fn checked_add(self, duration: Duration) -> Option<Self> {
        self.0.checked_add(u64::try_from(duration.as_millis()).ok()?).map(Self)
    }
}

/// A timer of the model, in place of one of tokio's.
#[derive(Default)]
pub(crate) struct Timer(Option<u64>);

impl Timer {
    pub(crate) fn poll_at(&mut self, moment: Instant, cx: &mut Context<'_>) -> Poll<()> {
        let mut time = TIME.lock().unwrap();
        if moment.0 <= time.passed {
            return Poll::Ready(());
        }
        let timer = *self.0.get_or_insert_with(|| {
            time.timers += 1;
            time.timers
        });
        time.sleepers.insert(timer, (moment, cx.waker().clone()));
        Poll::Pending
    }
}

impl Drop for Timer {
    fn drop(&mut self) {
        if let Some(timer) = self.0 {
            let sleeper = TIME.lock().unwrap().sleepers.remove(&timer);
            drop(sleeper);
        }
    }
}
