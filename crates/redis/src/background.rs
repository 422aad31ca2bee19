//! [`Background`]: work that no caller waits for, such as releasing the locks that were dropped.
//!
//! The work runs in the runtime in which it was spawned. If there is none, or if that runtime shuts down before the
//! work is done, a dedicated thread does it, with a runtime and connections of its own: the connections of the storage
//! may be driven by the runtime that shuts down. The thread is started when it is needed and ends after an idle time.

use std::pin::Pin;
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

use crate::error::Failure;
use crate::sync::lock;

/// The idle time after which the thread ends.
const LINGER: Duration = Duration::from_secs(1);

type BoxFuture = Pin<Box<dyn Future<Output = ()> + Send>>;
type Work<C> = Arc<dyn Fn(Arc<C>) -> BoxFuture + Send + Sync>;
type MakeClient<C> = Arc<dyn Fn() -> Arc<C> + Send + Sync>;

/// The background work of a client.
pub(crate) struct Background<C> {
    /// The amount of work, wherever it is done.
    pending: Arc<watch::Sender<usize>>,
    /// The queue of the thread, if there has been one.
    thread: Mutex<Option<mpsc::UnboundedSender<ThreadJob<C>>>>,
    /// The amount of work that is left to the thread.
    left: Arc<Count>,
    /// Makes the client of the thread.
    make_client: MakeClient<C>,
}

impl<C: Send + Sync + 'static> Background<C> {
    pub(crate) fn new(make_client: impl Fn() -> Arc<C> + Send + Sync + 'static) -> Arc<Self> {
        Arc::new(Self {
            pending: Arc::new(watch::Sender::new(0)),
            thread: Mutex::default(),
            left: Arc::default(),
            make_client: Arc::new(make_client),
        })
    }

    /// Does work that no caller waits for. It may be started more than once.
    pub(crate) fn spawn<F>(self: &Arc<Self>, client: Arc<C>, work: impl Fn(Arc<C>) -> F + Send + Sync + 'static)
    where
        F: Future<Output = Result<(), Failure>> + Send + 'static,
    {
        let work: Work<C> = Arc::new(move |client| {
            let work = work(client);
            Box::pin(async move {
                // A lock whose release fails ends with its lease.
                let _ = work.await;
            })
        });
        let job = RuntimeJob {
            background: Arc::clone(self),
            client,
            work,
            pending: Some(Pending::new(&self.pending)),
        };
        // Without a runtime the job is dropped here, which leaves it to the thread.
        if let Ok(runtime) = Handle::try_current() {
            runtime.spawn(job.run());
        }
    }

    /// Waits until no work is pending.
    pub(crate) async fn idle(&self) {
        let mut pending = self.pending.subscribe();
        let _ = pending.wait_for(|pending| *pending == 0).await;
    }

    fn leave_to_thread(&self, work: Work<C>, pending: Pending) {
        let mut job = ThreadJob {
            work,
            _pending: pending,
            _counted: Counted::new(&self.left),
        };
        let mut thread = lock(&self.thread);
        if let Some(sender) = &*thread {
            match sender.send(job) {
                Ok(()) => return,
                // The thread has just ended.
                Err(refused) => job = refused.0,
            }
        }
        let (sender, receiver) = mpsc::unbounded_channel();
        let make_client = Arc::clone(&self.make_client);
        let started = thread::Builder::new()
            .name("sessile-redis".into())
            .spawn(move || run_thread(&make_client, receiver));
        // If no thread can be started, the job is dropped, and the lock ends with its lease.
        if started.is_ok() && sender.send(job).is_ok() {
            *thread = Some(sender);
        }
    }

    /// Blocks this thread until no work is left to the background thread, or the time limit is over.
    pub(crate) fn wait_for_thread(&self, limit: Duration) {
        // Closes the queue, so that the thread does not linger.
        *lock(&self.thread) = None;
        let left = lock(&self.left.number);
        let _ = self.left.less.wait_timeout_while(left, limit, |left| *left > 0);
    }
}

/// Runs on the thread.
fn run_thread<C: Send + Sync + 'static>(
    make_client: &MakeClient<C>,
    mut receiver: mpsc::UnboundedReceiver<ThreadJob<C>>,
) {
    let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() else {
        return;
    };
    runtime.block_on(async {
        let client = make_client();
        let mut tasks = JoinSet::new();
        loop {
            match tokio::time::timeout(LINGER, receiver.recv()).await {
                Ok(Some(job)) => {
                    tasks.spawn(job.run(Arc::clone(&client)));
                }
                Ok(None) => break,
                // Jobs that were sent before the queue was closed are still received.
                Err(_) => receiver.close(),
            }
        }
        while tasks.join_next().await.is_some() {}
    });
}

/// A job in a runtime. If it is dropped before it is done, it is left to the thread.
struct RuntimeJob<C: Send + Sync + 'static> {
    background: Arc<Background<C>>,
    client: Arc<C>,
    work: Work<C>,
    /// Taken when the job is done.
    pending: Option<Pending>,
}

impl<C: Send + Sync + 'static> RuntimeJob<C> {
    async fn run(mut self) {
        (self.work)(Arc::clone(&self.client)).await;
        self.pending = None;
    }
}

impl<C: Send + Sync + 'static> Drop for RuntimeJob<C> {
    fn drop(&mut self) {
        if let Some(pending) = self.pending.take() {
            self.background.leave_to_thread(Arc::clone(&self.work), pending);
        }
    }
}

/// A job that is left to the thread.
struct ThreadJob<C> {
    work: Work<C>,
    _pending: Pending,
    _counted: Counted,
}

impl<C> ThreadJob<C> {
    /// Consumes the job, so that it counts as left until it is done.
    async fn run(self, client: Arc<C>) {
        (self.work)(client).await;
    }
}

/// Counts as pending work until it is dropped.
struct Pending(Arc<watch::Sender<usize>>);

impl Pending {
    fn new(pending: &Arc<watch::Sender<usize>>) -> Self {
        pending.send_modify(|pending| *pending += 1);
        Self(Arc::clone(pending))
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        self.0.send_modify(|pending| *pending -= 1);
    }
}

#[derive(Default)]
struct Count {
    number: Mutex<usize>,
    less: Condvar,
}

/// Counts as work that is left to the thread until it is dropped.
struct Counted(Arc<Count>);

impl Counted {
    fn new(count: &Arc<Count>) -> Self {
        *lock(&count.number) += 1;
        Self(Arc::clone(count))
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        *lock(&self.0.number) -= 1;
        self.0.less.notify_all();
    }
}
