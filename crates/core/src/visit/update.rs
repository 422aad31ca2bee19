//! Updates: a short stretch of writing inside a visit that otherwise only reads.
//!
//! An update is tried without the lock first: it reads, runs the closure, and replaces the record if that is still the one
//! that was read and nobody holds its lock. Where others write at the same time it takes the lock, like everybody who
//! [starts](Context::start) the session; a session that many write to is as fair as one that is always locked.

use std::sync::Arc;

use crate::error::SessionError;
use crate::storage::{Lock, Lookup};
use crate::visit::operation::OperationGuard;
use crate::visit::state::{Phase, State};
use crate::visit::{Context, Scoped, stack};

/// How often an update is tried without the lock before it takes it.
const TRIES: usize = 2;

impl Context {
    /// Updates without the lock, if nobody else writes at the same time, and otherwise with it. The closure runs once more
    /// for each attempt that came too late.
    pub(crate) async fn update<T, E, F>(self: &Arc<Self>, mut closure: impl FnMut() -> F) -> Result<T, E>
    where
        E: From<SessionError>,
        F: Future<Output = Result<T, E>>,
    {
        let Some(turn) = self.begin_update().await? else {
            return closure().await;
        };
        for _ in 0..TRIES {
            let updating = Updating::begin(self);
            let is_read = match self.read_to_update_immediate() {
                Some(is_read) => is_read?,
                None => Box::pin(self.read_to_update()).await?,
            };
            if !is_read {
                if updating.was_cut_short() {
                    return Err(SessionError::Gone.into());
                }
                break;
            }
            let result = Scoped::updating(Arc::clone(self), closure()).await;
            let result = updating.end(result).await;
            if !updating.is_conflicted()? {
                return result;
            }
        }
        Box::pin(self.update_locked(turn, closure)).await
    }

    /// Updates under the lock. The closure runs once.
    pub(crate) async fn update_exclusive<T, E>(
        self: &Arc<Self>,
        closure: impl AsyncFnOnce() -> Result<T, E>,
    ) -> Result<T, E>
    where
        E: From<SessionError>,
    {
        match self.begin_update().await? {
            Some(turn) => self.update_locked(turn, || closure()).await,
            None => closure().await,
        }
    }

    /// The turn to update, unless whoever runs this may write already: the lock is then held for longer than this update,
    /// and whoever took it commits.
    async fn begin_update(&self) -> Result<Option<OperationGuard<'_>>, SessionError> {
        if stack::is_updating(self) {
            return Ok(None);
        }
        let turn = self.begin_operation().await?;
        let is_writable = self.state().phase == Phase::Writable;
        Ok((!is_writable).then_some(turn))
    }

    async fn update_locked<T, E, F>(
        self: &Arc<Self>,
        turn: OperationGuard<'_>,
        closure: impl FnOnce() -> F,
    ) -> Result<T, E>
    where
        E: From<SessionError>,
        F: Future<Output = Result<T, E>>,
    {
        let updating = Updating::begin(self);
        Box::pin(self.start_in_operation(&turn)).await?;
        let result = Scoped::updating(Arc::clone(self), closure()).await;
        updating.end(result).await
    }

    /// The same as [`read_to_update`](Context::read_to_update); `None` if it has to be waited for.
    fn read_to_update_immediate(&self) -> Option<Result<bool, SessionError>> {
        let storage = self.settings.storage.at_once()?;
        let (key, asked) = {
            let mut state = self.state();
            (state.lookup_key(), state.begin_load())
        };
        let Some(key) = key else { return Some(Ok(false)) };
        Some(match storage.read(&key) {
            Ok((Lookup::Found(stored), at)) => self.on_loaded_unlocked(stored, at, asked),
            Ok(_) => Ok(false),
            Err(error) => Err(error.into()),
        })
    }

    /// Makes the visit writable with the record as it is stored now, without the lock. Returns whether that is possible.
    async fn read_to_update(&self) -> Result<bool, SessionError> {
        let (key, asked) = {
            let mut state = self.state();
            (state.lookup_key(), state.begin_load())
        };
        let Some(key) = key else { return Ok(false) };
        match self.settings.read(&key).await? {
            (Lookup::Found(stored), at) => self.on_loaded_unlocked(stored, at, asked),
            _ => Ok(false),
        }
    }
}

/// Gives up the lock of an update that does not get to its end.
struct Updating<'a>(&'a Arc<Context>);

impl<'a> Updating<'a> {
    fn begin(context: &'a Arc<Context>) -> Self {
        let mut state = context.state();
        state.updating = true;
        state.cut_short = false;
        state.shared = false;
        state.conflicted = false;
        drop(state);
        Self(context)
    }

    /// Commits if the closure has succeeded, and gives up what it has changed if not.
    async fn end<T, E: From<SessionError>>(&self, result: Result<T, E>) -> Result<T, E> {
        match result {
            Ok(value) => {
                let now = self.0.settings.storage.clock().now();
                match self.0.close_immediate_in_operation(now, |_| ()) {
                    Some(closed) => closed?,
                    None => {
                        Box::pin(self.0.close_now()).await?;
                    }
                }
                match self.was_cut_short() {
                    // Its changes went with the session, and its caller has not asked for that.
                    true => Err(SessionError::Gone.into()),
                    false => Ok(value),
                }
            }
            Err(error) => {
                let lock = self.0.state().abandon_update();
                if let Some(lock) = lock {
                    Box::pin(self.0.give_back(lock)).await;
                }
                Err(error)
            }
        }
    }

    /// Whether the update has to be made again, as it has written without the lock and came too late.
    ///
    /// # Errors
    ///
    /// [`Undone`](SessionError::Undone) if others have changed something with it: that would not be made again.
    /// [`Gone`](SessionError::Gone) if somebody else who works on the visit has destroyed the session meanwhile.
    fn is_conflicted(&self) -> Result<bool, SessionError> {
        let mut state = self.0.state();
        if !std::mem::take(&mut state.conflicted) {
            return Ok(false);
        }
        if state.cut_short {
            return Err(SessionError::Gone);
        }
        state.undone = state.shared;
        state.check_not_undone().map(|()| true)
    }

    /// Whether somebody else who works on the visit has destroyed the session meanwhile.
    fn was_cut_short(&self) -> bool {
        self.0.state().cut_short
    }
}

impl Drop for Updating<'_> {
    fn drop(&mut self) {
        let lock = {
            let mut state = self.0.state();
            state.updating = false;
            state.abandon_update()
        };
        drop(lock);
    }
}

impl State {
    /// Something is about to be changed, by the update under whose lock that is or by somebody else.
    pub(super) fn note_sharing(&mut self, context: &Context) {
        self.shared |= self.updating && !stack::is_updating(context);
    }

    /// Leaves an update without having written. Who has changed something else meanwhile, under its lock, is to learn that
    /// it was undone.
    fn abandon_update(&mut self) -> Option<Lock> {
        self.undone |= self.phase == Phase::Writable && self.shared;
        self.abandon()
    }
}
