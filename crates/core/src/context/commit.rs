//! Closing: writing what a visit has changed, and giving up its lock, in one step.

use std::sync::Arc;

use super::Context;
use super::slide::{Slide, has_dead_items};
use super::state::{Phase, State};
use crate::clock::Timestamp;
use crate::error::SessionError;
use crate::events;
use crate::id::SessionId;
use crate::session_key::SessionKey;
use crate::storage::{Lock, Meta, Record};

/// What closing amounts to.
enum Step {
    Nothing,
    Commit { lock: Lock, record: Record },
    Release { lock: Lock },
    Rare(RareStep),
}

/// What most visits do not close with. Its future is allocated when it is needed, so that the others need not have room
/// for it.
enum RareStep {
    Create { record: Record, id: SessionId },
    Rotate { lock: Lock, record: Record, id: SessionId },
    Slide { lock: Lock, slide: Slide },
}

/// What closing has achieved.
#[derive(Default)]
struct Closed {
    meta: Option<Meta>,
    /// Whether the payload was written.
    written: bool,
    /// The new id, if there is one, and its key, which is not worked out twice.
    name: Option<(SessionId, SessionKey)>,
}

impl Closed {
    /// The payload was written, with this metadata, under a new id if there is one.
    fn with(meta: Meta, name: Option<(SessionId, SessionKey)>) -> Self {
        Self {
            meta: Some(meta),
            written: true,
            name,
        }
    }
}

impl Context {
    /// Whether closing, or only releasing, would have to ask the storage for anything.
    pub(super) fn has_nothing_to_do(&self, commit: bool) -> bool {
        let state = self.state();
        let open = match (state.phase, &state.lock) {
            (Phase::Writable, Some(_)) => true,
            (Phase::Writable, None) => commit && (state.contents.changed || state.next_id.is_some()),
            _ => false,
        };
        !open && !state.closing && self.is_due_to_slide(&state).is_none()
    }

    pub(super) async fn close_in_turn(self: &Arc<Self>) -> Result<(), SessionError> {
        self.close_now().await.map(drop)
    }

    /// Closes; says whether anything was written, with which everything that slides has moved.
    pub(super) async fn close_now(self: &Arc<Self>) -> Result<bool, SessionError> {
        let planned = {
            let mut state = self.state();
            if state.phase != Phase::Writable {
                return Ok(false);
            }
            match self.plan(&mut state) {
                Ok(step) => {
                    // From here on nobody changes anything; what was changed can still be read.
                    state.phase = Phase::Readable;
                    state.closing = true;
                    Ok((step, state.epoch))
                }
                Err(error) => Err((error, state.give_up())),
            }
        };
        let (step, epoch) = match planned {
            Ok(planned) => planned,
            Err((error, lock)) => {
                drop(lock);
                return Err(error);
            }
        };
        let unfinished = Unfinished { context: self, epoch };
        let storage = &self.engine.storage;
        let closed = match step {
            Step::Nothing => Ok(Closed::default()),
            Step::Commit { mut lock, record } => {
                let meta = record.meta.clone();
                let committed = storage.commit(&mut lock, record).await;
                committed.map(|()| Closed::with(meta, None)).map_err(Into::into)
            }
            Step::Release { lock } => {
                let released = storage.release(lock).await;
                released.map(|()| Closed::default()).map_err(Into::into)
            }
            Step::Rare(step) => Box::pin(self.take(step)).await,
        };
        let closed = closed.inspect_err(|error| self.note_refusal(error))?;
        std::mem::forget(unfinished);

        let written = closed.written;
        let unknown = {
            let mut state = self.state();
            state.closing = false;
            if state.epoch == epoch {
                state.has_closed(closed);
                return Ok(written);
            }
            closed.name
        };
        // Destroyed meanwhile by this very visit, which did not know yet what was under way.
        match unknown {
            None => Ok(false),
            Some((_, key)) => {
                self.engine.storage.destroy(&key).await?;
                Err(SessionError::Gone)
            }
        }
    }

    fn plan(&self, state: &mut State) -> Result<Step, SessionError> {
        let now = self.engine.storage.clock().now();
        state.planned_at = now;
        let changed = state.contents.changed || state.next_id.is_some();
        let Some(known) = state.meta.clone() else {
            return self.plan_new(state, changed, now);
        };
        let at = state.as_of(now);
        if state.next_id.is_some() && state.told.sealed {
            return Err(SessionError::Sealed);
        }
        // What was transient when the browser was restarted was removed when it was loaded; what is transient now is new.
        if changed && has_dead_items(&state.contents, at, false) {
            state.contents.purge(at, false)?;
        }
        let lock = state.lock.take().ok_or(SessionError::LockLost)?;
        if !changed {
            let slide = Slide::due(&state.contents, &known, now, &self.engine);
            let slide = slide.filter(|_| !has_dead_items(&state.contents, at, false));
            return Ok(match slide {
                None => Step::Release { lock },
                Some(slide) => Step::Rare(RareStep::Slide { lock, slide }),
            });
        }
        let record = state.contents.record(&known, at, &self.engine);
        Ok(match state.next_id.clone() {
            None => Step::Commit { lock, record },
            Some(id) => Step::Rare(RareStep::Rotate { lock, record, id }),
        })
    }

    /// A session that is nowhere stored yet. As long as there is nothing in it, it stays so.
    fn plan_new(&self, state: &mut State, changed: bool, now: Timestamp) -> Result<Step, SessionError> {
        if !changed {
            return Ok(Step::Nothing);
        }
        if state.told.superseded {
            return Err(SessionError::Superseded);
        }
        if state.told.sealed {
            return Err(SessionError::Sealed);
        }
        let at = state.as_of(now);
        state.contents.purge(at, false)?;
        let meta = Meta::new(now).with_deadline(state.contents.deadline(now));
        Ok(Step::Rare(RareStep::Create {
            record: Record::new(meta, state.contents.encode(at)),
            id: state
                .next_id
                .clone()
                .unwrap_or_else(|| SessionId::generate(&*self.engine.entropy)),
        }))
    }

    async fn take(&self, step: RareStep) -> Result<Closed, SessionError> {
        let storage = &self.engine.storage;
        match step {
            RareStep::Create { record, id } => {
                let meta = record.meta.clone();
                let key = id.key();
                // An id that is taken is an error: of 192 random bits none comes twice, unless the source is broken.
                storage.create(&key, record).await?;
                events::created(&key);
                Ok(Closed::with(meta, Some((id, key))))
            }
            RareStep::Rotate { mut lock, record, id } => {
                let old = *lock.key();
                let new = id.key();
                let meta = record.meta.clone();
                storage
                    .rotate(&mut lock, &new, record, self.engine.rotation_grace)
                    .await?;
                events::rotated(&old, &new);
                Ok(Closed::with(meta, Some((id, new))))
            }
            RareStep::Slide { lock, slide } => {
                let key = *lock.key();
                let mut meta = self.state().meta.clone();
                if let Some(meta) = &mut meta {
                    self.engine.touch(&key, meta, slide).await?;
                }
                storage.release(lock).await?;
                Ok(Closed {
                    meta,
                    ..Closed::default()
                })
            }
        }
    }

    /// Remembers, for the client, why a commit was refused.
    fn note_refusal(&self, error: &SessionError) {
        let mut state = self.state();
        match error {
            SessionError::Gone => state.told.gone(),
            SessionError::Superseded => state.told.superseded = true,
            _ => {}
        }
        if let Some(key) = &state.key {
            events::refused(key, error);
        }
    }
}

impl State {
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
            self.contents.saved();
            self.told.written = true;
            self.restarted = false;
            self.seen = true;
        }
        if let Some(meta) = closed.meta {
            self.told.moved |= self.meta.as_ref().is_some_and(|known| known.deadline != meta.deadline);
            self.meta = Some(meta);
        }
    }
}

/// Undoes, in memory, what a close that failed or was dropped has not brought to the storage.
struct Unfinished<'a> {
    context: &'a Context,
    epoch: u32,
}

impl Drop for Unfinished<'_> {
    fn drop(&mut self) {
        let mut state = self.context.state();
        state.closing = false;
        if state.epoch == self.epoch {
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
