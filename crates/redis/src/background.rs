//! Work that nobody waits for: giving back the locks that were dropped.
//!
//! It is done in the runtime in which a lock is dropped. Where there is none, or where that runtime ends before it is
//! done, a thread of its own does it, with a runtime and connections of its own: those of the storage may be driven by
//! the runtime that ends. The thread is started when it is needed and ends when it has had nothing to do for a while.

use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

use crate::engine::{Engine, Parts};
use crate::error::Failure;

/// How long the thread waits for more.
const LINGER: Duration = Duration::from_secs(1);

type Doing = Pin<Box<dyn Future<Output = ()> + Send>>;
type Work = Arc<dyn Fn(Arc<Engine>) -> Doing + Send + Sync>;

/// The work that an engine has under way in the background.
pub(crate) struct Background {
    /// How much there is, wherever it is done.
    pending: Arc<watch::Sender<usize>>,
    /// The way to the thread, if there has been one.
    thread: Mutex<Option<mpsc::UnboundedSender<Left>>>,
    /// How much of it is left to the thread.
    left: Arc<Count>,
    /// The parts of which the thread makes an engine of its own.
    parts: Arc<Parts>,
}

impl Background {
    pub(crate) fn new(parts: Arc<Parts>) -> Self {
        Self {
            pending: Arc::new(watch::Sender::new(0)),
            thread: Mutex::default(),
            left: Arc::default(),
            parts,
        }
    }

    /// Waits until there is nothing under way.
    pub(crate) async fn idle(&self) {
        let mut pending = self.pending.subscribe();
        let _ = pending.wait_for(|pending| *pending == 0).await;
    }

    fn leave_to_thread(&self, work: Work, pending: Pending) {
        let mut left = Left {
            work,
            _pending: pending,
            _counted: Counted::new(&self.left),
        };
        let mut thread = lock(&self.thread);
        if let Some(sender) = &*thread {
            match sender.send(left) {
                Ok(()) => return,
                // It has just ended.
                Err(refused) => left = refused.0,
            }
        }
        let (sender, receiver) = mpsc::unbounded_channel();
        let parts = Arc::clone(&self.parts);
        let started = thread::Builder::new()
            .name("sessile-redis".into())
            .spawn(move || work_off(&parts, receiver));
        // Without a thread it is dropped, and the lease ends what was to be given back.
        if started.is_ok() && sender.send(left).is_ok() {
            *thread = Some(sender);
        }
    }

    /// Waits, as a thread, until nothing is left to the thread, or the time is over.
    fn wait_for_thread(&self, limit: Duration) {
        // It need not wait for more.
        *lock(&self.thread) = None;
        let left = lock(&self.left.number);
        let _ = self.left.less.wait_timeout_while(left, limit, |left| *left > 0);
    }
}

/// Runs on the thread.
fn work_off(parts: &Arc<Parts>, mut receiver: mpsc::UnboundedReceiver<Left>) {
    let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() else {
        return;
    };
    runtime.block_on(async {
        let engine = Engine::assemble(parts);
        let mut tasks = JoinSet::new();
        loop {
            match tokio::time::timeout(LINGER, receiver.recv()).await {
                Ok(Some(left)) => {
                    tasks.spawn(left.run(Arc::clone(&engine)));
                }
                Ok(None) => break,
                // Work that was sent before this is still received.
                Err(_) => receiver.close(),
            }
        }
        while tasks.join_next().await.is_some() {}
    });
}

impl Engine {
    /// Does something that nobody waits for. It may be begun more than once.
    pub(crate) fn in_background<F>(&self, work: impl Fn(Arc<Self>) -> F + Send + Sync + 'static)
    where
        F: Future<Output = Result<(), Failure>> + Send + 'static,
    {
        let Some(engine) = self.me.upgrade() else { return };
        let work: Work = Arc::new(move |engine| {
            let doing = work(engine);
            Box::pin(async move {
                // A lock that is not given back ends with its lease.
                let _ = doing.await;
            })
        });
        let pending = Some(Pending::new(&self.background.pending));
        let errand = Errand { engine, work, pending };
        if let Ok(runtime) = Handle::try_current() {
            runtime.spawn(errand.run());
        }
    }
}

/// Something to be done in a runtime, which leaves it to the thread if it is dropped before.
struct Errand {
    engine: Arc<Engine>,
    work: Work,
    /// Taken when it is done.
    pending: Option<Pending>,
}

impl Errand {
    async fn run(mut self) {
        (self.work)(Arc::clone(&self.engine)).await;
        self.pending = None;
    }
}

impl Drop for Errand {
    fn drop(&mut self) {
        if let Some(pending) = self.pending.take() {
            self.engine.background.leave_to_thread(Arc::clone(&self.work), pending);
        }
    }
}

/// The last handle waits for what the thread still has to give back: the process may be about to end.
impl Drop for Engine {
    fn drop(&mut self) {
        self.background.wait_for_thread(self.net.timeout());
    }
}

/// Something that is left to the thread.
struct Left {
    work: Work,
    _pending: Pending,
    _counted: Counted,
}

impl Left {
    /// Takes all of itself along: it counts until it is done.
    async fn run(self, engine: Arc<Engine>) {
        (self.work)(engine).await;
    }
}

/// Counts as something under way, for as long as it is there.
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

/// Counts as something that is left, for as long as it is there.
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

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl fmt::Debug for Background {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Background")
            .field("pending", &*self.pending.borrow())
            .finish_non_exhaustive()
    }
}
