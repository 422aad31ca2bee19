//! Closing: writing what a visit has changed, and giving up its lock, in one step.

use std::sync::Arc;

use super::Context;
use super::limits::renews_memory;
use super::orphan::Orphan;
use super::plan::{RareStep, Step};
use super::state::{Closing, Phase, State};
use crate::error::SessionError;
use crate::events;
use crate::id::SessionId;
use crate::session_key::SessionKey;
use crate::storage::Meta;

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
        let Some((step, epoch)) = self.plan_close()? else {
            return Ok(false);
        };
        let unfinished = Unfinished {
            context: self,
            epoch,
            writes: !matches!(
                step,
                Step::Nothing | Step::Release { .. } | Step::Rare(RareStep::Slide { .. })
            ),
        };
        let storage = &self.engine.storage;
        let closed = match step {
            Step::Nothing => Ok(Closed::default()),
            Step::Commit { mut lock, record } => {
                let meta = record.meta.clone();
                let committed = storage.commit(&mut lock, record).await;
                committed.map(|()| Closed::with(meta, None)).map_err(Into::into)
            }
            Step::Release { lock } => {
                self.give_back(lock).await;
                Ok(Closed::default())
            }
            Step::Rare(step) => Box::pin(self.take(step)).await,
        };
        let mut closed = closed.inspect_err(|error| self.note_refusal(error, epoch))?;
        std::mem::forget(unfinished);
        let orphan = closed.orphan.take();

        let written = closed.written;
        let (unknown, error) = {
            let mut state = self.state();
            state.closing = Closing::No;
            let untold = state.told.sealed && state.meta.is_none() && closed.name.is_some();
            match state.epoch == epoch {
                true if untold => {
                    state.undone = true;
                    state.revert();
                    (closed.name, SessionError::Sealed)
                }
                true => {
                    state.has_closed(closed);
                    drop(state);
                    if let Some(orphan) = orphan {
                        orphan.adopt();
                    }
                    return Ok(written);
                }
                false => (closed.name, SessionError::Gone),
            }
        };
        // Destroyed meanwhile by this very visit, which did not know yet what was under way; or made too late for the
        // client to be told.
        match unknown {
            None => Ok(false),
            Some((_, key)) => {
                self.engine.storage.destroy(&key).await?;
                if let Some(orphan) = orphan {
                    orphan.adopt();
                }
                Err(error)
            }
        }
    }

    async fn take(&self, step: RareStep) -> Result<Closed, SessionError> {
        let storage = &self.engine.storage;
        match step {
            RareStep::Create { record, id } => {
                let meta = record.meta.clone();
                let id = id.unwrap_or_else(|| SessionId::generate(&*self.engine.entropy));
                let key = id.key();
                let orphan = Orphan::new(&self.engine, key);
                // An id that is taken is an error: of 192 random bits none comes twice, unless the source is broken.
                let orphan = orphan.settle(storage.create(&key, record).await)?;
                events::created(&key);
                Ok(Closed {
                    orphan: Some(orphan),
                    ..Closed::with(meta, Some((id, key)))
                })
            }
            RareStep::Rotate {
                mut lock,
                record,
                id,
                grace,
            } => {
                let old = *lock.key();
                let new = id.key();
                let meta = record.meta.clone();
                storage.rotate(&mut lock, &new, record, grace).await?;
                events::rotated(&old, &new);
                Ok(Closed::with(meta, Some((id, new))))
            }
            RareStep::Slide { lock, slide } => {
                let key = *lock.key();
                let known = self.state().meta.clone();
                let mut moved = None;
                if let Some(known) = known {
                    let mut meta = known.clone();
                    match self.engine.touch(&key, &mut meta, slide).await {
                        Ok(_) => moved = Some(meta).filter(|meta| *meta != known),
                        // Nothing of what the visit did is lost with it.
                        Err(error) => events::not_moved(&key, &error.into()),
                    }
                }
                self.give_back(lock).await;
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
            self.next_id = None;
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
