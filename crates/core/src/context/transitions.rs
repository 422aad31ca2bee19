//! The lifecycle: starting, closing, releasing and destroying the session of a visit.
//!
//! Every one of these may be dropped at any await. What holds then: a lock that was taken is released, a change is in
//! the storage whole or not at all, and the visit is left readable with what the storage held, or unstarted.

use std::sync::Arc;

use super::Context;
use super::state::{Phase, State};
use super::turn::Turn;
use crate::contents::Contents;
use crate::error::SessionError;
use crate::events;
use crate::expiration::Lifetime;
use crate::storage::{Locked, Lookup, Stored};

impl Context {
    pub(crate) async fn start(self: &Arc<Self>) -> Result<(), SessionError> {
        let turn = self.turn().await?;
        self.start_in_turn(&turn).await
    }

    pub(super) async fn start_in_turn(self: &Arc<Self>, turn: &Turn<'_>) -> Result<(), SessionError> {
        let (key, epoch) = {
            let mut state = self.state();
            if state.phase == Phase::Writable {
                return Ok(());
            }
            match state.lookup_key() {
                Some(key) => (key, state.epoch),
                None => {
                    self.begin(&mut state, Phase::Writable);
                    return Ok(());
                }
            }
        };
        match self.engine.storage.lock(&key, turn.patience).await? {
            Lookup::Found(Locked { lock, record }) => {
                let key = *lock.key();
                match self.receive(key, record, Some(lock), epoch)? {
                    Some(chore) => chore.await,
                    None => Ok(()),
                }
            }
            Lookup::Missing => self.missing(epoch, Phase::Writable),
            Lookup::Superseded => self.superseded(epoch, Phase::Writable),
        }
    }

    pub(crate) async fn start_readonly(self: &Arc<Self>) -> Result<(), SessionError> {
        let _turn = self.turn().await?;
        let (key, epoch) = {
            let mut state = self.state();
            if matches!(state.phase, Phase::Readable | Phase::Writable) {
                return Ok(());
            }
            match state.lookup_key() {
                Some(key) => (key, state.epoch),
                None => {
                    self.begin(&mut state, Phase::Readable);
                    return Ok(());
                }
            }
        };
        match self.engine.storage.read(&key).await? {
            Lookup::Found(Stored { key, record }) => match self.receive(key, record, None, epoch)? {
                Some(chore) => chore.await,
                None => Ok(()),
            },
            Lookup::Missing => self.missing(epoch, Phase::Readable),
            Lookup::Superseded => self.superseded(epoch, Phase::Readable),
        }
    }

    /// Begins a session that is nowhere stored.
    fn begin(&self, state: &mut State, phase: Phase) {
        state.enter(phase);
        state.told.read = true;
        if phase == Phase::Writable && state.contents.lifetime.is_none() {
            self.apply_default(&mut state.contents);
        }
    }

    pub(super) fn apply_default(&self, contents: &mut Contents) {
        let now = self.engine.storage.clock().now();
        contents.begin_lifetime(Lifetime::begin(self.engine.default_expiration, now), now);
    }

    /// The storage knows no session by this visit's id.
    pub(super) fn missing(&self, epoch: u32, phase: Phase) -> Result<(), SessionError> {
        let mut state = self.state();
        if state.epoch != epoch {
            return Err(SessionError::Gone);
        }
        state.told.read = true;
        state.told.gone();
        if state.seen {
            return Err(SessionError::Gone);
        }
        if let Some(key) = &state.key {
            events::unknown(key);
        }
        if state.strict {
            return Err(SessionError::Unknown);
        }
        state.forget();
        self.begin(&mut state, phase);
        Ok(())
    }

    /// The session of this visit has moved to another id.
    pub(super) fn superseded(&self, epoch: u32, phase: Phase) -> Result<(), SessionError> {
        let mut state = self.state();
        if state.epoch != epoch {
            return Err(SessionError::Gone);
        }
        state.told.read = true;
        state.told.superseded = true;
        if let Some(key) = &state.key {
            events::superseded(key);
        }
        if state.seen || state.strict {
            return Err(SessionError::Superseded);
        }
        state.forget();
        self.begin(&mut state, phase);
        Ok(())
    }

    pub(crate) async fn close(self: &Arc<Self>) -> Result<(), SessionError> {
        let _turn = self.turn().await?;
        self.close_in_turn().await
    }

    /// Closes and, if nothing was written, moves what slides.
    pub(super) async fn close_at_end(self: &Arc<Self>) -> Result<(), SessionError> {
        let turn = self.turn().await?;
        let written = self.close_now().await?;
        drop(turn);
        if !written {
            self.slide_at_end().await;
        }
        Ok(())
    }

    pub(crate) async fn release(self: &Arc<Self>) -> Result<(), SessionError> {
        let _turn = self.turn().await?;
        self.release_in_turn().await
    }

    pub(super) async fn release_in_turn(&self) -> Result<(), SessionError> {
        let lock = self.state().give_up();
        match lock {
            Some(lock) => Ok(self.engine.storage.release(lock).await?),
            None => Ok(()),
        }
    }

    /// Waits for no turn: a session that is to end ends now, whatever else the visit has under way.
    pub(crate) async fn destroy(self: &Arc<Self>) -> Result<(), SessionError> {
        let (key, next, epoch) = {
            let mut state = self.state();
            let next = state.next_id.as_ref().map(crate::SessionId::key);
            (state.lookup_key(), next, state.epoch)
        };
        let mut found = match &key {
            Some(key) => self.engine.storage.destroy(key).await?,
            None => Lookup::Missing,
        };
        if let (Lookup::Superseded, Some(next)) = (&found, &next) {
            // A close that is under way has moved it already.
            found = self.engine.storage.destroy(next).await?;
        }
        let lock = {
            let mut state = self.state();
            if state.epoch != epoch {
                return Ok(());
            }
            state.epoch += 1;
            state.phase = Phase::Destroyed;
            state.told.superseded |= found == Lookup::Superseded;
            if key.is_some() {
                state.told.read = true;
                state.told.written |= found.is_found();
                state.told.gone();
            }
            state.forget();
            state.lock.take()
        };
        if let Some(mut lock) = lock {
            // It went with the record.
            lock.spend();
        }
        if let (Some(key), true) = (&key, found.is_found()) {
            events::destroyed(key);
        }
        Ok(())
    }

    pub(crate) fn regenerate_id(&self) -> Result<(), SessionError> {
        let mut state = self.state();
        match state.phase {
            Phase::Writable => {}
            Phase::Readable => return Err(SessionError::NotWritable),
            Phase::Unstarted | Phase::Destroyed => return Err(SessionError::NotStarted),
        }
        if state.told.sealed {
            return Err(SessionError::Sealed);
        }
        let entropy = &*self.engine.entropy;
        state.next_id = Some(match &state.id {
            Some(id) => id.rotated(entropy),
            None => crate::SessionId::generate(entropy),
        });
        Ok(())
    }
}
