//! [`ActiveVisit`]: the visit as a framework owns it.

use std::fmt;
use std::sync::Arc;

use crate::error::SessionError;
use crate::settings::{AutoStart, Settings};
use crate::visit::stack::Frame;
use crate::visit::{Context, Handle, Outcome, Visit};

/// Invariant behind `expect`: only `into_frame` takes the handle, and it consumes the visit.
const HAS_HANDLE: &str = "only `into_frame` takes the handle";

/// A visit that was opened and has not ended yet: the API for frameworks.
///
/// Applications need only [`Session::init`](crate::Session::init). A framework that has to act between the end of a
/// request's work and the end of the visit, such as putting the new id into the response, opens the visit itself, runs
/// the work inside its [handle](ActiveVisit::handle), ends the visit with [`close`](ActiveVisit::close) or
/// [`release`](ActiveVisit::release), and sends the [`outcome`](ActiveVisit::outcome) to the client.
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
///     session.set("user", "ada")
/// };
/// work.in_session(visit.handle()).await?;
/// visit.close().await?;
/// assert!(matches!(visit.outcome().id, IdChange::Set { .. }));
/// # Ok(())
/// # }
/// ```
#[must_use = "dropping a visit ends it"]
pub struct ActiveVisit {
    /// `None` only after [`into_frame`](Self::into_frame).
    handle: Option<Handle>,
}

/// The result of ending a visit.
#[derive(Debug)]
#[non_exhaustive]
pub struct Ended {
    /// The result of writing the changes.
    pub result: Result<(), SessionError>,
    /// The changes that the client has to be told.
    pub outcome: Outcome,
}

impl From<Frame> for ActiveVisit {
    #[inline]
    fn from(frame: Frame) -> Self {
        Self {
            handle: Some(Handle(frame.context)),
        }
    }
}

impl ActiveVisit {
    #[inline]
    pub(crate) fn new(settings: Arc<Settings>, visit: Visit) -> Self {
        Self::from(Frame::new(Context::new(settings, visit)))
    }

    /// Takes the frame out of the visit without ending it: the caller has to end it.
    #[inline]
    pub(super) fn into_frame(mut self) -> Frame {
        Frame::new(self.handle.take().expect(HAS_HANDLE).0)
    }

    fn context(&self) -> &Arc<Context> {
        &self.handle.as_ref().expect(HAS_HANDLE).0
    }

    /// Returns the handle to the visit.
    #[must_use]
    pub fn handle(&self) -> &Handle {
        self.context().mark_pended();
        self.handle.as_ref().expect(HAS_HANDLE)
    }

    /// Returns whether the session has to be [started](crate::SessionBuilder::auto_start) before the work begins.
    #[must_use]
    pub fn starts_by_itself(&self) -> bool {
        self.context().settings.auto_start != AutoStart::No
    }

    /// Starts the session if [`auto_start`](crate::SessionBuilder::auto_start) says so.
    ///
    /// # Errors
    ///
    /// The errors of [`Session::start`](crate::Session::start).
    pub async fn auto_start(&self) -> Result<(), SessionError> {
        let auto_start = self.context().settings.auto_start;
        if auto_start != AutoStart::No {
            self.context().mark_pended();
        }
        match auto_start {
            AutoStart::No => Ok(()),
            AutoStart::ReadOnly => self.context().start_readonly().await,
            AutoStart::Exclusive => self.context().start().await,
        }
    }

    /// [Seals](ActiveVisit::seal) the visit if the session was not used, so that there is nothing to tell the client.
    /// Returns whether that was so.
    #[must_use]
    pub fn end_untouched(&self) -> bool {
        let mut state = self.context().state();
        let untouched = !state.effects.read;
        state.effects.sealed |= untouched;
        untouched
    }

    /// Ends the work of the visit like [`close`](ActiveVisit::close) (or like [`release`](ActiveVisit::release), unless
    /// `commit`) and [seals](ActiveVisit::seal) it, if that does not have to wait: there is nothing to do, or the
    /// storage [is immediate](crate::Storage::immediate). Returns `None` if it would have to wait; the visit then
    /// continues and has to be ended by a future.
    #[must_use]
    pub fn end_immediately(&self, commit: bool) -> Option<Ended> {
        self.context().end_immediately(commit)
    }

    /// Ends the work of the visit: commits changes, unlocks, moves sliding expirations, and [seals](ActiveVisit::seal)
    /// it.
    ///
    /// Waits for a [`transaction`](crate::Session::transaction) in another task that is giving the session an id,
    /// because the client has to be told that id. A later transaction can give it none.
    ///
    /// # Errors
    ///
    /// The errors of [`Session::close`](crate::Session::close). The lock is released in any case.
    pub async fn close(&self) -> Result<(), SessionError> {
        self.context().end(true).await
    }

    /// Ends the work of the visit without writing changes, and [seals](ActiveVisit::seal) it. Waits like
    /// [`close`](ActiveVisit::close).
    ///
    /// # Errors
    ///
    /// [`Storage`](SessionError::Storage) if the lock could not be released; it then ends with its lease.
    pub async fn release(&self) -> Result<(), SessionError> {
        self.context().end(false).await
    }

    /// Ends the work of the visit with [`close`](ActiveVisit::close) if `commit`, else with
    /// [`release`](ActiveVisit::release), and returns the result with the outcome.
    pub async fn end(&self, commit: bool) -> Ended {
        let result = self.context().end(commit).await;
        Ended {
            result,
            outcome: self.conclude(),
        }
    }

    /// [Seals](ActiveVisit::seal) the visit and returns the changes that the client has to be told.
    #[must_use]
    pub fn conclude(&self) -> Outcome {
        let context = self.context();
        let pending = context.state().conclude(&context.settings);
        context.complete_outcome(pending)
    }

    /// Returns the changes that the client has to be told as of now.
    #[must_use]
    pub fn outcome(&self) -> Outcome {
        self.context().outcome()
    }

    /// Seals the visit: from now on the client can be told nothing more. A session that is not stored yet can no longer
    /// be stored, and no id can be changed; both fail with [`Sealed`](SessionError::Sealed).
    pub fn seal(&self) {
        self.context().state().effects.sealed = true;
    }
}

impl Drop for ActiveVisit {
    #[inline]
    fn drop(&mut self) {
        let Some(Handle(context)) = &self.handle else { return };
        if Arc::strong_count(context) == 1 {
            // No other handle can observe the end. Dropping the context now drops the lock, which releases it.
            return;
        }
        let now = context.settings.storage.clock().now();
        // Handles remain. Undo changes that were not committed; a running transaction keeps its lock and commits by
        // itself.
        let mut state = context.state();
        state.cold_mut().ended_at = Some(now);
        state.effects.sealed = true;
        if state.in_transaction {
            return;
        }
        let lock = state.abandon_uncommitted();
        // Dropping a lock runs code of the storage, so the state is unlocked first.
        drop(state);
        drop(lock);
    }
}

impl fmt::Debug for ActiveVisit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ActiveVisit")
            .field("context", &self.handle)
            .finish_non_exhaustive()
    }
}
