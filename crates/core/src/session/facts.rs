//! The facts of a visit and its session, which are read without starting anything.

use time::OffsetDateTime;

use super::Session;
use crate::error::SessionError;
use crate::expiration::Expiration;
use crate::id::SessionId;
use crate::id::SessionKey;
use crate::keys::{Namespaces, Values};
use crate::visit::{Handle, Phase};

impl<N: Namespaces, V: Values> Session<N, V> {
    /// When somebody last [authenticated](Session::mark_authenticated) in the visit's session.
    #[must_use]
    pub fn authenticated_at(&self) -> Option<OffsetDateTime> {
        let context = self.context().ok()?;
        let moment = context.state().payload().authenticated_at();
        moment.map(OffsetDateTime::from)
    }

    /// Whether the running code is inside a context of this session.
    #[must_use]
    pub fn is_initialised(&self) -> bool {
        self.context().is_ok()
    }

    /// Whether the visit has an id.
    #[must_use]
    pub fn exists(&self) -> bool {
        self.id().is_some()
    }

    /// Whether the session was started and not destroyed.
    #[must_use]
    pub fn is_active(&self) -> bool {
        self.is_in(&[Phase::Readable, Phase::Writable])
    }

    /// Whether values can be read.
    #[must_use]
    pub fn is_readable(&self) -> bool {
        self.is_active()
    }

    /// Whether values can be changed.
    #[must_use]
    pub fn is_writable(&self) -> bool {
        self.is_in(&[Phase::Writable])
    }

    fn is_in(&self, phases: &[Phase]) -> bool {
        self.context()
            .is_ok_and(|context| phases.contains(&context.state().phase))
    }

    /// The id of the visit's session; after [`regenerate_id`](Session::regenerate_id) the new one.
    #[must_use]
    pub fn id(&self) -> Option<SessionId> {
        let context = self.context().ok()?;
        let mut state = context.state();
        // What is made of the id depends on who asks, as what is made of a value does.
        state.effects.read = true;
        state.next_id().or(state.id.as_ref()).cloned()
    }

    /// The key under which the storage knows the visit's session.
    #[must_use]
    pub fn key(&self) -> Option<SessionKey> {
        let context = self.context().ok()?;
        context.state().effects.read = true;
        context.known().0
    }

    /// The expiration of the session as a whole. One that was set as `After` reads as the date it has become.
    #[must_use]
    pub fn expiration(&self) -> Option<Expiration> {
        let context = self.context().ok()?;
        let lifetime = context.state().payload().lifetime?;
        Some(lifetime.into())
    }

    /// When the session was created.
    #[must_use]
    pub fn created_at(&self) -> Option<OffsetDateTime> {
        Some(self.context().ok()?.known().1?.created_at.into())
    }

    /// When the session was last written, or its sliding expirations moved: for a session that slides, the last visit
    /// to within the [touch resolution](crate::SessionBuilder::touch_resolution).
    #[must_use]
    pub fn last_active_at(&self) -> Option<OffsetDateTime> {
        Some(self.context().ok()?.known().1?.last_active.into())
    }

    /// What carries the context to where this task does not reach; see [`Handle`].
    ///
    /// # Errors
    ///
    /// [`NotInitialised`](SessionError::NotInitialised).
    pub fn handle(&self) -> Result<Handle, SessionError> {
        let context = self.context()?;
        // Whoever takes it along reads the session when nobody can be effects so any more.
        context.state().effects.read = true;
        Ok(Handle::new(context))
    }
}
