//! [`Handle`]: carries a visit's context to other tasks.

use std::sync::Arc;

use crate::visit::stack::Frame;
use crate::visit::{Context, Scoped, stack};

/// A handle to a visit's context, which carries it out of the task of the visit: into spawned tasks, blocking tasks and
/// streaming bodies.
///
/// Clones refer to the same visit. After the visit has ended (when its response is being sent, say) a handle still
/// reads and can run a [`transaction`](crate::Session::transaction) or start the session again. Only a new id is no
/// longer possible, as the client can no longer be told.
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
    /// Runs a function inside the context on the current thread.
    pub fn enter<R>(&self, f: impl FnOnce() -> R) -> R {
        stack::within(&mut Some(Frame::new(Arc::clone(&self.0))), f)
    }
}

/// Extension trait that runs futures and streams inside a session's context.
pub trait InSession: Sized {
    /// Wraps `self` to run inside the context of `handle`.
    fn in_session(self, handle: &Handle) -> Scoped<Self>;
}

impl<T> InSession for T {
    fn in_session(self, handle: &Handle) -> Scoped<Self> {
        Scoped::new(Arc::clone(&handle.0), self)
    }
}

/// The visits of a request. In the request's extensions it carries them to handlers that run in another task than the
/// layers that opened the visits.
///
/// Frameworks put it there if the application is configured for it.
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
///     let session: Session = visits.session().expect("the session has these types");
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
    /// Adds a visit as the innermost.
    pub fn push(&mut self, visit: Handle) {
        visit.0.mark_used_elsewhere();
        self.0.push(visit);
    }

    /// Returns the visits, from the innermost outwards.
    pub fn iter(&self) -> impl Iterator<Item = &Handle> {
        self.0.iter().rev()
    }
}
