//! Facts about a visit and its session, available without starting it.

use time::OffsetDateTime;

use super::Session;
use crate::error::SessionError;
use crate::expiration::Expiration;
use crate::id::{SessionId, SessionKey};
use crate::keys::{Namespaces, Values};
use crate::visit::{Handle, Phase};

impl<N: Namespaces, V: Values> Session<N, V> {
    /// Returns when the client last [authenticated](Session::mark_authenticated) in the visit's session.
    #[must_use]
    pub fn authenticated_at(&self) -> Option<OffsetDateTime> {
        let context = self.context().ok()?;
        let moment = context.state().payload().authenticated_at();
        moment.map(OffsetDateTime::from)
    }

    /// Returns whether the current code runs inside a context of this session.
    #[must_use]
    pub fn is_initialised(&self) -> bool {
        self.context().is_ok()
    }

    /// Returns whether the visit has an id or, in a [task](Session::run_in), a key.
    #[must_use]
    pub fn exists(&self) -> bool {
        self.id().is_some() || self.context().is_ok_and(|context| context.state().key.is_some())
    }

    /// Returns whether the session was started and not destroyed.
    #[must_use]
    pub fn is_active(&self) -> bool {
        self.is_in(&[Phase::Readable, Phase::Writable])
    }

    /// Returns whether values can be read. Reading needs no lock, so every [active](Session::is_active) session is
    /// readable.
    #[must_use]
    pub fn is_readable(&self) -> bool {
        self.is_active()
    }

    /// Returns whether values can be changed.
    #[must_use]
    pub fn is_writable(&self) -> bool {
        self.is_in(&[Phase::Writable])
    }

    fn is_in(&self, phases: &[Phase]) -> bool {
        self.context()
            .is_ok_and(|context| phases.contains(&context.state().phase))
    }

    /// Returns the id of the visit's session; after [`regenerate_id`](Session::regenerate_id) the new one. `None` in a
    /// [task](Session::run_in), which knows no more than the key.
    #[must_use]
    pub fn id(&self) -> Option<SessionId> {
        let context = self.context().ok()?;
        let mut state = context.state();
        // Like a value, the id can influence the response, so returning it counts as reading the session.
        state.effects.read = true;
        state.next_id().or(state.id.as_ref()).cloned()
    }

    /// Returns the key under which the storage keeps the visit's session.
    #[must_use]
    pub fn key(&self) -> Option<SessionKey> {
        let context = self.context().ok()?;
        context.state().effects.read = true;
        context.key_and_meta().0
    }

    /// Returns the expiration of the session as a whole. An expiration set as `After` is returned as the resulting
    /// date.
    #[must_use]
    pub fn expiration(&self) -> Option<Expiration> {
        let context = self.context().ok()?;
        let lifetime = context.state().payload().lifetime?;
        Some(lifetime.into())
    }

    /// Returns when the session was created.
    #[must_use]
    pub fn created_at(&self) -> Option<OffsetDateTime> {
        Some(self.context().ok()?.key_and_meta().1?.created_at.into())
    }

    /// Returns when the session was last written or its sliding expirations were moved. If the session slides, this is
    /// the last visit, to within the [touch resolution](crate::SessionBuilder::touch_resolution).
    #[must_use]
    pub fn last_active_at(&self) -> Option<OffsetDateTime> {
        Some(self.context().ok()?.key_and_meta().1?.last_active.into())
    }

    /// Returns a [`Handle`], which carries the context to other tasks and threads.
    ///
    /// # Errors
    ///
    /// [`NotInitialised`](SessionError::NotInitialised).
    pub fn handle(&self) -> Result<Handle, SessionError> {
        let context = self.context()?;
        // The handle may read the session after the outcome has been decided, so taking it counts as reading.
        context.state().effects.read = true;
        Ok(Handle(context))
    }
}
