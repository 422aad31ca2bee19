//! Taking in what a storage has returned.
//!
//! Mostly there is nothing to do but to index the record. What takes more storage calls (moving what slides, removing
//! what is dead) is a chore, which is allocated when it turns up, so that it costs nothing when it does not.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use super::Context;
use super::slide::{Slide, has_dead_items};
use super::state::Phase;
use crate::contents::{AsOf, Contents, RecordError};
use crate::error::SessionError;
use crate::events;
use crate::session::Unreadable;
use crate::session_key::SessionKey;
use crate::storage::{Lock, Meta, Record};

/// What is left to do before a visit has started.
pub(super) type Chore = Pin<Box<dyn Future<Output = Result<(), SessionError>> + Send>>;

/// A record on its way into a visit.
pub(super) struct Loaded {
    pub(super) key: SessionKey,
    pub(super) meta: Meta,
    pub(super) contents: Contents,
    /// The lock, if the visit is to write.
    pub(super) lock: Option<Lock>,
    /// Whether transient data is still to be removed, as the browser was restarted.
    pub(super) restarted: bool,
    epoch: u32,
}

impl Context {
    /// The storage has returned a record, and with it the lock if one was asked for. If there is a chore, the visit
    /// has started when that is done.
    pub(super) fn receive(
        self: &Arc<Self>,
        key: SessionKey,
        record: Record,
        lock: Option<Lock>,
        epoch: u32,
    ) -> Result<Option<Chore>, SessionError> {
        let now = self.engine.storage.clock().now();
        let mut restarted = self.state().restarted;
        let Record { meta, payload } = record;
        let contents = match Contents::decode(payload) {
            Ok(contents) => contents,
            Err(error) => return Ok(Some(Box::pin(Arc::clone(self).unreadable(key, lock, error, epoch)))),
        };
        let at = AsOf {
            now,
            last_active: meta.last_active,
        };
        // A touch that came late can have kept the record of a session that was to end earlier.
        let over = contents.is_over(at);
        if over || (restarted && contents.lifetime.is_some_and(|lifetime| lifetime.transient)) {
            return Ok(Some(Box::pin(Arc::clone(self).discard(key, lock, epoch))));
        }
        // Transient data that others set from now on stems from the new browser window.
        restarted &= contents.items().transient;
        let slide = Slide::due(&contents, &meta, now, &self.engine);
        let is_clean = slide.is_none() && !has_dead_items(&contents, at, restarted);
        let loaded = Loaded {
            key,
            meta,
            contents,
            lock,
            restarted,
            epoch,
        };
        if is_clean {
            return self.install(loaded, false).map(|()| None);
        }
        Ok(Some(Box::pin(Arc::clone(self).settle(loaded))))
    }

    /// Moves what slides and removes what is dead, then starts the visit.
    async fn settle(self: Arc<Self>, mut loaded: Loaded) -> Result<(), SessionError> {
        let (key, phase, epoch) = (loaded.key, loaded.phase(), loaded.epoch);
        match self.slide_at_start(&mut loaded).await {
            Ok(moved) => self.install(loaded, moved),
            Err(SessionError::Gone) => self.missing(epoch, phase),
            Err(SessionError::Superseded) => self.superseded(epoch, phase),
            Err(SessionError::Unreadable(error)) => self.unreadable(key, loaded.lock, error, epoch).await,
            Err(error) => Err(error),
        }
    }

    /// The record is there, but cannot be read.
    async fn unreadable(
        self: Arc<Self>,
        key: SessionKey,
        lock: Option<Lock>,
        error: RecordError,
        epoch: u32,
    ) -> Result<(), SessionError> {
        events::unreadable(&key);
        match self.engine.unreadable {
            Unreadable::Fail => Err(error.into()),
            Unreadable::Drop => self.discard(key, lock, epoch).await,
        }
    }

    /// Removes a session that is of no use to anybody, then goes on as if there had been none.
    async fn discard(self: Arc<Self>, key: SessionKey, lock: Option<Lock>, epoch: u32) -> Result<(), SessionError> {
        let phase = phase_with(lock.as_ref());
        self.engine.storage.destroy(&key).await?;
        if let Some(mut lock) = lock {
            // It went with the record.
            lock.spend();
        }
        self.missing(epoch, phase)
    }

    fn install(&self, mut loaded: Loaded, moved: bool) -> Result<(), SessionError> {
        let phase = loaded.phase();
        if phase == Phase::Writable && loaded.contents.lifetime.is_none() {
            self.apply_default(&mut loaded.contents);
        }
        let mut state = self.state();
        if state.epoch != loaded.epoch {
            // Destroyed meanwhile, by this very visit.
            drop(state);
            return Err(SessionError::Gone);
        }
        state.told.aliased |= state.key.is_some_and(|asked| asked != loaded.key);
        state.told.moved |= moved;
        state.told.read = true;
        state.enter(phase);
        state.seen = true;
        state.key = Some(loaded.key);
        state.meta = Some(loaded.meta);
        state.contents = loaded.contents;
        state.restarted = loaded.restarted;
        state.hold(loaded.lock);
        Ok(())
    }
}

impl Loaded {
    fn phase(&self) -> Phase {
        phase_with(self.lock.as_ref())
    }
}

fn phase_with(lock: Option<&Lock>) -> Phase {
    if lock.is_some() {
        Phase::Writable
    } else {
        Phase::Readable
    }
}
