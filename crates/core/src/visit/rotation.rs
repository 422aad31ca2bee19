//! New ids: by request of the application, and after authentication.

use std::time::Duration;

use super::limits::begin_lifetime;
use crate::error::SessionError;
use crate::id::SessionId;
use crate::visit::Context;
use crate::visit::state::State;

impl Context {
    pub(crate) fn regenerate_id(&self) -> Result<(), SessionError> {
        self.assign_new_id(self.settings.rotation_grace, |_| Ok(()))
    }

    /// Records that the client has just authenticated: the session gets a new id, and its limits begin again.
    pub(crate) fn mark_authenticated(&self) -> Result<(), SessionError> {
        let now = self.settings.storage.clock().now();
        let default = self.settings.default_lifetime(now);
        // No grace: an id that an attacker planted before the login must not outlive it (session fixation).
        self.assign_new_id(Duration::ZERO, |state| {
            let payload = state.payload_mut();
            begin_lifetime(payload, default, now)?;
            payload.set_authenticated_at(Some(now));
            payload.changed = true;
            Ok(())
        })
    }

    /// Gives the session a new id and applies a change with it, both or neither. If several new ids precede one close,
    /// the shortest grace counts.
    fn assign_new_id(
        &self,
        grace: Duration,
        change: impl FnOnce(&mut State) -> Result<(), SessionError>,
    ) -> Result<(), SessionError> {
        let (id, term) = {
            let state = self.state();
            state.check_writable()?;
            if state.effects.sealed {
                return Err(SessionError::Sealed);
            }
            (state.id.clone(), state.term)
        };
        // The source of randomness is code of the application, so the state is not locked meanwhile.
        let entropy = &*self.settings.entropy;
        let next = match &id {
            Some(id) => id.rotated(entropy),
            None => SessionId::generate(entropy),
        };
        let mut state = self.state();
        // The state was unlocked meanwhile: the visit may have been closed and started again.
        if state.term != term {
            return Err(SessionError::NotWritable);
        }
        state.check_writable()?;
        change(&mut state)?;
        state.note_change_by_others(self);
        let cold = state.cold_mut();
        cold.grace = match cold.next_id {
            Some(_) => cold.grace.min(grace),
            None => grace,
        };
        cold.next_id = Some(next);
        Ok(())
    }
}
