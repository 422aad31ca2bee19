//! New ids: as a routine, and for somebody who has authenticated.

use std::time::Duration;

use super::limits::begin_lifetime;
use crate::error::SessionError;
use crate::id::SessionId;
use crate::visit::Context;
use crate::visit::state::State;

impl Context {
    pub(crate) fn regenerate_id(&self) -> Result<(), SessionError> {
        let grace = self.settings.rotation_grace;
        self.rename(grace, |_| Ok(()))
    }

    /// Notes that somebody has just authenticated: the session gets a new id, and its limits begin anew.
    pub(crate) fn mark_authenticated(&self) -> Result<(), SessionError> {
        let now = self.settings.storage.clock().now();
        let default = self.settings.default_lifetime(now);
        // An id that somebody has planted before the login is dead with it, whatever grace routine changes have.
        self.rename(Duration::ZERO, |state| {
            let payload = state.payload_mut();
            begin_lifetime(payload, default, now)?;
            payload.set_authenticated_at(Some(now));
            payload.changed = true;
            Ok(())
        })
    }

    /// Gives the session a new id and changes something with it, both or neither. Of several new ids before one close
    /// the shortest grace counts.
    fn rename(
        &self,
        grace: Duration,
        change: impl FnOnce(&mut State) -> Result<(), SessionError>,
    ) -> Result<(), SessionError> {
        let (id, term) = {
            let state = self.state();
            state.must_be_writable()?;
            if state.effects.sealed {
                return Err(SessionError::Sealed);
            }
            (state.id.clone(), state.term)
        };
        let entropy = &*self.settings.entropy;
        let next = match &id {
            Some(id) => id.rotated(entropy),
            None => SessionId::generate(entropy),
        };
        let mut state = self.state();
        if state.term != term {
            return Err(SessionError::NotWritable);
        }
        state.must_be_writable()?;
        change(&mut state)?;
        state.note_sharing(self);
        let cold = state.cold_mut();
        cold.grace = match cold.next_id {
            Some(_) => cold.grace.min(grace),
            None => grace,
        };
        cold.next_id = Some(next);
        Ok(())
    }
}
