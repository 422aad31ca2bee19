//! The lifecycle: starting, refreshing and releasing the session of a visit.
//!
//! Every one of these may be dropped at any await. What holds then: a lock that was taken is released, a change is in
//! the storage whole or not at all, and the visit is left readable with what the storage held, or unstarted.

mod candidates;
mod immediate;
pub(in crate::visit) mod load;

use std::sync::Arc;

use crate::clock::Timestamp;
use crate::error::SessionError;
use crate::events;
use crate::expiration::Lifetime;
use crate::id::SessionKey;
use crate::storage::{Lock, Locked, Lookup, Stored};
use crate::visit::Context;
use crate::visit::limits::begin_lifetime;
use crate::visit::operation::OperationGuard;
use crate::visit::start::immediate::StartProgress;
use crate::visit::state::{Closing, Phase, State};

impl Context {
    pub(crate) async fn start(self: &Arc<Self>) -> Result<(), SessionError> {
        match self.start_immediate() {
            StartProgress::Done(started) => started,
            StartProgress::PostLoad(post_load, _turn) => post_load.await,
            StartProgress::Wait => Box::pin(self.wait_and_start()).await,
        }
    }

    async fn wait_and_start(self: &Arc<Self>) -> Result<(), SessionError> {
        let turn = self.begin_operation().await?;
        self.start_in_operation(&turn).await
    }

    pub(in crate::visit) async fn start_in_operation(
        self: &Arc<Self>,
        turn: &OperationGuard<'_>,
    ) -> Result<(), SessionError> {
        let (key, asked) = {
            let mut state = self.state();
            if state.phase == Phase::Writable {
                return Ok(());
            }
            (state.lookup_key(), state.begin_load())
        };
        let Some(key) = key else {
            return self.begin(asked.epoch, Phase::Writable);
        };
        match self.settings.lock(&key, turn.patience).await? {
            (Lookup::Found(Locked { lock, record }), at) => {
                let key = *lock.key();
                match self.on_loaded(key, record, Some(lock), at, asked)? {
                    Some(post_load) => post_load.await,
                    None => Ok(()),
                }
            }
            (none, _) => self.not_found(key, &none, asked, Some(turn.patience)).await,
        }
    }

    /// Waits for no turn: a reader waits for nobody, not for a call of its own visit either.
    pub(crate) async fn start_readonly(self: &Arc<Self>) -> Result<(), SessionError> {
        match self.start_readonly_immediate() {
            StartProgress::Done(started) => started,
            StartProgress::PostLoad(post_load, _) => post_load.await,
            StartProgress::Wait => Box::pin(self.wait_and_start_readonly()).await,
        }
    }

    async fn wait_and_start_readonly(self: &Arc<Self>) -> Result<(), SessionError> {
        let (key, asked) = {
            let mut state = self.state();
            if state.is_started() {
                return Ok(());
            }
            (state.lookup_key(), state.begin_load())
        };
        let Some(key) = key else {
            return self.begin(asked.epoch, Phase::Readable);
        };
        match self.settings.read(&key).await? {
            (Lookup::Found(Stored { key, record, .. }), at) => match self.on_loaded(key, record, None, at, asked)? {
                Some(post_load) => post_load.await,
                None => Ok(()),
            },
            (none, _) => self.not_found(key, &none, asked, None).await,
        }
    }

    /// As [`start_readonly`](Context::start_readonly), without counting as activity.
    pub(crate) async fn start_passive(self: &Arc<Self>) -> Result<(), SessionError> {
        {
            let mut state = self.state();
            if !state.is_started() {
                state.passive = true;
            }
        }
        self.start_readonly().await
    }

    pub(crate) async fn refresh(self: &Arc<Self>) -> Result<(), SessionError> {
        let (key, session) = {
            let state = self.state();
            match state.phase {
                Phase::Unstarted | Phase::Destroyed => return Err(SessionError::NotStarted),
                // Nobody else can have changed it.
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

    /// Begins a session that is nowhere stored.
    pub(in crate::visit) fn begin(&self, epoch: u32, phase: Phase) -> Result<(), SessionError> {
        let now = self.settings.storage.clock().now();
        let default = self.default_in(phase, now);
        let mut state = self.state();
        if state.epoch != epoch {
            return Err(SessionError::Gone);
        }
        begin_in(&mut state, phase, default, now)
    }

    /// What a session that begins in this phase may need, worked out before the state is locked.
    fn default_in(&self, phase: Phase, now: Timestamp) -> Option<Lifetime> {
        (phase == Phase::Writable).then(|| self.settings.default_lifetime(now))
    }

    /// The storage knows no session by this visit's id.
    pub(in crate::visit) fn missing(&self, epoch: u32, phase: Phase) -> Result<(), SessionError> {
        let now = self.settings.storage.clock().now();
        let default = self.default_in(phase, now);
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
        let asked = state.key;
        let mut forgotten = None;
        let begun = if state.strict {
            Err(SessionError::Unknown)
        } else {
            forgotten = state.forget();
            begin_in(&mut state, phase, default, now)
        };
        drop(state);
        drop(forgotten);
        if let Some(key) = &asked {
            events::unknown(key);
        }
        begun
    }

    /// The session of this visit has moved to another id.
    pub(in crate::visit) fn superseded(&self, asked: SessionKey, epoch: u32, phase: Phase) -> Result<(), SessionError> {
        let now = self.settings.storage.clock().now();
        let default = self.default_in(phase, now);
        let mut state = self.state();
        if state.epoch != epoch {
            return Err(SessionError::Gone);
        }
        if phase == Phase::Readable && state.is_started() {
            return Ok(());
        }
        state.effects.read = true;
        state.effects.superseded = true;
        let mut forgotten = None;
        let begun = if state.seen || state.strict {
            Err(SessionError::Superseded)
        } else {
            forgotten = state.forget();
            state.cold_mut().previous_key = Some(asked);
            begin_in(&mut state, phase, default, now)
        };
        drop(state);
        drop(forgotten);
        events::superseded(&asked);
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
        let _turn = self.begin_operation().await?;
        let lock = {
            let mut state = self.state();
            let lock = state.abandon();
            state.undone = false;
            lock
        };
        self.release_lock(lock).await
    }

    /// Releases for the end of the visit: whoever goes on with it has not asked for that, and is to learn that what was
    /// changed is lost.
    pub(in crate::visit) async fn abandon_in_operation(&self) -> Result<(), SessionError> {
        {
            let state = self.state();
            if state.phase != Phase::Writable && state.closing == Closing::No {
                return Ok(());
            }
        }
        let _turn = self.begin_operation().await?;
        let lock = self.state().abandon_uncommitted();
        self.release_lock(lock).await
    }

    async fn release_lock(&self, lock: Option<Lock>) -> Result<(), SessionError> {
        match lock {
            Some(lock) => Ok(self.settings.release(lock).await?),
            None => Ok(()),
        }
    }

    /// Gives a lock back under which nothing was written. That it could not be is no failure of the visit: its lease
    /// ends it.
    pub(in crate::visit) async fn give_back(&self, lock: Lock) {
        let key = *lock.key();
        if let Err(error) = self.settings.release(lock).await {
            events::not_released(&key, &error);
        }
    }
}

fn begin_in(state: &mut State, phase: Phase, default: Option<Lifetime>, now: Timestamp) -> Result<(), SessionError> {
    if phase == Phase::Readable && state.is_started() {
        // Another call of this visit was faster.
        return Ok(());
    }
    if let (Some(default), None) = (default, state.payload().lifetime) {
        begin_lifetime(state.payload_mut(), default, now)?;
    }
    state.enter(phase);
    state.effects.read = true;
    Ok(())
}
