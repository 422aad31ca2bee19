//! Taking in what a storage has returned.
//!
//! Mostly there is nothing to do but to index the record. What takes more storage calls (moving what slides, removing
//! what is dead) is a post_load, which is allocated when it turns up, so that it costs nothing when it does not.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use crate::clock::Timestamp;
use crate::error::SessionError;
use crate::events;
use crate::id::SessionKey;
use crate::payload::RecordError;
use crate::settings::Unreadable;
use crate::storage::{Lock, Record, Stored};
use crate::visit::Context;
use crate::visit::limits::begin_lifetime;
use crate::visit::sliding::has_dead_items;
use crate::visit::state::{Phase, SessionData, State};
use crate::window::ShownWindow;

/// What is left to do before a visit has started.
pub(in crate::visit) type PostLoad = Pin<Box<dyn Future<Output = Result<(), SessionError>> + Send>>;

/// How a visit stands when it asks the storage for its session.
#[derive(Debug, Clone, Copy)]
pub(in crate::visit) struct LoadRequest {
    pub(in crate::visit) epoch: u32,
    restarted: bool,
    passive: bool,
    shown: ShownWindow,
}

impl State {
    /// Notes that the storage is asked: what is answered depends on the id even if it cannot be looked up.
    pub(in crate::visit) fn begin_load(&mut self) -> LoadRequest {
        self.effects.read = true;
        LoadRequest {
            epoch: self.epoch,
            restarted: self.restarted,
            passive: self.passive,
            shown: self.cold().shown,
        }
    }
}

/// The worth of a record to a visit.
enum Verdict {
    /// Its time is over by what the session is set up to allow.
    Over,
    /// It ended with the window of the browser, and is of no use to anybody.
    Dead,
    Good {
        /// Whether transient data is still to be removed.
        restarted: bool,
        /// Whether anything in it has slid out or is to be removed.
        has_dead: bool,
    },
}

/// A record on its way into a visit.
pub(in crate::visit) struct Loaded {
    pub(in crate::visit) key: SessionKey,
    /// With the lock, or the stamp of the record, if the visit is to write.
    pub(in crate::visit) data: Box<SessionData>,
    /// Whether transient data is still to be removed, as the browser was restarted.
    pub(in crate::visit) restarted: bool,
    epoch: u32,
}

impl Context {
    /// The storage has returned a record, and with it the lock if one was asked for. If there is a post_load, the visit
    /// has started when that is done.
    pub(in crate::visit) fn on_loaded(
        self: &Arc<Self>,
        key: SessionKey,
        record: Record,
        lock: Option<Lock>,
        now: Timestamp,
        asked: LoadRequest,
    ) -> Result<Option<PostLoad>, SessionError> {
        let passive = asked.passive && lock.is_none();
        let epoch = asked.epoch;
        let started = match SessionData::read(record, now) {
            Ok(mut started) => {
                started.lock = lock;
                started
            }
            Err(error) => {
                return Ok(Some(Box::pin(Arc::clone(self).unreadable(key, lock, error, epoch))));
            }
        };
        let (restarted, has_dead) = match self.judge(&started, now, asked) {
            Verdict::Over => return Ok(Some(Box::pin(Arc::clone(self).over(started.lock, epoch)))),
            Verdict::Dead => return Ok(Some(Box::pin(Arc::clone(self).discard(key, started.lock, epoch)))),
            Verdict::Good { restarted, has_dead } => (restarted, has_dead),
        };
        let slides = !passive && started.is_due(now, &self.settings);
        let loaded = Loaded {
            key,
            data: started,
            restarted,
            epoch,
        };
        if !slides && !has_dead {
            return self.install(loaded, false).map(|()| None);
        }
        Ok(Some(Box::pin(Arc::clone(self).settle(loaded, passive))))
    }

    /// Makes the visit writable without a lock, with a record that was just read, if there is nothing to be done about it
    /// before: what has ended in it is for the holder of the lock to remove. Returns whether it was done.
    pub(in crate::visit) fn on_loaded_unlocked(
        &self,
        stored: Stored,
        now: Timestamp,
        asked: LoadRequest,
    ) -> Result<bool, SessionError> {
        let Stored { key, record, stamp } = stored;
        if record.meta.has_expired(now) {
            // The answer was long on its way; others may have moved the end since.
            return Ok(false);
        }
        let Ok(mut started) = SessionData::read(record, now) else {
            return Ok(false);
        };
        let Verdict::Good {
            restarted,
            has_dead: false,
        } = self.judge(&started, now, asked)
        else {
            return Ok(false);
        };
        // Sliding ends move with the commit, or when the visit is closed without one.
        started.unlocked = Some(stamp);
        let loaded = Loaded {
            key,
            data: started,
            restarted,
            epoch: asked.epoch,
        };
        self.install(loaded, false).map(|()| true)
    }

    /// Judges what a record is worth to a visit at this moment.
    fn judge(&self, started: &SessionData, now: Timestamp, asked: LoadRequest) -> Verdict {
        if started.is_over(now, &self.settings) {
            return Verdict::Over;
        }
        let payload = &started.payload;
        // Transient data of another window than the one that was closed stems from a newer one.
        let mut restarted = asked.restarted
            || matches!((asked.shown, payload.window()), (ShownWindow::Closed(shown), Some(own)) if shown == own);
        if restarted && payload.lifetime.is_some_and(|lifetime| lifetime.transient) {
            return Verdict::Dead;
        }
        // Transient data that others set from now on stems from the new browser window.
        restarted &= payload.items().transient;
        Verdict::Good {
            has_dead: has_dead_items(payload, started.as_of(now), restarted),
            restarted,
        }
    }

    /// Moves what slides and removes what is dead, then starts the visit.
    async fn settle(self: Arc<Self>, mut loaded: Loaded, passive: bool) -> Result<(), SessionError> {
        let (key, phase, epoch) = (loaded.key, loaded.phase(), loaded.epoch);
        match self.slide_at_start(&mut loaded, passive).await {
            Ok(renewed) => self.install(loaded, renewed),
            Err(SessionError::Gone) => self.missing(epoch, phase),
            Err(SessionError::Superseded) => self.superseded(key, epoch, phase),
            Err(SessionError::Unreadable(error)) => self.unreadable(key, loaded.data.lock, error, epoch).await,
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
        match self.settings.unreadable {
            Unreadable::Fail => Err(error.into()),
            Unreadable::Drop => self.discard(key, lock, epoch).await,
        }
    }

    /// The record is there, but its time is over by what this session is set up to allow. It is not destroyed for it: a
    /// parallel visit may be about to move its end, and in any case it goes when its own deadline comes.
    async fn over(self: Arc<Self>, lock: Option<Lock>, epoch: u32) -> Result<(), SessionError> {
        let phase = phase_with(lock.as_ref());
        if let Some(lock) = lock {
            self.give_back(lock).await;
        }
        self.missing(epoch, phase)
    }

    /// Removes a session that is of no use to anybody, then goes on as if there had been none.
    async fn discard(self: Arc<Self>, key: SessionKey, lock: Option<Lock>, epoch: u32) -> Result<(), SessionError> {
        let phase = phase_with(lock.as_ref());
        self.settings.storage.destroy(&key).await?;
        if let Some(mut lock) = lock {
            // It went with the record.
            lock.spend();
        }
        self.missing(epoch, phase)
    }

    fn install(&self, mut loaded: Loaded, renewed: bool) -> Result<(), SessionError> {
        let phase = loaded.phase();
        let started = &mut *loaded.data;
        if phase == Phase::Writable && started.payload.lifetime.is_none() {
            let default = self.settings.default_lifetime(started.loaded_at);
            begin_lifetime(&mut started.payload, default, started.loaded_at)?;
        }
        started.plan_renewal();
        let mut state = self.state();
        if state.epoch != loaded.epoch {
            // Destroyed meanwhile, by this very visit.
            drop(state);
            return Err(SessionError::Gone);
        }
        if phase == Phase::Readable && state.is_started() {
            // Another call of this visit has started it meanwhile, and may have changed something since.
            return Ok(());
        }
        state.effects.aliased |= state.key.is_some_and(|asked| asked != loaded.key);
        let candidate = *state.candidate.get_or_insert(0);
        state.effects.renewed |= renewed || (!state.seen && state.flags.renews(candidate));
        state.effects.read = true;
        state.enter(phase);
        state.seen = true;
        let replaced = state.take_in(loaded);
        let renewal_waker = state.take_renewal_waker();
        drop(state);
        drop(replaced);
        if let Some(renewal_waker) = renewal_waker {
            renewal_waker.wake();
        }
        Ok(())
    }

    /// Looks at the session as it is stored now, without becoming able to write.
    pub(in crate::visit) fn reload(
        &self,
        key: SessionKey,
        record: Record,
        now: Timestamp,
        session: u32,
    ) -> Result<(), SessionError> {
        let started = SessionData::read(record, now)?;
        let over = started.is_over(now, &self.settings);
        let mut state = self.state();
        if state.session != session
            || state.phase != Phase::Readable
            || state.closing != crate::visit::state::Closing::No
        {
            // Another call of this visit knows better by now.
            return Ok(());
        }
        if over {
            state.lost = true;
            return Err(SessionError::Gone);
        }
        state.effects.aliased |= state.key.is_some_and(|asked| asked != key);
        state.key = Some(key);
        let before = state.data.replace(started);
        state.hide_transient();
        drop(state);
        drop(before);
        Ok(())
    }
}

impl State {
    /// Takes what was loaded for its own, and gives back what it had before, with the lock if it held one.
    fn take_in(&mut self, loaded: Loaded) -> Option<Box<SessionData>> {
        self.key = Some(loaded.key);
        self.restarted = loaded.restarted;
        self.data.replace(loaded.data)
    }
}

impl Loaded {
    fn phase(&self) -> Phase {
        match self.data.unlocked {
            Some(_) => Phase::Writable,
            None => phase_with(self.data.lock.as_ref()),
        }
    }
}

fn phase_with(lock: Option<&Lock>) -> Phase {
    if lock.is_some() {
        Phase::Writable
    } else {
        Phase::Readable
    }
}
