//! [`OpenVisit`]: a visit as frameworks see it.

use std::fmt;
use std::sync::Arc;

use crate::error::SessionError;
use crate::settings::{AutoStart, Settings};
use crate::visit::stack::Frame;
use crate::visit::{Context, Handle, Outcome, Visit};

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

impl From<Frame> for OpenVisit {
    #[inline]
    fn from(frame: Frame) -> Self {
        Self {
            handle: Some(Handle(frame.context)),
        }
    }
}

impl OpenVisit {
    #[inline]
    pub(crate) fn new(settings: Arc<Settings>, visit: Visit) -> Self {
        Self::from(Frame::new(Context::new(settings, visit)))
    }

    /// The visit, which is not this one's any more: whoever takes it has to end it.
    #[inline]
    pub(super) fn into_frame(mut self) -> Frame {
        Frame::new(self.handle.take().expect(WHOLE).0)
    }

    fn context(&self) -> &Arc<Context> {
        &self.handle.as_ref().expect(WHOLE).0
    }

    /// The context of the visit.
    #[must_use]
    pub fn handle(&self) -> &Handle {
        self.context().mark_pended();
        self.handle.as_ref().expect(WHOLE)
    }

    /// Whether the session is to be [started](crate::SessionBuilder::auto_start) before the work begins.
    #[must_use]
    pub fn starts_by_itself(&self) -> bool {
        self.context().settings.auto_start != AutoStart::No
    }

    /// Starts the session as [`auto_start`](crate::SessionBuilder::auto_start) says.
    ///
    /// # Errors
    ///
    /// As for [`Session::start`](crate::Session::start).
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

    /// Ends the visit if nobody has asked anything of the session, so that there is nothing to tell. Returns whether that
    /// was so; the visit is then [sealed](OpenVisit::seal).
    #[must_use]
    pub fn end_untouched(&self) -> bool {
        let mut state = self.context().state();
        let untouched = !state.effects.read;
        state.effects.sealed |= untouched;
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
    /// client has to be effects of that. An update that comes later can give it none.
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

    /// [Seals](OpenVisit::seal) the visit, and says what the client is to be effects.
    #[must_use]
    pub fn conclude(&self) -> Outcome {
        let context = self.context();
        let effects = context.state().conclude(&context.settings);
        context.outcome_of(effects)
    }

    /// What the client is to be effects now.
    #[must_use]
    pub fn outcome(&self) -> Outcome {
        self.context().outcome()
    }

    /// From now on the client can be effects nothing more: a session that is not stored yet can no longer be stored, and
    /// no id can be changed. Both fail with [`Sealed`](SessionError::Sealed).
    pub fn seal(&self) {
        self.context().state().effects.sealed = true;
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
        let now = context.settings.storage.clock().now();
        let lock = {
            let mut state = context.state();
            state.cold_mut().ended_at = Some(now);
            state.effects.sealed = true;
            if state.updating {
                None
            } else {
                state.abandon_uncommitted()
            }
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
