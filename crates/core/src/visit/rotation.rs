//! New ids: by request of the application, and after authentication.

use std::time::Duration;

use super::limits::begin_lifetime;
use crate::error::SessionError;
use crate::id::SessionId;
use crate::storage::Facts;
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
            if let Some(owner) = state.facts().owner() {
                let facts = state.facts().with_owner(Some((owner, now)));
                state.cold_mut().next_facts = Some(facts);
            }
            Ok(())
        })
    }

    /// Gives the session another owner, or none, with a new id. Authentication is part of becoming the owner.
    pub(crate) fn change_owner(&self, owner: Option<&str>) -> Result<(), SessionError> {
        if owner.is_some_and(|owner| owner.is_empty() || owner.len() > Facts::OWNER_MAX_LEN) {
            return Err(SessionError::InvalidOwner);
        }
        let now = self.settings.storage.clock().now();
        let default = self.settings.default_lifetime(now);
        self.assign_new_id(Duration::ZERO, |state| {
            let payload = state.payload_mut();
            if owner.is_some() {
                begin_lifetime(payload, default, now)?;
            }
            payload.set_authenticated_at(owner.map(|_| now));
            payload.changed = true;
            let mut facts = state.facts().with_owner(owner.map(|owner| (owner, now)));
            if let Some(client) = &state.cold().client {
                facts = facts.with_client(client);
            }
            state.cold_mut().next_facts = Some(facts);
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
