//! Time that moves when a test says so, as far as the checker lets it.

use std::collections::BTreeMap;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use sessile_core::{Clock, Timestamp};
use shuttle::sync::Mutex;

/// What the clock shows when a test begins, in milliseconds.
const START: u64 = 1_000_000;

shuttle::lazy_static! {
    static ref TIME: Mutex<Time> = Mutex::new(Time::default());
}

#[derive(Default)]
struct Time {
    passed: u64,
    sleepers: BTreeMap<u64, (Instant, Waker)>,
    alarms: u64,
}

/// Moves time on, and wakes those whose moment has come.
pub(super) fn advance(by: Duration) {
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

/// A clock that shows this time.
#[derive(Debug)]
pub(super) struct ModelClock;

impl Clock for ModelClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(START + Instant::now().0)
    }
}

/// A moment of this time, as [`tokio::time::Instant`] is of tokio's.
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

/// Stands in for the alarm that sleeps on tokio's timers.
#[derive(Default)]
pub(crate) struct Alarm(Option<u64>);

impl Alarm {
    pub(crate) fn poll_at(&mut self, moment: Instant, cx: &mut Context<'_>) -> Poll<()> {
        let mut time = TIME.lock().unwrap();
        if moment.0 <= time.passed {
            return Poll::Ready(());
        }
        let alarm = *self.0.get_or_insert_with(|| {
            time.alarms += 1;
            time.alarms
        });
        time.sleepers.insert(alarm, (moment, cx.waker().clone()));
        Poll::Pending
    }
}

impl Drop for Alarm {
    fn drop(&mut self) {
        if let Some(alarm) = self.0 {
            let sleeper = TIME.lock().unwrap().sleepers.remove(&alarm);
            drop(sleeper);
        }
    }
}
