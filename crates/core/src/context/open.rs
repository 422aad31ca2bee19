//! [`OpenVisit`]: a visit as frameworks see it.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::{Context, Handle, Outcome, Work};
use crate::error::SessionError;
use crate::session::AutoStart;

/// A visit that was opened and is not over yet: what frameworks build on.
///
/// [`Session::init`](crate::Session::init) is all an application needs. A framework that has to do something between
/// the end of a request's work and the end of the visit, such as putting the new id into the response, opens the visit
/// itself, runs the work inside its [handle](OpenVisit::handle), ends the visit with [`close`](OpenVisit::close) or
/// [`release`](OpenVisit::release), and tells the client the [`outcome`](OpenVisit::outcome).
///
/// Dropping it ends the visit without writing: a lock that is held is released in the background.
///
/// ```
/// use sessile_core::{IdChange, InSession, Session, SessionError, Visit};
/// # use sessile_memory::MemoryStorage;
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), SessionError> {
/// let session: Session = Session::builder(MemoryStorage::new()).build();
///
/// let visit = session.open(Visit::new());
/// let work = async {
///     session.start().await?;
///     session.set("user", "ada".into())
/// };
/// work.in_session(visit.handle()).await?;
/// visit.close().await?;
/// assert!(matches!(visit.outcome().id, IdChange::Set { .. }));
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
#[must_use = "dropping a visit ends it"]
// `None` once the visit has become the work of a visit, and is no longer this one's to end.
pub struct OpenVisit(Option<Handle>);

impl OpenVisit {
    /// The context, of which this is not the visit any more: whoever takes it has to end the visit.
    pub(super) fn into_handle(mut self) -> Option<Handle> {
        self.0.take()
    }

    pub(super) fn from_handle(handle: Handle) -> Self {
        Self(Some(handle))
    }

    pub(crate) fn new(context: Arc<Context>) -> Self {
        Self(Some(Handle::new(context)))
    }

    fn context(&self) -> &Arc<Context> {
        &self.handle().0
    }

    /// The context of the visit.
    #[must_use]
    pub fn handle(&self) -> &Handle {
        self.0.as_ref().expect("it is there for as long as this can be called")
    }

    /// Runs a function inside the visit, and the future that it makes: the work of a request. The visit comes back with
    /// what the future returns.
    ///
    /// It costs less than [`handle`](OpenVisit::handle) and [`in_session`](crate::InSession::in_session), as there is
    /// no handle to be made.
    ///
    /// ```
    /// use sessile_core::{Session, Visit};
    /// # use sessile_memory::MemoryStorage;
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// let session: Session = Session::builder(MemoryStorage::new()).build();
    ///
    /// let visit = session.open(Visit::new());
    /// let (visit, inside) = visit.work(|| async { session.is_initialised() }).await;
    /// assert!(inside && visit.is_untouched());
    /// # }
    /// ```
    pub fn work<F: Future>(self, make: impl FnOnce() -> F) -> Work<F> {
        Work::new(self, make)
    }

    /// Whether the session is to be [started](crate::SessionBuilder::auto_start) before the work begins.
    #[must_use]
    pub fn starts_by_itself(&self) -> bool {
        self.context().engine.auto_start != AutoStart::No
    }

    /// Starts the session as [`auto_start`](crate::SessionBuilder::auto_start) says.
    ///
    /// # Errors
    ///
    /// As for [`Session::start`](crate::Session::start).
    pub async fn auto_start(&self) -> Result<(), SessionError> {
        self.context().used.store(true, Ordering::Relaxed);
        match self.context().engine.auto_start {
            AutoStart::No => Ok(()),
            AutoStart::ReadOnly => self.context().start_readonly().await,
            AutoStart::Exclusive => self.context().start().await,
        }
    }

    /// Whether nobody has asked anything of the session, so that there is nothing to end and nothing to tell.
    #[must_use]
    pub fn is_untouched(&self) -> bool {
        let context = self.context();
        !context.used.load(Ordering::Relaxed) || !context.state().told.read
    }

    /// Whether [`close`](OpenVisit::close) (or [`release`](OpenVisit::release), if not `commit`) would do nothing, so
    /// that a future for it need not be made.
    #[must_use]
    pub fn is_idle(&self, commit: bool) -> bool {
        self.context().has_nothing_to_do(commit)
    }

    /// Ends the work of the visit: commits what was changed, unlocks, and moves sliding expirations.
    ///
    /// # Errors
    ///
    /// As for [`Session::close`](crate::Session::close). The lock is given up in any case.
    pub async fn close(&self) -> Result<(), SessionError> {
        if self.is_busy_elsewhere() {
            return Ok(());
        }
        self.context().close_at_end().await
    }

    /// Ends the work of the visit without writing what was changed.
    ///
    /// # Errors
    ///
    /// [`Storage`](SessionError::Storage) if the lock could not be given back; its lease will end it.
    pub async fn release(&self) -> Result<(), SessionError> {
        let context = self.context();
        if !self.is_busy_elsewhere() {
            context.release().await?;
        }
        context.slide_at_end().await;
        Ok(())
    }

    /// An update that a spawned task has under way, be it that it waits for the lock, commits by itself and is not
    /// waited for.
    fn is_busy_elsewhere(&self) -> bool {
        self.context().state().updating
    }

    /// What the client is to be told now.
    #[must_use]
    pub fn outcome(&self) -> Outcome {
        self.context().outcome()
    }

    /// From now on the client can be told nothing more: a session that is not stored yet can no longer be stored, and
    /// no id can be changed. Both fail with [`Sealed`](SessionError::Sealed).
    pub fn seal(&self) {
        self.context().state().told.sealed = true;
    }
}

impl Drop for OpenVisit {
    fn drop(&mut self) {
        let Some(Handle(context)) = &self.0 else { return };
        if Arc::strong_count(context) == 1 {
            // Nobody is left to see how it ends. A lock goes back when it is dropped, which it is now.
            return;
        }
        let lock = {
            let mut state = context.state();
            state.ended = true;
            state.told.sealed = true;
            if state.updating { None } else { state.give_up() }
        };
        drop(lock);
    }
}
