//! Loading: what comes of the storage's answer when a visit starts.

use std::sync::Arc;

use super::Context;
use super::state::{Phase, State};
use crate::contents::{AsOf, Contents, RecordError};
use crate::error::SessionError;
use crate::events;
use crate::expiration::Lifetime;
use crate::session::Unreadable;
use crate::session_key::SessionKey;
use crate::storage::{Lock, Record};

impl Context {
    /// Begins a session that is nowhere stored.
    pub(super) fn begin(&self, state: &mut State, phase: Phase) {
        state.enter(phase);
        state.told.read = true;
        if phase == Phase::Writable && state.contents.lifetime.is_none() {
            self.apply_default(&mut state.contents);
        }
    }

    fn apply_default(&self, contents: &mut Contents) -> bool {
        let lifetime = Lifetime::begin(self.engine.default_expiration, self.engine.storage.clock().now());
        contents.lifetime = Some(lifetime);
        !lifetime.is_endless()
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

    /// The record is there, but cannot be read.
    async fn unreadable(
        &self,
        key: &SessionKey,
        lock: Option<Lock>,
        error: RecordError,
        epoch: u32,
        phase: Phase,
    ) -> Result<(), SessionError> {
        events::unreadable(key);
        match self.engine.unreadable {
            Unreadable::Fail => Err(error.into()),
            Unreadable::Drop => {
                self.engine.discard(key, lock).await?;
                self.missing(epoch, phase)
            }
        }
    }

    /// The storage has returned a record, and with it the lock if one was asked for.
    pub(super) async fn loaded(
        self: &Arc<Self>,
        key: SessionKey,
        record: Record,
        lock: Option<Lock>,
        epoch: u32,
    ) -> Result<(), SessionError> {
        let phase = if lock.is_some() {
            Phase::Writable
        } else {
            Phase::Readable
        };
        let mut restarted = self.state().restarted;
        let Record { mut meta, payload } = record;
        let mut contents = match Contents::decode(payload) {
            Ok(contents) => contents,
            Err(error) => return self.unreadable(&key, lock, error, epoch, phase).await,
        };
        let at = AsOf {
            now: self.engine.storage.clock().now(),
            last_active: meta.last_active,
        };
        // A touch that came late can have kept the record of a session that was to end earlier.
        let over = contents.is_over(at);
        if over || (restarted && contents.lifetime.is_some_and(|lifetime| lifetime.transient)) {
            self.engine.discard(&key, lock).await?;
            return self.missing(epoch, phase);
        }
        let slid = self
            .slide_at_start(&key, &mut meta, &mut contents, &mut restarted, lock.is_some())
            .await;
        let moved = match slid {
            Ok(moved) => moved,
            Err(SessionError::Gone) => return self.missing(epoch, phase),
            Err(SessionError::Superseded) => return self.superseded(epoch, phase),
            Err(SessionError::Unreadable(error)) => return self.unreadable(&key, lock, error, epoch, phase).await,
            Err(error) => return Err(error),
        };
        if lock.is_some() && contents.lifetime.is_none() {
            contents.changed |= self.apply_default(&mut contents);
        }

        let mut state = self.state();
        if state.epoch != epoch {
            // Destroyed meanwhile, by this very visit.
            drop(state);
            drop(lock);
            return Err(SessionError::Gone);
        }
        state.told.aliased |= state.key.is_some_and(|asked| asked != key);
        state.told.moved |= moved;
        state.told.read = true;
        state.enter(phase);
        state.seen = true;
        state.key = Some(key);
        state.meta = Some(meta);
        state.contents = contents;
        state.restarted = restarted;
        state.hold(lock);
        Ok(())
    }
}

impl crate::session::Engine {
    /// Removes a session that is of no use to anybody, and with it the lock.
    async fn discard(&self, key: &SessionKey, lock: Option<Lock>) -> Result<(), SessionError> {
        self.storage.destroy(key).await?;
        if let Some(mut lock) = lock {
            lock.spend();
        }
        Ok(())
    }
}
