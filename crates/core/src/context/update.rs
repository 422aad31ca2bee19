//! Updates: a short exclusive stretch inside a visit that otherwise only reads.

use std::sync::Arc;

use super::state::State;
use super::{Context, Phase, Scoped, current};
use crate::error::SessionError;
use crate::storage::Lock;

impl Context {
    pub(crate) async fn update<T, E>(self: &Arc<Self>, closure: impl AsyncFnOnce() -> Result<T, E>) -> Result<T, E>
    where
        E: From<SessionError>,
    {
        if current::is_updating(self) {
            return closure().await;
        }
        let turn = self.turn().await?;
        if self.state().phase == Phase::Writable {
            // The lock is held for longer than this update; whoever took it commits.
            drop(turn);
            return closure().await;
        }
        let updating = Updating::begin(self);
        self.start_in_turn(&turn).await?;
        let result = Scoped::updating(Arc::clone(self), closure()).await;
        let result = match result {
            Ok(value) => {
                self.close_now().await?;
                match updating.was_cut_short() {
                    // What it has changed went with the session, and its caller has not asked for that.
                    true => Err(SessionError::Gone.into()),
                    false => Ok(value),
                }
            }
            Err(error) => {
                let lock = self.state().give_up_update();
                if let Some(lock) = lock {
                    self.give_back(lock).await;
                }
                Err(error)
            }
        };
        drop(updating);
        result
    }
}

/// Gives up the lock of an update that does not get to its end.
struct Updating<'a>(&'a Context);

impl<'a> Updating<'a> {
    fn begin(context: &'a Context) -> Self {
        let mut state = context.state();
        state.updating = true;
        state.cut_short = false;
        state.shared = false;
        drop(state);
        Self(context)
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
            state.give_up_update()
        };
        drop(lock);
    }
}

impl State {
    /// Something is about to be changed, by the update under whose lock that is or by somebody else.
    pub(super) fn note_sharing(&mut self, context: &Context) {
        self.shared |= self.updating && !current::is_updating(context);
    }

    /// Leaves an update without having written. Who has changed something else meanwhile, under its lock, is to learn that
    /// it was undone.
    fn give_up_update(&mut self) -> Option<Lock> {
        self.undone |= self.phase == Phase::Writable && self.shared;
        self.give_up()
    }
}
