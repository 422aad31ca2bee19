//! Visits of tasks, which know the key of a session and not its id.
//!
//! The client can be told nothing, so such a visit is sealed from the beginning. It is no activity of the client, so it
//! moves no sliding expiration, and it begins no session.

use std::sync::Arc;

use crate::error::SessionError;
use crate::id::SessionKey;
use crate::settings::Settings;
use crate::storage::Lookup;
use crate::visit::sliding::Activity;
use crate::visit::stack::{self, Frame};
use crate::visit::state::{Phase, State};
use crate::visit::{ActiveVisit, Context, Visit};
use crate::wait_graph::{Held, LockHolder};

impl Context {
    /// Returns the context of a task on the session under this key.
    pub(crate) fn of_task(settings: &Arc<Settings>, key: SessionKey) -> Arc<Self> {
        let context = Self::new(Arc::clone(settings), Visit::strict());
        {
            let mut state = context.state();
            state.key = Some(key);
            state.activity = Activity::Never;
            state.effects.sealed = true;
        }
        context
    }

    /// Starts a task's visit. A session that does not exist is gone.
    pub(crate) async fn start_task(self: &Arc<Self>) -> Result<(), SessionError> {
        match self.start().await {
            Err(SessionError::Unknown) => Err(SessionError::Gone),
            started => started,
        }
    }

    /// Returns whether the visit can write to the session under this key.
    pub(crate) fn is_writable_at(&self, key: &SessionKey) -> bool {
        let state = self.state();
        state.phase == Phase::Writable && state.key.as_ref() == Some(key)
    }
}

impl ActiveVisit {
    /// Returns the visit of a context that belongs to no visit yet.
    pub(crate) fn of(context: &Arc<Context>) -> Self {
        Self::from(Frame::new(Arc::clone(context)))
    }
}

/// Returns the visits of this session in which the current code runs, from the innermost outwards. Leaves out visits in
/// which another task runs a transaction: their lock is released without waiting for the current code.
pub(crate) fn enclosing(settings: &Arc<Settings>) -> Vec<Arc<Context>> {
    let mut contexts = stack::all(settings);
    contexts.retain(|context| !context.state().in_transaction || stack::is_in_transaction(context));
    contexts
}

/// Returns the locks that these visits have.
pub(crate) fn locks_of(contexts: &[Arc<Context>]) -> Held {
    let held = |context: &Arc<Context>| {
        let key = context.state().lock_key()?;
        Some((key, Arc::clone(context) as Arc<dyn LockHolder>))
    };
    contexts.iter().filter_map(held).collect()
}

impl LockHolder for Context {
    fn holds(&self, key: &SessionKey) -> bool {
        self.state().lock_key().as_ref() == Some(key)
    }
}

impl State {
    fn lock_key(&self) -> Option<SessionKey> {
        self.lock().map(|lock| *lock.key())
    }
}

impl Settings {
    /// Returns the key to which this one leads while a rotation's grace lasts.
    pub(crate) async fn current_key(&self, key: SessionKey) -> SessionKey {
        if self.rotation_grace.is_zero() {
            return key;
        }
        match self.storage.read(&key).await {
            Ok(Lookup::Found(stored)) => stored.key,
            // The lookup that follows reports it.
            _ => key,
        }
    }
}
