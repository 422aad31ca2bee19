//! Closing: writing what a visit has changed, and giving up its lock, in one step.

use std::sync::Arc;

use super::Context;
use super::limits::renews_memory;
use super::orphan::Orphan;
use super::plan::{Plan, RareStep, Right, Step};
use super::state::{Closing, Phase, State};
use crate::clock::Timestamp;
use crate::error::SessionError;
use crate::events;
use crate::id::SessionId;
use crate::session_key::SessionKey;
use crate::storage::{Lookup, Meta, Record, StorageError, StorageErrorKind, lock_as_known};

/// What closing has achieved.
#[derive(Default)]
struct Closed {
    meta: Option<Meta>,
    /// Whether the payload was written.
    written: bool,
    /// The new id, if there is one, and its key, which is not worked out twice.
    name: Option<(SessionId, SessionKey)>,
    /// The record, if it is a new one that nobody knows of yet.
    orphan: Option<Orphan>,
}

impl Closed {
    /// The payload was written, with this metadata, under a new id if there is one.
    fn with(meta: Meta, name: Option<(SessionId, SessionKey)>) -> Self {
        Self {
            meta: Some(meta),
            written: true,
            name,
            orphan: None,
        }
    }
}

/// A record that is being made, and what must be known of it when it is.
struct Made {
    id: SessionId,
    key: SessionKey,
    meta: Meta,
    record: Record,
    orphan: Orphan,
}

/// What a visit makes of a close that has not failed.
enum Noted<R> {
    /// It is over. Says whether anything was written.
    Done(bool, R),
    /// The session was destroyed meanwhile by this very visit, which did not know yet what was under way; or it was made
    /// too late for the client to be told. If it has a name, it is to be destroyed by that.
    Unknown {
        name: Option<SessionKey>,
        orphan: Option<Orphan>,
        error: SessionError,
    },
}

impl Context {
    /// Closes, unless there is nothing to be closed. What a close that failed before has undone is not taken for stored.
    pub(crate) async fn close(self: &Arc<Self>) -> Result<(), SessionError> {
        self.close_if_open().await.map(drop)
    }

    /// The same; says whether anything was written.
    pub(super) async fn close_if_open(self: &Arc<Self>) -> Result<bool, SessionError> {
        {
            let state = self.state();
            if state.phase != Phase::Writable && state.closing == Closing::No {
                return state.nothing_was_undone().map(|()| false);
            }
        }
        let _turn = self.turn().await?;
        self.close_now().await
    }

    /// Closes; says whether anything was written, with which everything that slides has moved.
    pub(super) async fn close_now(self: &Arc<Self>) -> Result<bool, SessionError> {
        if self.doubts_what_slid_out() {
            Box::pin(self.learn_last_activity()).await;
        }
        let now = self.engine.storage.clock().now();
        let (step, epoch) = match self.plan_close(now, false)? {
            Plan::Take(step, epoch) => (step, epoch),
            Plan::Nothing | Plan::Wait => return Ok(false),
        };
        let unfinished = Unfinished::of(&step, self, epoch);
        let closed = match step {
            Step::Nothing => Ok(Closed::default()),
            Step::Commit { mut lock, record } => {
                let meta = record.meta.clone();
                let committed = self.engine.commit(&mut lock, record).await;
                committed.map(|()| Closed::with(meta, None)).map_err(Into::into)
            }
            Step::Release { lock } => {
                self.give_back(lock).await;
                Ok(Closed::default())
            }
            Step::Replace { known, record } => {
                let meta = record.meta.clone();
                let replaced = self.engine.replace(&known, record).await;
                self.replaced(replaced, meta)
            }
            Step::Rare(step) => Box::pin(self.take(step)).await,
        };
        match self.take_note(closed, unfinished, |_| ())? {
            Noted::Done(written, ()) => Ok(written),
            Noted::Unknown { name, orphan, error } => {
                if let Some(key) = name {
                    self.engine.storage.destroy(&key).await?;
                    if let Some(orphan) = orphan {
                        orphan.adopt();
                    }
                    return Err(error);
                }
                Ok(false)
            }
        }
    }

    /// Closes as [`close_now`](Context::close_now) does, if that takes nothing that has to be waited for, and looks at
    /// the state before others can. `None` if it does; nothing was done then.
    pub(super) fn close_at_once<R>(
        self: &Arc<Self>,
        now: Timestamp,
        then: impl FnOnce(&mut State) -> R,
    ) -> Option<Result<R, SessionError>> {
        let storage = self.engine.storage.at_once()?;
        let _turn = self.gate.try_lock().ok()?;
        let (step, epoch) = match self.plan_close(now, true) {
            Ok(Plan::Take(step, epoch)) => (step, epoch),
            Ok(Plan::Nothing) => return Some(Ok(then(&mut self.state()))),
            Ok(Plan::Wait) => return None,
            Err(error) => return Some(Err(error)),
        };
        let unfinished = Unfinished::of(&step, self, epoch);
        let closed = match step {
            Step::Nothing => Ok(Closed::default()),
            Step::Commit { mut lock, record } => {
                let meta = record.meta.clone();
                let committed = storage.commit(&mut lock, record);
                committed.map(|()| Closed::with(meta, None)).map_err(Into::into)
            }
            Step::Release { lock } => {
                let key = *lock.key();
                if let Err(error) = storage.release(lock) {
                    events::not_released(&key, &error);
                }
                Ok(Closed::default())
            }
            Step::Replace { known, record } => {
                let meta = record.meta.clone();
                let replaced = storage.replace(&known, record);
                self.replaced(replaced, meta)
            }
            Step::Rare(RareStep::Create { record, id }) => {
                let create = |key: &SessionKey, record| storage.create(key, record);
                let made = self.new_record(record, id);
                let created = create(&made.key, made.record);
                made.orphan.settle(created).map_err(Into::into).map(|orphan| {
                    events::created(&made.key);
                    Closed {
                        orphan: Some(orphan),
                        ..Closed::with(made.meta, Some((made.id, made.key)))
                    }
                })
            }
            Step::Rare(RareStep::Rotate { .. } | RareStep::Slide { .. }) => {
                unreachable!("what has to be waited for is not planned here")
            }
        };
        Some(match self.take_note(closed, unfinished, then) {
            Ok(Noted::Done(_, result)) => Ok(result),
            Ok(Noted::Unknown { name, orphan, error }) => {
                let destroyed = name.map_or(Ok(Lookup::Missing), |key| storage.destroy(&key));
                match destroyed {
                    Ok(_) => {
                        if let Some(orphan) = orphan {
                            orphan.adopt();
                        }
                        Err(error)
                    }
                    Err(failed) => Err(failed.into()),
                }
            }
            Err(error) => Err(error),
        })
    }

    /// Takes note of how a close has ended, and looks at the state before others can.
    fn take_note<R>(
        &self,
        closed: Result<Closed, SessionError>,
        unfinished: Unfinished<'_>,
        then: impl FnOnce(&mut State) -> R,
    ) -> Result<Noted<R>, SessionError> {
        let epoch = unfinished.epoch;
        let mut closed = closed.inspect_err(|error| self.note_refusal(error, epoch))?;
        std::mem::forget(unfinished);
        let orphan = closed.orphan.take();
        let written = closed.written;
        let mut state = self.state();
        state.closing = Closing::No;
        let untold = state.told.sealed && state.meta.is_none() && closed.name.is_some();
        let (name, error) = match state.epoch == epoch {
            true if untold => {
                state.undone = true;
                state.revert();
                (closed.name, SessionError::Sealed)
            }
            true => {
                state.has_closed(closed);
                let result = then(&mut state);
                drop(state);
                if let Some(orphan) = orphan {
                    orphan.adopt();
                }
                return Ok(Noted::Done(written, result));
            }
            false => (closed.name, SessionError::Gone),
        };
        drop(state);
        Ok(Noted::Unknown {
            name: name.map(|(_, key)| key),
            orphan,
            error,
        })
    }

    /// What an attempt to write without the lock has achieved. An attempt that came too late is made again with the lock,
    /// by which it is also found out what has become of the session.
    fn replaced(&self, answer: Result<bool, StorageError>, meta: Meta) -> Result<Closed, SessionError> {
        match answer {
            Ok(true) => Ok(Closed::with(meta, None)),
            Ok(false) => Err(self.contest()),
            Err(error) => Err(self.contest_or(error)),
        }
    }

    fn contest_or(&self, error: StorageError) -> SessionError {
        match error.kind() {
            StorageErrorKind::Gone | StorageErrorKind::Superseded => self.contest(),
            _ => error.into(),
        }
    }

    fn contest(&self) -> SessionError {
        self.state().contested = true;
        SessionError::LockLost
    }

    /// A record that is to be made, under this id or a new one.
    fn new_record(&self, record: Record, id: Option<SessionId>) -> Made {
        let id = id.unwrap_or_else(|| SessionId::generate(&*self.engine.entropy));
        let key = id.key();
        Made {
            meta: record.meta.clone(),
            orphan: Orphan::new(&self.engine, key),
            id,
            key,
            record,
        }
    }

    async fn take(&self, step: RareStep) -> Result<Closed, SessionError> {
        let storage = &self.engine.storage;
        match step {
            RareStep::Create { record, id } => {
                let made = self.new_record(record, id);
                // An id that is taken is an error: of 192 random bits none comes twice, unless the source is broken.
                let created = self.engine.create(&made.key, made.record).await;
                let orphan = made.orphan.settle(created)?;
                events::created(&made.key);
                Ok(Closed {
                    orphan: Some(orphan),
                    ..Closed::with(made.meta, Some((made.id, made.key)))
                })
            }
            RareStep::Rotate {
                right,
                record,
                id,
                grace,
            } => {
                let mut lock = match right {
                    Right::Lock(lock) => lock,
                    Right::Known(known) => match lock_as_known(&**storage, &known).await {
                        Ok(Some(lock)) => lock,
                        Ok(None) => return Err(self.contest()),
                        Err(error) => return Err(self.contest_or(error)),
                    },
                };
                let old = *lock.key();
                let new = id.key();
                let meta = record.meta.clone();
                storage.rotate(&mut lock, &new, record, grace).await?;
                events::rotated(&old, &new);
                Ok(Closed::with(meta, Some((id, new))))
            }
            RareStep::Slide { lock, slide } => {
                let (key, known) = self.known();
                let mut moved = None;
                if let (Some(key), Some(known)) = (key, known) {
                    let mut meta = known.clone();
                    match self.engine.touch(&key, &mut meta, slide).await {
                        Ok(_) => moved = Some(meta).filter(|meta| *meta != known),
                        // Nothing of what the visit did is lost with it.
                        Err(error) => events::not_moved(&key, &error.into()),
                    }
                }
                if let Some(lock) = lock {
                    self.give_back(lock).await;
                }
                Ok(Closed {
                    meta: moved,
                    ..Closed::default()
                })
            }
        }
    }

    /// Remembers, for the client, why a commit was refused.
    fn note_refusal(&self, error: &SessionError, epoch: u32) {
        let key = {
            let mut state = self.state();
            if state.contested {
                // It is tried again.
                return;
            }
            // Who has destroyed the session meanwhile knows what became of it.
            let is_same = state.epoch == epoch;
            match error {
                SessionError::Gone if is_same => state.told.gone(),
                SessionError::Superseded if is_same => state.told.superseded = true,
                _ => {}
            }
            state.key
        };
        if let Some(key) = &key {
            events::refused(key, error);
        }
    }
}

impl State {
    /// An error if a close has failed and what it was to write was undone.
    pub(super) fn nothing_was_undone(&self) -> Result<(), SessionError> {
        match self.undone {
            true => Err(SessionError::Undone),
            false => Ok(()),
        }
    }

    /// Takes note of what is stored now.
    fn has_closed(&mut self, closed: Closed) {
        if let Some((id, key)) = closed.name {
            self.key = Some(key);
            self.id = Some(id);
            self.told.new_id = true;
            self.told.aliased = false;
            self.keep_id();
        }
        if closed.written {
            self.told.renewed |= self.contents.has_new_lifetime();
            self.contents.saved();
            self.told.written = true;
            self.restarted = false;
            self.seen = true;
        }
        if let Some(meta) = closed.meta {
            let before = self.meta.as_ref();
            self.told.renewed |= before.is_some_and(|before| renews_memory(before, meta.last_active));
            self.learn(meta, self.planned_at);
        }
    }
}

/// Undoes, in memory, what a close that failed or was dropped has not brought to the storage.
struct Unfinished<'a> {
    context: &'a Context,
    epoch: u32,
    /// Whether there was anything to be written.
    writes: bool,
}

impl<'a> Unfinished<'a> {
    fn of(step: &Step, context: &'a Context, epoch: u32) -> Self {
        let idle = matches!(
            step,
            Step::Nothing | Step::Release { .. } | Step::Rare(RareStep::Slide { .. })
        );
        Self {
            context,
            epoch,
            writes: !idle,
        }
    }
}

impl Drop for Unfinished<'_> {
    fn drop(&mut self) {
        let mut state = self.context.state();
        state.closing = Closing::No;
        if state.epoch == self.epoch {
            state.undone |= self.writes;
            state.revert();
        }
    }
}

impl Context {
    /// The key and metadata as this visit knows them.
    pub(crate) fn known(&self) -> (Option<SessionKey>, Option<Meta>) {
        let mut state = self.state();
        (state.lookup_key(), state.meta.clone())
    }
}
