//! [`OpenVisit`]: a visit as frameworks see it.

use std::fmt;
use std::sync::Arc;

use super::entry::Entry;
use super::{Context, Handle, Outcome, Work};
use crate::error::SessionError;
use crate::session::{AutoStart, Engine};
use crate::visit::Visit;

/// Why there is a context.
const WHOLE: &str = "only who consumes a visit takes it apart";

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
///     session.set("user", "ada")
/// };
/// work.in_session(visit.handle()).await?;
/// visit.close().await?;
/// assert!(matches!(visit.outcome().id, IdChange::Set { .. }));
/// # Ok(())
/// # }
/// ```
#[must_use = "dropping a visit ends it"]
pub struct OpenVisit {
    /// `None` in a visit that has been taken apart.
    handle: Option<Handle>,
}

/// How a visit ended.
#[derive(Debug)]
#[non_exhaustive]
pub struct Ended {
    /// Whether what it was to write is written.
    pub result: Result<(), SessionError>,
    /// The message for the client.
    pub outcome: Outcome,
}

impl From<Entry> for OpenVisit {
    #[inline]
    fn from(entry: Entry) -> Self {
        Self {
            handle: Some(Handle(entry.context)),
        }
    }
}

impl OpenVisit {
    #[inline]
    pub(crate) fn new(engine: Arc<Engine>, visit: Visit) -> Self {
        Self::from(Entry::new(Context::new(engine, visit)))
    }

    /// The visit, which is not this one's any more: whoever takes it has to end it.
    #[inline]
    pub(super) fn into_entry(mut self) -> Entry {
        Entry::new(self.handle.take().expect(WHOLE).0)
    }

    fn context(&self) -> &Arc<Context> {
        &self.handle.as_ref().expect(WHOLE).0
    }

    /// The context of the visit.
    #[must_use]
    pub fn handle(&self) -> &Handle {
        self.context().goes_on_for_a_while();
        self.handle.as_ref().expect(WHOLE)
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
    /// assert!(inside && visit.end_untouched());
    /// # }
    /// ```
    #[inline(always)]
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
        let auto_start = self.context().engine.auto_start;
        if auto_start != AutoStart::No {
            self.context().goes_on_for_a_while();
        }
        match auto_start {
            AutoStart::No => Ok(()),
            AutoStart::ReadOnly => self.context().start_readonly().await,
            AutoStart::Exclusive => self.context().start().await,
        }
    }

    /// Ends the visit if nobody has asked anything of the session, so that there is nothing to tell. Returns whether that
    /// was so; the visit is then [sealed](OpenVisit::seal).
    #[must_use]
    pub fn end_untouched(&self) -> bool {
        let mut state = self.context().state();
        let untouched = !state.told.read;
        state.told.sealed |= untouched;
        untouched
    }

    /// Ends the work of the visit as [`close`](OpenVisit::close) does (or [`release`](OpenVisit::release), if not
    /// `commit`), and [seals](OpenVisit::seal) it, if nothing has to be waited for: there is nothing to do, or the
    /// storage [answers at once](crate::Storage::at_once). `None` if something has to be waited for; the visit then goes
    /// on, and is to be ended by a future.
    #[must_use]
    pub fn end_at_once(&self, commit: bool) -> Option<Ended> {
        self.context().end_at_once(commit)
    }

    /// Ends the work of the visit: commits what was changed, unlocks, moves sliding expirations, and
    /// [seals](OpenVisit::seal) it.
    ///
    /// It waits for an [`update`](crate::Session::update) elsewhere that is giving the session an id just now, as the
    /// client has to be told of that. An update that comes later can give it none.
    ///
    /// # Errors
    ///
    /// As for [`Session::close`](crate::Session::close). The lock is given up in any case.
    pub async fn close(&self) -> Result<(), SessionError> {
        self.context().end(true).await
    }

    /// Ends the work of the visit without writing what was changed, and [seals](OpenVisit::seal) it. It waits as
    /// [`close`](OpenVisit::close) does.
    ///
    /// # Errors
    ///
    /// [`Storage`](SessionError::Storage) if the lock could not be given back; its lease will end it.
    pub async fn release(&self) -> Result<(), SessionError> {
        self.context().end(false).await
    }

    /// Ends the work of the visit, with [`close`](OpenVisit::close) if it is to be committed and with
    /// [`release`](OpenVisit::release) if not, and says how it ended.
    pub async fn end(&self, commit: bool) -> Ended {
        let result = self.context().end(commit).await;
        Ended {
            result,
            outcome: self.conclude(),
        }
    }

    /// [Seals](OpenVisit::seal) the visit, and says what the client is to be told.
    #[must_use]
    pub fn conclude(&self) -> Outcome {
        let context = self.context();
        let told = context.state().conclude(&context.engine);
        context.outcome_of(told)
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
    #[inline]
    fn drop(&mut self) {
        let Some(Handle(context)) = &self.handle else { return };
        if Arc::strong_count(context) == 1 {
            // Nobody is left to see how it ends. A lock goes back when it is dropped, which it is now.
            return;
        }
        let now = context.engine.storage.clock().now();
        let lock = {
            let mut state = context.state();
            state.rare_mut().ended_at = Some(now);
            state.told.sealed = true;
            if state.updating { None } else { state.give_up_unasked() }
        };
        drop(lock);
    }
}

impl fmt::Debug for OpenVisit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OpenVisit")
            .field("context", &self.handle)
            .finish_non_exhaustive()
    }
}
