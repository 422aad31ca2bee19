//! [`Refresh`]: learning anew, once for all that want it and not too often.

use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::task::yield_now;
use tokio::time::{Instant, sleep_until, timeout, timeout_at};

use super::has_runtime_begun_to_end;
use crate::error::Failure;

/// How much time passes between one refresh and the next, at least.
const INTERVAL: Duration = Duration::from_millis(250);

/// Something that is learnt from servers, and can be learnt anew.
pub(super) trait Learns: Send + Sync + 'static {
    fn refresh(&self) -> &Refresh;
    /// How long learning may take.
    fn limit(&self) -> Duration;
    /// Learns it.
    fn learn(self: Arc<Self>) -> impl Future<Output = Result<(), Failure>> + Send;
}

/// Whether something is being learnt, and whether that is over.
#[derive(Debug, Default)]
pub(super) struct Refresh {
    turn: Mutex<Turn>,
    over: Notify,
}

#[derive(Debug, Default)]
struct Turn {
    /// How many refreshes have begun, and how many of them are over.
    begun: u64,
    over: u64,
    /// The last that is wanted: what has begun already may have come too soon to learn it.
    wanted: u64,
    /// How the last one failed, if it did.
    failure: Option<Failure>,
    not_before: Option<Instant>,
    /// How many tasks there have been that see to it. Tells the present one from those before it.
    tasks: u64,
    /// The one that sees to it, and until when it must be done.
    task: Option<(u64, Instant)>,
}

impl Turn {
    /// Whether this is the task that sees to it.
    fn is_seen_to_by(&self, number: u64) -> bool {
        self.task.is_some_and(|(present, _)| present == number)
    }
}

impl Refresh {
    fn turn(&self) -> MutexGuard<'_, Turn> {
        self.turn.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Has it learnt anew soon, and does not wait for that. Returns the number of the refresh that will do.
pub(super) fn want<T: Learns>(subject: &Arc<T>) -> u64 {
    let mut turn = subject.refresh().turn();
    let wanted = turn.begun + 1;
    turn.wanted = wanted;
    let now = Instant::now();
    // One that is not done by then is in a runtime that nobody drives any longer.
    if turn.task.is_none_or(|(_, until)| now >= until) {
        turn.tasks += 1;
        let number = turn.tasks;
        turn.task = Some((number, patience(now, subject.limit())));
        drop(turn);
        let subject = Arc::clone(subject);
        tokio::spawn(Task { subject, number }.run());
    }
    wanted
}

/// Has it learnt anew and waits for that.
pub(super) async fn fresh<T: Learns>(subject: &Arc<T>, deadline: Instant) -> Result<(), Failure> {
    let wanted = want(subject);
    let mut has_ended = false;
    loop {
        if std::mem::take(&mut has_ended) {
            // Where our runtime is the one that ends, a task that is spawned ends at once, and so on for ever. This is
            // dropped when it gives way.
            yield_now().await;
        }
        let mut over = pin!(subject.refresh().over.notified());
        over.as_mut().enable();
        {
            let turn = subject.refresh().turn();
            if turn.over >= wanted {
                return turn.failure.clone().map_or(Ok(()), Err);
            }
            if turn.task.is_none() {
                drop(turn);
                if Instant::now() >= deadline {
                    return Err(Failure::Timeout);
                }
                // It has ended with its runtime.
                has_ended = true;
                want(subject);
            }
        }
        timeout_at(deadline, over).await.map_err(|_| Failure::Timeout)?;
    }
}

fn patience(now: Instant, limit: Duration) -> Instant {
    now + (limit + INTERVAL) * 2
}

/// The task that sees to it.
struct Task<T: Learns> {
    subject: Arc<T>,
    number: u64,
}

impl<T: Learns> Task<T> {
    async fn run(self) {
        while let Some((refresh, not_before)) = self.next() {
            if let Some(not_before) = not_before {
                sleep_until(not_before).await;
            }
            {
                let mut turn = self.turn();
                if !turn.is_seen_to_by(self.number) {
                    return;
                }
                turn.begun = refresh;
            }
            let learnt = timeout(self.subject.limit(), Arc::clone(&self.subject).learn()).await;
            if !matches!(learnt, Ok(Ok(()))) && has_runtime_begun_to_end().await {
                // Callers who wait elsewhere see to it by themselves.
                return;
            }
            let mut turn = self.turn();
            // It may have taken so long that another has taken over, and is further.
            if !turn.is_seen_to_by(self.number) {
                return;
            }
            turn.over = refresh;
            turn.failure = learnt.unwrap_or(Err(Failure::Timeout)).err();
            turn.not_before = Some(Instant::now() + INTERVAL);
            drop(turn);
            self.subject.refresh().over.notify_waiters();
        }
    }

    fn turn(&self) -> MutexGuard<'_, Turn> {
        self.subject.refresh().turn()
    }

    /// The refresh to make, and when; `None` if no more is wanted, or another task has taken over.
    fn next(&self) -> Option<(u64, Option<Instant>)> {
        let mut turn = self.turn();
        if !turn.is_seen_to_by(self.number) {
            return None;
        }
        if turn.over >= turn.wanted {
            turn.task = None;
            return None;
        }
        turn.task = Some((self.number, patience(Instant::now(), self.subject.limit())));
        Some((turn.begun + 1, turn.not_before))
    }
}

impl<T: Learns> Drop for Task<T> {
    fn drop(&mut self) {
        let mut turn = self.turn();
        if turn.is_seen_to_by(self.number) {
            turn.task = None;
            drop(turn);
            self.subject.refresh().over.notify_waiters();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;
    use std::sync::mpsc;
    use std::thread;

    use tokio::runtime::Builder;

    use super::*;
    use crate::net::ending::{SOON, in_a_runtime_that_ends};

    const MINUTE: Duration = Duration::from_secs(60);

    /// There is no end of learning it.
    #[derive(Default)]
    struct Endless(Refresh);

    impl Learns for Endless {
        fn refresh(&self) -> &Refresh {
            &self.0
        }

        fn limit(&self) -> Duration {
            MINUTE
        }

        async fn learn(self: Arc<Self>) -> Result<(), Failure> {
            pending().await
        }
    }

    #[test]
    fn who_waits_in_a_runtime_that_ends_does_not_keep_it() {
        in_a_runtime_that_ends(async {
            let subject = Arc::new(Endless::default());
            let _ = fresh(&subject, Instant::now() + MINUTE).await;
        });
    }

    /// It is learnt by a task.
    #[derive(Default)]
    struct Learnable(Refresh);

    impl Learns for Learnable {
        fn refresh(&self) -> &Refresh {
            &self.0
        }

        fn limit(&self) -> Duration {
            MINUTE
        }

        async fn learn(self: Arc<Self>) -> Result<(), Failure> {
            tokio::spawn(async {}).await.map_err(|_| Failure::Timeout)
        }
    }

    #[test]
    fn that_nothing_is_learnt_in_a_runtime_that_ends_is_no_news_to_others() {
        let subject = Arc::new(Learnable::default());
        let number = 1;
        *subject.0.turn() = Turn {
            wanted: 1,
            tasks: number,
            task: Some((number, Instant::now() + MINUTE)),
            ..Turn::default()
        };
        let task = Task {
            subject: Arc::clone(&subject),
            number,
        };
        in_a_runtime_that_ends(task.run());
        assert_eq!(subject.0.turn().over, 0);
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        let learnt = runtime.block_on(fresh(&subject, Instant::now() + MINUTE));
        assert!(learnt.is_ok(), "{learnt:?}");
    }

    #[test]
    fn who_waits_on_the_handle_of_a_runtime_that_has_ended_waits_no_longer_than_wanted() {
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        let handle = runtime.handle().clone();
        drop(runtime);
        let (done, outcome) = mpsc::channel();
        thread::spawn(move || {
            let subject = Arc::new(Endless::default());
            let deadline = Instant::now() + Duration::from_millis(20);
            done.send(handle.block_on(fresh(&subject, deadline)))
        });
        let outcome = outcome.recv_timeout(SOON).expect("it gives up");
        assert!(matches!(outcome, Err(Failure::Timeout)), "{outcome:?}");
    }
}
