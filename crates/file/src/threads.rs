//! The threads on which a storage blocks: its own.
//!
//! Nothing depends on the room in a runtime's pool of blocking threads, which the application may have filled, nor on
//! the life of a runtime. Threads are made when there is something to do for them, and end when there is nothing.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use sessile_core::{LockTicket, StorageError, StorageErrorKind};
use tokio::runtime::Handle;
use tokio::sync::oneshot;

use crate::failure::Failure;

/// How many steps are taken at a time, at most. Most of them wait for the disk, and those that wait together are
/// synced together.
const STEPS: usize = 128;

/// How many threads are set apart for renewals, which must not wait behind other steps. Each may wait for the mutex of one
/// who stands still, and that one may have those of many stripes.
const KEEPERS: usize = 32;

/// How many are set apart for releases, of which there may be many at a time.
const RELEASERS: usize = 8;

/// How long a thread stays that has nothing to do.
const LINGER: Duration = Duration::from_secs(10);

/// A piece of work for a thread.
type Job = Box<dyn FnOnce() + Send>;

/// The threads of one storage. They end with it.
pub(crate) struct Threads {
    steps: Lane,
    keepers: Lane,
    releasers: Lane,
    /// Time that is paused in a test stands still for the blocking threads of the runtime, and for no others.
    of_the_runtime: bool,
}

/// The kind of a piece of work, which decides what it waits behind.
#[derive(Clone, Copy)]
pub(crate) enum Duty {
    /// A step like any other.
    Step,
    /// Keeping a lock: it waits behind nothing else.
    Keep,
    /// Giving a lock up: it does not wait behind other steps.
    GiveUp,
}

impl Threads {
    pub(crate) fn new(of_the_runtime: bool) -> Self {
        Self {
            steps: Lane::new("sessile-file", STEPS),
            keepers: Lane::new("sessile-file-keeper", KEEPERS),
            releasers: Lane::new("sessile-file-releaser", RELEASERS),
            of_the_runtime,
        }
    }

    /// Takes a step that blocks. Once begun it is finished, whether anyone waits for it or not.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        duty: Duty,
        (operation, storage): (&'static str, &'static str),
        step: impl FnOnce() -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, StorageError> {
        let unavailable = |why| StorageError::new(StorageErrorKind::Unavailable, operation, storage).with_source(why);
        let (answer, answered) = oneshot::channel();
        // All that the step holds is dropped before it is answered.
        let job = Box::new(move || drop(answer.send(catch_unwind(AssertUnwindSafe(step)))));
        if self.begin(duty, job).is_err() {
            return Err(unavailable("there are no threads to be had"));
        }
        match answered.await {
            Ok(Ok(taken)) => taken.map_err(|failure| failure.into_error(operation, storage)),
            Ok(Err(panic)) => std::panic::resume_unwind(panic),
            Err(_) => Err(unavailable("the runtime is going down")),
        }
    }

    /// Gives up a lock whose holder went away, in the background.
    pub(crate) fn give_up_soon(&self, locks: Arc<dyn GiveUp>, ticket: LockTicket) {
        let mut left = Left {
            locks,
            ticket: Some(ticket),
        };
        // Without a thread it happens here and now, when what was to be moved there is dropped.
        drop(self.begin(Duty::GiveUp, Box::new(move || left.give_up())));
    }

    fn begin(&self, duty: Duty, job: Job) -> Result<(), Job> {
        if self.of_the_runtime
            && let Ok(runtime) = Handle::try_current()
        {
            runtime.spawn_blocking(job);
            return Ok(());
        }
        match duty {
            Duty::Step => self.steps.begin(job),
            Duty::Keep => self.keepers.begin(job),
            Duty::GiveUp => self.releasers.begin(job),
        }
    }
}

/// Jobs that wait for a thread, and the threads that wait for jobs.
struct Lane {
    shared: Arc<Shared>,
    name: &'static str,
    limit: usize,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    jobs: VecDeque<Job>,
    threads: usize,
    /// How many of the threads wait for a job, those included that are about to find one.
    idle: usize,
    closed: bool,
}

impl Lane {
    fn new(name: &'static str, limit: usize) -> Self {
        Self {
            shared: Arc::default(),
            name,
            limit,
        }
    }

    /// Hands a job to a thread. It comes back if there is none and none can be made.
    fn begin(&self, job: Job) -> Result<(), Job> {
        let mut state = self.shared.state();
        if state.jobs.len() >= state.idle && state.threads < self.limit {
            let shared = self.shared.clone();
            match thread::Builder::new()
                .name(self.name.into())
                .spawn(move || shared.work())
            {
                Ok(_) => state.threads += 1,
                Err(_) if state.threads == 0 => return Err(job),
                // The threads that are there come to it in time.
                Err(_) => {}
            }
        }
        state.jobs.push_back(job);
        let wake = state.idle > 0;
        drop(state);
        if wake {
            self.shared.changed.notify_one();
        }
        Ok(())
    }
}

impl Drop for Lane {
    fn drop(&mut self) {
        self.shared.state().closed = true;
        self.shared.changed.notify_all();
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn work(&self) {
        let mut state = self.state();
        loop {
            if let Some(job) = state.jobs.pop_front() {
                drop(state);
                // A panic is for those who wait for the job; they are told of it where they are.
                let _ = catch_unwind(AssertUnwindSafe(job));
                state = self.state();
                continue;
            }
            if state.closed {
                break;
            }
            state.idle += 1;
            let nothing = |state: &mut State| state.jobs.is_empty() && !state.closed;
            let waited = self.changed.wait_timeout_while(state, LINGER, nothing);
            let waited = waited.unwrap_or_else(PoisonError::into_inner);
            state = waited.0;
            state.idle -= 1;
            if waited.1.timed_out() && state.jobs.is_empty() {
                break;
            }
        }
        state.threads -= 1;
    }
}

/// Locks that can be given up.
pub(crate) trait GiveUp: Send + Sync + 'static {
    /// Gives up a lock, if it is still held by this holder, and tells those who wait.
    fn give_up(&self, ticket: &LockTicket);
}

/// A lock to be given up, at the latest when this is dropped: a runtime that goes down drops what it has not begun.
struct Left {
    locks: Arc<dyn GiveUp>,
    ticket: Option<LockTicket>,
}

impl Left {
    fn give_up(&mut self) {
        if let Some(ticket) = self.ticket.take() {
            self.locks.give_up(&ticket);
        }
    }
}

impl Drop for Left {
    fn drop(&mut self) {
        self.give_up();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Barrier;
    use std::sync::mpsc::{Receiver, channel};

    use sessile_core::{LockToken, OsEntropy, SessionId};

    use super::*;

    const SOON: Duration = Duration::from_secs(20);

    /// Gives up a lock once the sender is dropped.
    struct Stuck(Mutex<Receiver<()>>);

    impl GiveUp for Stuck {
        fn give_up(&self, _: &LockTicket) {
            let _ = self.0.lock().expect("the gate").recv_timeout(2 * SOON);
        }
    }

    /// As while a process stands still that has many stripes.
    #[tokio::test]
    async fn a_renewal_waits_neither_for_releases_nor_for_a_few_renewals() {
        let threads = Arc::new(Threads::new(false));
        let (go_on, gate) = channel();
        let stuck = Arc::new(Stuck(Mutex::new(gate)));
        let key = SessionId::generate(&OsEntropy).key();
        let ticket = LockTicket::new(key, LockToken::generate(&OsEntropy));
        for _ in 0..100 {
            threads.give_up_soon(stuck.clone(), ticket);
        }
        // They wait for each other, so all of them must have a thread.
        let all = Arc::new(Barrier::new(20));
        let renewals: Vec<_> = (0..20)
            .map(|_| {
                let (threads, all) = (threads.clone(), all.clone());
                tokio::spawn(async move {
                    let step = move || {
                        all.wait();
                        Ok(())
                    };
                    threads.run(Duty::Keep, ("renew", "test"), step).await
                })
            })
            .collect();
        for renewal in renewals {
            let renewed = tokio::time::timeout(SOON, renewal).await.expect("a renewal waits");
            renewed.expect("no panic").expect("renew");
        }
        drop(go_on);
    }
}
