//! Updates: a short exclusive stretch inside a visit that otherwise only reads.

use std::sync::Arc;

use super::{Context, Phase, Scoped, current};
use crate::error::SessionError;

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
                Ok(value)
            }
            Err(error) => {
                // What the application has to say is worth more than that the lock will take its lease to end.
                let _ = self.release_in_turn().await;
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
        context.state().updating = true;
        Self(context)
    }
}

impl Drop for Updating<'_> {
    fn drop(&mut self) {
        let lock = {
            let mut state = self.0.state();
            state.updating = false;
            state.give_up()
        };
        drop(lock);
    }
}
