//! [`Handle`]: carrying a context to where the task does not reach.

use std::sync::Arc;

use crate::visit::stack::Frame;
use crate::visit::{Context, Scoped, stack};

/// A visit's context, to be carried to where the task it began in does not reach: spawned tasks, blocking tasks and
/// streaming bodies.
///
/// Clones mean the same visit. When the visit is over (its response is on the way, say) a handle still reads, and can
/// [`update`](crate::Session::update) or start the session anew; what can no longer happen is a new id, as nobody is
/// left to tell the client.
///
/// ```
/// use sessile_core::{InSession, Session, SessionError, Visit};
/// # use sessile_memory::MemoryStorage;
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), SessionError> {
/// let session: Session = Session::builder(MemoryStorage::new()).build();
/// session.init(Visit::new(), async {
///     session.start().await?;
///     session.set("user", "ada")?;
///
///     let handle = session.handle()?;
///     let in_task = session.clone();
///     tokio::spawn(async move { in_task.get("user") }.in_session(&handle)).await.unwrap()?;
///
///     let in_thread = session.clone();
///     let user = tokio::task::spawn_blocking(move || handle.enter(|| in_thread.get("user"))).await.unwrap()?;
///     assert_eq!(user, Some("ada".into()));
///     Ok(())
/// }).await?
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Handle(pub(crate) Arc<Context>);

impl Handle {
    pub(crate) fn new(context: Arc<Context>) -> Self {
        Self(context)
    }

    /// Runs a function inside the context, on this thread.
    pub fn enter<R>(&self, f: impl FnOnce() -> R) -> R {
        stack::within(&mut Some(Frame::new(Arc::clone(&self.0))), f)
    }
}

/// Futures and streams can run inside a session's context.
pub trait InSession: Sized {
    /// Runs this inside the context that `handle` stands for.
    fn in_session(self, handle: &Handle) -> Scoped<Self>;
}

impl<T> InSession for T {
    fn in_session(self, handle: &Handle) -> Scoped<Self> {
        Scoped::new(Arc::clone(&handle.0), self)
    }
}

/// The visits that a request has, to be carried in its extensions to handlers that run in another task than the layers
/// which have opened them.
///
/// Frameworks put it there if the application wants them to.
///
/// ```
/// use sessile_core::{Session, SessionError, Visit, Visits};
/// use sessile_memory::MemoryStorage;
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), SessionError> {
/// let session: Session = Session::builder(MemoryStorage::new()).build();
/// let visit = session.open(Visit::new());
/// let mut visits = Visits::default();
/// visits.push(visit.handle().clone());
///
/// let handler = tokio::spawn(async move {
///     let session: Session = visits.session().expect("it is of these types");
///     session.start().await?;
///     session.set("user", "ada")
/// });
/// handler.await.unwrap()?;
/// visit.close().await
/// # }
/// ```
#[derive(Debug, Clone, Default)]
pub struct Visits(Vec<Handle>);

impl Visits {
    /// Adds a visit, which is inside of all that are there.
    pub fn push(&mut self, visit: Handle) {
        visit.0.used_elsewhere();
        self.0.push(visit);
    }

    /// The visits, from the innermost outwards.
    pub fn iter(&self) -> impl Iterator<Item = &Handle> {
        self.0.iter().rev()
    }
}
