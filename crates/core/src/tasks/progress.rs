//! [`TaskProgress`]: how far tasks on many sessions have come.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The number of tasks at a time, unless the application sets another.
const DEFAULT_CONCURRENCY: usize = 16;

/// The progress of [`run_in_each`](crate::Session::run_in_each) or [`run_in_all`](crate::Session::run_in_all).
///
/// It is cheap to clone, and can be shown elsewhere while the tasks run.
///
/// ```
/// use sessile_core::{Session, SessionError};
/// use sessile_memory::MemoryStorage;
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// let session: Session = Session::builder(MemoryStorage::new()).build();
/// let tasks = session.run_in_all(async || Ok(()));
/// let progress = tasks.progress();
/// tasks.collect().await;
/// assert_eq!((progress.done(), progress.total()), (0, Some(0)));
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct TaskProgress(Arc<Shared>);

/// The controls and the counts of running tasks.
#[derive(Debug)]
struct Shared {
    concurrency: AtomicUsize,
    done: AtomicUsize,
    failed: AtomicUsize,
    /// [`UNKNOWN`] as long as the end of the keys is not known.
    total: AtomicUsize,
}

const UNKNOWN: usize = usize::MAX;

// Relaxed throughout: the counts publish no other data.
impl TaskProgress {
    pub(super) fn new() -> Self {
        Self(Arc::new(Shared {
            concurrency: AtomicUsize::new(DEFAULT_CONCURRENCY),
            done: AtomicUsize::new(0),
            failed: AtomicUsize::new(0),
            total: AtomicUsize::new(UNKNOWN),
        }))
    }

    /// Returns the number of sessions on which the task has ended, whatever its result.
    #[must_use]
    pub fn done(&self) -> usize {
        self.0.done.load(Ordering::Relaxed)
    }

    /// Returns the number of those whose result is an error, such as sessions that have ended.
    #[must_use]
    pub fn failed(&self) -> usize {
        self.0.failed.load(Ordering::Relaxed)
    }

    /// Returns the number of sessions; `None` as long as it is not known, such as while the storage is being scanned.
    #[must_use]
    pub fn total(&self) -> Option<usize> {
        let total = self.0.total.load(Ordering::Relaxed);
        (total != UNKNOWN).then_some(total)
    }

    pub(super) fn concurrency(&self) -> usize {
        self.0.concurrency.load(Ordering::Relaxed)
    }

    pub(super) fn set_concurrency(&self, tasks: usize) {
        self.0.concurrency.store(tasks.max(1), Ordering::Relaxed);
    }

    pub(super) fn set_total(&self, total: usize) {
        self.0.total.store(total, Ordering::Relaxed);
    }

    pub(super) fn count(&self, is_failure: bool) {
        self.0.done.fetch_add(1, Ordering::Relaxed);
        self.0.failed.fetch_add(usize::from(is_failure), Ordering::Relaxed);
    }
}
