//! Starting, refreshing and releasing the session of a visit.
//!
//! All of these may be dropped at any await. A lock that was taken is then released, a change is in the storage
//! completely or not at all, and the visit is either unstarted or readable with the data that the storage held.

mod candidates;
mod immediate;
pub(in crate::visit) mod load;
mod verdict;

use std::sync::Arc;

use crate::clock::Timestamp;
use crate::error::SessionError;
use crate::events::EventKind;
use crate::expiration::Lifetime;
use crate::id::SessionKey;
use crate::storage::{Lock, Locked, Lookup, Stored};
use crate::telemetry;
use crate::visit::Context;
use crate::visit::limits::begin_lifetime;
use crate::visit::operation::OperationGuard;
use crate::visit::sliding::Activity;
use crate::visit::start::immediate::StartProgress;
use crate::visit::state::{Closing, Phase, State};

impl Context {
    pub(crate) async fn start(self: &Arc<Self>) -> Result<(), SessionError> {
        match self.start_immediate() {
            Some(StartProgress::Done(started)) => started,
            Some(StartProgress::PostLoad(post_load, _guard)) => post_load.await,
            None => Box::pin(self.wait_and_start()).await,
        }
    }

    async fn wait_and_start(self: &Arc<Self>) -> Result<(), SessionError> {
        let guard = self.begin_operation().await?;
        self.start_in_operation(&guard).await
    }

    pub(in crate::visit) async fn start_in_operation(
        self: &Arc<Self>,
        guard: &OperationGuard<'_>,
    ) -> Result<(), SessionError> {
        let (key, request) = {
            let mut state = self.state();
            if state.phase == Phase::Writable {
                return Ok(());
            }
            (state.lookup_key(), state.begin_load())
        };
        let Some(key) = key else {
            return self.begin(request.epoch, Phase::Writable);
        };
        match self.settings.lock(&key, guard.remaining_wait).await? {
            (Lookup::Found(Locked { lock, record }), at) => {
                let key = *lock.key();
                match self.on_loaded(key, record, Some(lock), at, request)? {
                    Some(post_load) => post_load.await,
                    None => Ok(()),
                }
            }
            (none, _) => self.on_not_found(key, &none, request, Some(guard.remaining_wait)).await,
        }
    }

    /// Does not wait for the operation guard: a reader waits for no other task, not even for a call of its own visit.
    pub(crate) async fn start_readonly(self: &Arc<Self>) -> Result<(), SessionError> {
        match self.start_readonly_immediate() {
            Some(StartProgress::Done(started)) => started,
            Some(StartProgress::PostLoad(post_load, _)) => post_load.await,
            None => Box::pin(self.wait_and_start_readonly()).await,
        }
    }

    async fn wait_and_start_readonly(self: &Arc<Self>) -> Result<(), SessionError> {
        let (key, request) = {
            let mut state = self.state();
            if state.is_started() {
                return Ok(());
            }
            (state.lookup_key(), state.begin_load())
        };
        let Some(key) = key else {
            return self.begin(request.epoch, Phase::Readable);
        };
        match self.settings.read(&key).await? {
            (Lookup::Found(Stored { key, record, .. }), at) => match self.on_loaded(key, record, None, at, request)? {
                Some(post_load) => post_load.await,
                None => Ok(()),
            },
            (none, _) => self.on_not_found(key, &none, request, None).await,
        }
    }

    /// Does the same as [`start_readonly`](Context::start_readonly) without counting as activity.
    pub(crate) async fn start_passive(self: &Arc<Self>) -> Result<(), SessionError> {
        {
            let mut state = self.state();
            if !state.is_started() {
                state.activity = Activity::IfLocked;
            }
        }
        self.start_readonly().await
    }

    pub(crate) async fn refresh(self: &Arc<Self>) -> Result<(), SessionError> {
        let (key, session) = {
            let state = self.state();
            match state.phase {
                Phase::Unstarted | Phase::Destroyed => return Err(SessionError::NotStarted),
                // No other visit can have changed a locked session.
                Phase::Writable => return Ok(()),
                Phase::Readable if state.lost => return Err(SessionError::Gone),
                Phase::Readable => (state.key.filter(|_| state.seen), state.session),
            }
        };
        let Some(key) = key else { return Ok(()) };
        let gone = match self.settings.read(&key).await? {
            (Lookup::Found(Stored { key, record, .. }), at) => return self.reload(key, record, at, session),
            (Lookup::Missing, _) => SessionError::Gone,
            (Lookup::Superseded, _) => SessionError::Superseded,
        };
        let mut state = self.state();
        if state.session == session && state.phase == Phase::Readable && state.closing == Closing::No {
            state.lost = true;
        }
        Err(gone)
    }

    /// Begins a session that is not stored yet.
    pub(in crate::visit) fn begin(&self, epoch: u32, phase: Phase) -> Result<(), SessionError> {
        let now = self.settings.storage.clock().now();
        let default = self.default_for(phase, now);
        let mut state = self.state();
        if state.epoch != epoch {
            return Err(SessionError::Gone);
        }
        begin_in_state(&mut state, phase, default, now)
    }

    /// Computes the default lifetime before the state is locked, if a session that begins in this phase may need it.
    fn default_for(&self, phase: Phase, now: Timestamp) -> Option<Lifetime> {
        (phase == Phase::Writable).then(|| self.settings.default_lifetime(now))
    }

    /// Handles a lookup that found no session.
    pub(in crate::visit) fn on_missing(&self, epoch: u32, phase: Phase) -> Result<(), SessionError> {
        let now = self.settings.storage.clock().now();
        let default = self.default_for(phase, now);
        let mut state = self.state();
        if state.epoch != epoch {
            return Err(SessionError::Gone);
        }
        if phase == Phase::Readable && state.is_started() {
            return Ok(());
        }
        state.effects.read = true;
        state.effects.gone();
        if state.seen {
            return Err(SessionError::Gone);
        }
        // A task has its key from the application: it is no sign that a client guesses ids.
        let requested = state.key.filter(|_| state.activity != Activity::Never);
        // Holds a lock of the session, if there is one. It is dropped after the state is unlocked, as that runs code of
        // the storage.
        let mut forgotten = None;
        let begun = if state.strict {
            Err(SessionError::Unknown)
        } else {
            forgotten = state.forget();
            begin_in_state(&mut state, phase, default, now)
        };
        drop(state);
        drop(forgotten);
        if let Some(key) = &requested {
            telemetry::unknown(key);
            self.settings.emit(EventKind::UnknownId, key, None);
        }
        begun
    }

    /// Handles a lookup of a session that has moved to another id.
    pub(in crate::visit) fn on_superseded(
        &self,
        requested: SessionKey,
        epoch: u32,
        phase: Phase,
    ) -> Result<(), SessionError> {
        let now = self.settings.storage.clock().now();
        let default = self.default_for(phase, now);
        let mut state = self.state();
        if state.epoch != epoch {
            return Err(SessionError::Gone);
        }
        if phase == Phase::Readable && state.is_started() {
            return Ok(());
        }
        state.effects.read = true;
        state.effects.superseded = true;
        // A visit that has loaded the session has shown its id while that was right.
        let is_shown = state.activity != Activity::Never && !state.seen;
        let mut forgotten = None;
        let begun = if state.seen || state.strict {
            Err(SessionError::Superseded)
        } else {
            forgotten = state.forget();
            state.cold_mut().previous_key = Some(requested);
            begin_in_state(&mut state, phase, default, now)
        };
        drop(state);
        drop(forgotten);
        telemetry::superseded(&requested);
        if is_shown {
            self.settings.emit(EventKind::ReplacedId, &requested, None);
        }
        begun
    }

    pub(crate) async fn release(self: &Arc<Self>) -> Result<(), SessionError> {
        {
            let mut state = self.state();
            if state.phase != Phase::Writable && state.closing == Closing::No {
                state.undone = false;
                return Ok(());
            }
        }
        let _guard = self.begin_operation().await?;
        let lock = {
            let mut state = self.state();
            let lock = state.abandon();
            state.undone = false;
            lock
        };
        self.release_lock(lock).await
    }

    /// Releases the lock when the visit ends. The application did not ask for it, so lost changes are reported as
    /// undone.
    pub(in crate::visit) async fn abandon_in_operation(&self) -> Result<(), SessionError> {
        {
            let state = self.state();
            if state.phase != Phase::Writable && state.closing == Closing::No {
                return Ok(());
            }
        }
        let _guard = self.begin_operation().await?;
        let lock = self.state().abandon_uncommitted();
        self.release_lock(lock).await
    }

    async fn release_lock(&self, lock: Option<Lock>) -> Result<(), SessionError> {
        match lock {
            Some(lock) => Ok(self.settings.release(lock).await?),
            None => Ok(()),
        }
    }

    /// Releases a lock under which nothing was written. A failure is only logged: the lock ends with its lease.
    pub(in crate::visit) async fn release_or_log(&self, lock: Lock) {
        let key = *lock.key();
        if let Err(error) = self.settings.release(lock).await {
            telemetry::release_failed(&key, &error);
        }
    }
}

fn begin_in_state(
    state: &mut State,
    phase: Phase,
    default: Option<Lifetime>,
    now: Timestamp,
) -> Result<(), SessionError> {
    if phase == Phase::Readable && state.is_started() {
        // Another call of this visit has started it meanwhile.
        return Ok(());
    }
    if let (Some(default), None) = (default, state.payload().lifetime) {
        begin_lifetime(state.payload_mut(), default, now)?;
    }
    state.enter(phase);
    state.effects.read = true;
    Ok(())
}
