//! The lifecycle: starting, refreshing, releasing and destroying the session of a visit.
//!
//! Every one of these may be dropped at any await. What holds then: a lock that was taken is released, a change is in
//! the storage whole or not at all, and the visit is left readable with what the storage held, or unstarted.

use std::sync::Arc;
use std::time::Duration;

use super::limits::begin_lifetime;
use super::state::{Closing, Phase, State};
use super::turn::Turn;
use super::{Context, current};
use crate::clock::Timestamp;
use crate::error::SessionError;
use crate::events;
use crate::expiration::Lifetime;
use crate::id::SessionId;
use crate::session_key::SessionKey;
use crate::storage::{Lock, Locked, Lookup, Record, StorageError, Stored};

/// A record, the key it is stored under, and the lock on it if one was asked for.
type Found = (SessionKey, Record, Option<Lock>);

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
            // What is answered depends on the id even if it cannot be looked up.
            state.told.read = true;
            (state.lookup_key(), state.epoch)
        };
        let Some(key) = key else {
            return self.begin(epoch, Phase::Writable);
        };
        match self.engine.storage.lock(&key, turn.patience).await? {
            Lookup::Found(Locked { lock, record }) => {
                let key = *lock.key();
                match self.receive(key, record, Some(lock), epoch)? {
                    Some(chore) => chore.await,
                    None => Ok(()),
                }
            }
            none => self.not_found(key, &none, epoch, Some(turn.patience)).await,
        }
    }

    /// Waits for no turn: a reader waits for nobody, not for a call of its own visit either.
    pub(crate) async fn start_readonly(self: &Arc<Self>) -> Result<(), SessionError> {
        let (key, epoch) = {
            let mut state = self.state();
            if state.is_started() {
                return Ok(());
            }
            state.told.read = true;
            (state.lookup_key(), state.epoch)
        };
        let Some(key) = key else {
            return self.begin(epoch, Phase::Readable);
        };
        match self.engine.storage.read(&key).await? {
            Lookup::Found(Stored { key, record }) => match self.receive(key, record, None, epoch)? {
                Some(chore) => chore.await,
                None => Ok(()),
            },
            none => self.not_found(key, &none, epoch, None).await,
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
        let gone = match self.engine.storage.read(&key).await? {
            Lookup::Found(Stored { key, record }) => return self.reload(key, record, session),
            Lookup::Missing => SessionError::Gone,
            Lookup::Superseded => SessionError::Superseded,
        };
        let mut state = self.state();
        if state.session == session && state.phase == Phase::Readable && state.closing == Closing::No {
            state.lost = true;
        }
        Err(gone)
    }

    /// The first of the visit's ids names no session. Where there are others, the first that does is taken.
    async fn not_found<T>(
        self: &Arc<Self>,
        asked: SessionKey,
        none: &Lookup<T>,
        epoch: u32,
        patience: Option<Duration>,
    ) -> Result<(), SessionError> {
        let superseded = matches!(none, Lookup::Superseded).then_some(asked);
        let has_others = {
            let state = self.state();
            !state.seen && !state.candidates.is_empty()
        };
        if has_others {
            return Box::pin(self.try_others(superseded, epoch, patience)).await;
        }
        self.none_found(superseded, epoch, phase_of(patience))
    }

    async fn try_others(
        self: &Arc<Self>,
        mut superseded: Option<SessionKey>,
        epoch: u32,
        patience: Option<Duration>,
    ) -> Result<(), SessionError> {
        let candidates = self.state().candidates.clone();
        for (index, id) in candidates.into_iter().enumerate() {
            let asked = id.key();
            let (key, record, lock) = match self.look_up(&asked, patience).await? {
                Lookup::Found(found) => found,
                Lookup::Missing => continue,
                Lookup::Superseded => {
                    superseded.get_or_insert(asked);
                    continue;
                }
            };
            {
                let mut state = self.state();
                if state.epoch == epoch && !state.is_started() {
                    state.key = Some(asked);
                    state.id = Some(id);
                    state.candidate = Some(index + 1);
                }
            }
            return match self.receive(key, record, lock, epoch)? {
                Some(chore) => chore.await,
                None => Ok(()),
            };
        }
        self.none_found(superseded, epoch, phase_of(patience))
    }

    /// None of the visit's ids names a session; one of them, perhaps, one that has moved.
    fn none_found(&self, superseded: Option<SessionKey>, epoch: u32, phase: Phase) -> Result<(), SessionError> {
        match superseded {
            Some(key) => self.superseded(key, epoch, phase),
            None => self.missing(epoch, phase),
        }
    }

    /// Looks a session up: locks it if there is any patience to wait for the lock.
    async fn look_up(&self, key: &SessionKey, patience: Option<Duration>) -> Result<Lookup<Found>, StorageError> {
        let storage = &self.engine.storage;
        Ok(match patience {
            Some(wait) => storage
                .lock(key, wait)
                .await?
                .map(|Locked { lock, record }| (*lock.key(), record, Some(lock))),
            None => storage
                .read(key)
                .await?
                .map(|Stored { key, record }| (key, record, None)),
        })
    }

    /// Begins a session that is nowhere stored.
    fn begin(&self, epoch: u32, phase: Phase) -> Result<(), SessionError> {
        let now = self.engine.storage.clock().now();
        let default = self.default_in(phase, now);
        let mut state = self.state();
        if state.epoch != epoch {
            return Err(SessionError::Gone);
        }
        begin_in(&mut state, phase, default, now)
    }

    /// What a session that begins in this phase may need, worked out before the state is locked.
    fn default_in(&self, phase: Phase, now: Timestamp) -> Option<Lifetime> {
        (phase == Phase::Writable).then(|| self.engine.default_lifetime(now))
    }

    /// The storage knows no session by this visit's id.
    pub(super) fn missing(&self, epoch: u32, phase: Phase) -> Result<(), SessionError> {
        let now = self.engine.storage.clock().now();
        let default = self.default_in(phase, now);
        let mut state = self.state();
        if state.epoch != epoch {
            return Err(SessionError::Gone);
        }
        if phase == Phase::Readable && state.is_started() {
            return Ok(());
        }
        state.told.read = true;
        state.told.gone();
        if state.seen {
            return Err(SessionError::Gone);
        }
        let asked = state.key;
        let begun = if state.strict {
            Err(SessionError::Unknown)
        } else {
            state.forget();
            begin_in(&mut state, phase, default, now)
        };
        drop(state);
        if let Some(key) = &asked {
            events::unknown(key);
        }
        begun
    }

    /// The session of this visit has moved to another id.
    pub(super) fn superseded(&self, asked: SessionKey, epoch: u32, phase: Phase) -> Result<(), SessionError> {
        let now = self.engine.storage.clock().now();
        let default = self.default_in(phase, now);
        let mut state = self.state();
        if state.epoch != epoch {
            return Err(SessionError::Gone);
        }
        if phase == Phase::Readable && state.is_started() {
            return Ok(());
        }
        state.told.read = true;
        state.told.superseded = true;
        let begun = if state.seen || state.strict {
            Err(SessionError::Superseded)
        } else {
            state.forget();
            state.left_behind = Some(asked);
            begin_in(&mut state, phase, default, now)
        };
        drop(state);
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
        let _turn = self.turn().await?;
        let lock = {
            let mut state = self.state();
            let lock = state.give_up();
            state.undone = false;
            lock
        };
        self.release_lock(lock).await
    }

    /// Releases for the end of the visit: whoever goes on with it has not asked for that, and is to learn that what was
    /// changed is lost.
    pub(super) async fn give_up_in_turn(&self) -> Result<(), SessionError> {
        {
            let state = self.state();
            if state.phase != Phase::Writable && state.closing == Closing::No {
                return Ok(());
            }
        }
        let _turn = self.turn().await?;
        let lock = self.state().give_up_unasked();
        self.release_lock(lock).await
    }

    async fn release_lock(&self, lock: Option<Lock>) -> Result<(), SessionError> {
        match lock {
            Some(lock) => Ok(self.engine.storage.release(lock).await?),
            None => Ok(()),
        }
    }

    /// Gives a lock back under which nothing was written. That it could not be is no failure of the visit: its lease
    /// ends it.
    pub(super) async fn give_back(&self, lock: Lock) {
        let key = *lock.key();
        if let Err(error) = self.engine.storage.release(lock).await {
            events::not_released(&key, &error);
        }
    }

    /// Waits for no turn: a session that is to end ends now, whatever else the visit has under way.
    ///
    /// The storage follows the session to wherever it has moved, be it by a close of this very visit.
    pub(crate) async fn destroy(self: &Arc<Self>) -> Result<(), SessionError> {
        let (key, others, epoch, session) = {
            let mut state = self.state();
            let (key, others) = state.keys_to_end();
            (key, others, state.epoch, state.session)
        };
        let mut ended = None;
        for (index, key) in key.iter().chain(&others).enumerate() {
            if self.engine.storage.destroy(key).await?.is_found() {
                ended.get_or_insert((index, *key));
            }
        }
        let lock = {
            let mut state = self.state();
            if state.epoch != epoch || state.session != session {
                // The visit has gone on to another session meanwhile.
                None
            } else {
                state.epoch += 1;
                state.cut_short |= state.updating && !current::is_updating(self);
                state.phase = Phase::Destroyed;
                if key.is_some() {
                    state.told.read = true;
                    state.told.written |= ended.is_some();
                    state.told.gone();
                }
                if let Some((index, _)) = ended {
                    state.told.ended = true;
                    state.candidate.get_or_insert(index);
                }
                // The client is free to begin anew: nothing of what its id has led to is left.
                state.told.superseded = false;
                state.told.aliased = false;
                state.left_behind = None;
                state.forget();
                state.lock.take()
            }
        };
        if let Some(mut lock) = lock
            && ended.is_some_and(|(_, key)| key == *lock.key())
        {
            // It went with the record.
            lock.spend();
        }
        if let Some((_, key)) = &ended {
            events::destroyed(key);
        }
        Ok(())
    }

    pub(crate) fn regenerate_id(&self) -> Result<(), SessionError> {
        let grace = self.engine.rotation_grace;
        self.rename(grace, |_| Ok(()))
    }

    /// Notes that somebody has just authenticated: the session gets a new id, and its limits begin anew.
    pub(crate) fn mark_authenticated(&self) -> Result<(), SessionError> {
        let now = self.engine.storage.clock().now();
        let default = self.engine.default_lifetime(now);
        // An id that somebody has planted before the login is dead with it, whatever grace routine changes have.
        self.rename(Duration::ZERO, |state| {
            begin_lifetime(&mut state.contents, default, now)?;
            state.contents.set_authenticated_at(Some(now));
            state.contents.changed = true;
            Ok(())
        })
    }

    /// Gives the session a new id and changes something with it, both or neither. Of several new ids before one close
    /// the shortest grace counts.
    fn rename(
        &self,
        grace: Duration,
        change: impl FnOnce(&mut State) -> Result<(), SessionError>,
    ) -> Result<(), SessionError> {
        let (id, term) = {
            let state = self.state();
            state.must_be_writable()?;
            if state.told.sealed {
                return Err(SessionError::Sealed);
            }
            (state.id.clone(), state.term)
        };
        let entropy = &*self.engine.entropy;
        let next = match &id {
            Some(id) => id.rotated(entropy),
            None => SessionId::generate(entropy),
        };
        let mut state = self.state();
        if state.term != term {
            return Err(SessionError::NotWritable);
        }
        state.must_be_writable()?;
        change(&mut state)?;
        state.note_sharing(self);
        state.grace = match state.next_id {
            Some(_) => state.grace.min(grace),
            None => grace,
        };
        state.next_id = Some(next);
        Ok(())
    }
}

impl State {
    /// The key of the session that this visit is about, and others that it may stand under as long as the visit has
    /// not found out.
    fn keys_to_end(&mut self) -> (Option<SessionKey>, Vec<SessionKey>) {
        let key = self.lookup_key().or(self.left_behind);
        let others = if self.seen { &[][..] } else { &self.candidates[..] };
        (key, others.iter().map(SessionId::key).collect())
    }
}

fn begin_in(state: &mut State, phase: Phase, default: Option<Lifetime>, now: Timestamp) -> Result<(), SessionError> {
    if phase == Phase::Readable && state.is_started() {
        // Another call of this visit was faster.
        return Ok(());
    }
    if let (Some(default), None) = (default, state.contents.lifetime) {
        begin_lifetime(&mut state.contents, default, now)?;
    }
    state.enter(phase);
    state.told.read = true;
    Ok(())
}

/// What a call makes of a visit: one that waits for the lock makes it writable.
fn phase_of(patience: Option<Duration>) -> Phase {
    match patience {
        Some(_) => Phase::Writable,
        None => Phase::Readable,
    }
}
