//! The owner of the visit's session, and how fresh the login is.

use std::time::Duration;

use crate::error::SessionError;
use crate::visit::Context;

impl Context {
    /// Returns the owner of the session, as of this visit; `None` if there is no session to read.
    pub(crate) fn owner(&self) -> Option<String> {
        let now = self.settings.storage.clock().now();
        let mut state = self.state();
        // Like a value, the owner can influence the response.
        state.effects.read = true;
        state.readable_at(&self.settings, now).ok()?;
        state.facts().owner().map(Into::into)
    }

    /// Returns an error unless the client has authenticated within this time.
    pub(crate) fn require_fresh(&self, age: Duration) -> Result<(), SessionError> {
        let now = self.settings.storage.clock().now();
        let mut state = self.state();
        state.effects.read = true;
        state.readable_at(&self.settings, now)?;
        match state.payload().authenticated_at() {
            Some(moment) if moment.until(now) < age => Ok(()),
            _ => Err(SessionError::NotFresh),
        }
    }
}
