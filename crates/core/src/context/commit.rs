//! Closing: writing what a visit has changed, and giving up its lock, in one step.

use std::sync::Arc;

use super::Context;
use super::slide::{Slide, has_dead_items};
use super::state::{Phase, State};
use crate::error::SessionError;
use crate::events;
use crate::id::SessionId;
use crate::session_key::SessionKey;
use crate::storage::{Lock, Meta, Record, StorageErrorKind};

/// How many new ids are tried before a storage that has them all is called broken.
const CREATE_ATTEMPTS: usize = 3;

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
    Create { record: Record, id: Option<SessionId> },
    Rotate { lock: Lock, record: Record, id: SessionId },
    Slide { lock: Lock, slide: Slide },
}

/// What closing has achieved.
#[derive(Default)]
struct Closed {
    meta: Option<Meta>,
    payload: Option<bytes::Bytes>,
    id: Option<SessionId>,
}

impl Closed {
    /// This record was written, under a new id if there is one.
    fn with(record: Record, id: Option<SessionId>) -> Self {
        Self {
            meta: Some(record.meta),
            payload: Some(record.payload),
            id,
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
        !open && self.is_due_to_slide(&state).is_none()
    }

    pub(super) async fn close_in_turn(self: &Arc<Self>) -> Result<(), SessionError> {
        self.close_now().await.map(drop)
    }

    /// Closes; says whether anything was written, with which everything that slides has moved.
    pub(super) async fn close_now(self: &Arc<Self>) -> Result<bool, SessionError> {
        let (step, epoch) = {
            let mut state = self.state();
            if state.phase != Phase::Writable {
                return Ok(false);
            }
            let step = self.plan(&mut state)?;
            // From here on nobody changes anything; what was changed can still be read.
            state.phase = Phase::Readable;
            (step, state.epoch)
        };
        let unfinished = Unfinished { context: self, epoch };
        let storage = &self.engine.storage;
        let closed = match step {
            Step::Nothing => Ok(Closed::default()),
            Step::Commit { mut lock, record } => {
                let committed = storage.commit(&mut lock, record.clone()).await;
                committed.map(|()| Closed::with(record, None)).map_err(Into::into)
            }
            Step::Release { lock } => {
                let released = storage.release(lock).await;
                released.map(|()| Closed::default()).map_err(Into::into)
            }
            Step::Rare(step) => Box::pin(self.take(step)).await,
        };
        let closed = closed.inspect_err(|error| self.note_refusal(error))?;
        std::mem::forget(unfinished);

        let mut state = self.state();
        if state.epoch != epoch {
            return Ok(false);
        }
        let written = closed.payload.is_some();
        if let Some(id) = closed.id {
            state.key = Some(id.key());
            state.id = Some(id);
            state.told.new_id = true;
            state.told.aliased = false;
            state.next_id = None;
        }
        if let Some(payload) = closed.payload {
            state.contents.saved(payload);
            state.told.written = true;
            state.restarted = false;
            state.seen = true;
        }
        if let Some(meta) = closed.meta {
            state.told.moved |= state.meta.as_ref().is_some_and(|known| known.deadline != meta.deadline);
            state.meta = Some(meta);
        }
        Ok(written)
    }

    fn plan(&self, state: &mut State) -> Result<Step, SessionError> {
        let now = self.engine.storage.clock().now();
        let changed = state.contents.changed || state.next_id.is_some();
        let Some(known) = state.meta.clone() else {
            return self.plan_new(state, changed);
        };
        let Some(lock) = state.lock.take() else {
            return Err(SessionError::LockLost);
        };
        let at = state.as_of(now);
        if !changed {
            let slide = Slide::due(&state.contents, &known, now, &self.engine);
            let slide = slide.filter(|_| !has_dead_items(&state.contents, at, false));
            return Ok(match slide {
                None => Step::Release { lock },
                Some(slide) => Step::Rare(RareStep::Slide { lock, slide }),
            });
        }
        // What was transient when the browser was restarted was removed when it was loaded; what is transient now is new.
        if has_dead_items(&state.contents, at, false) {
            state.contents.purge(at, false)?;
        }
        let record = state.contents.record(&known, at);
        Ok(match state.next_id.clone() {
            None => Step::Commit { lock, record },
            Some(id) => Step::Rare(RareStep::Rotate { lock, record, id }),
        })
    }

    /// A session that is nowhere stored yet. As long as there is nothing in it, it stays so.
    fn plan_new(&self, state: &mut State, changed: bool) -> Result<Step, SessionError> {
        if !changed {
            return Ok(Step::Nothing);
        }
        let refusal = match state.told {
            told if told.superseded => Some(SessionError::Superseded),
            told if told.sealed => Some(SessionError::Sealed),
            _ => None,
        };
        if let Some(error) = refusal {
            state.give_up();
            return Err(error);
        }
        let now = self.engine.storage.clock().now();
        let meta = Meta::new(now).with_deadline(state.contents.deadline(now));
        Ok(Step::Rare(RareStep::Create {
            record: Record::new(meta, state.contents.encode(state.as_of(now))),
            id: state.next_id.clone(),
        }))
    }

    async fn take(&self, step: RareStep) -> Result<Closed, SessionError> {
        let storage = &self.engine.storage;
        match step {
            RareStep::Create { record, id } => {
                let id = self.create(&record, id).await?;
                Ok(Closed::with(record, Some(id)))
            }
            RareStep::Rotate { mut lock, record, id } => {
                let old = *lock.key();
                let new = id.key();
                let grace = self.engine.rotation_grace;
                storage.rotate(&mut lock, &new, record.clone(), grace).await?;
                events::rotated(&old, &new);
                Ok(Closed::with(record, Some(id)))
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

    async fn create(&self, record: &Record, chosen: Option<SessionId>) -> Result<SessionId, SessionError> {
        let storage = &self.engine.storage;
        let mut attempts = CREATE_ATTEMPTS;
        loop {
            attempts -= 1;
            // An id the application may have seen already is not exchanged for another.
            let id = match &chosen {
                Some(id) => id.clone(),
                None => SessionId::generate(&*self.engine.entropy),
            };
            let key = id.key();
            match storage.create(&key, record.clone()).await {
                Ok(()) => {
                    events::created(&key);
                    return Ok(id);
                }
                Err(error) if error.kind() == StorageErrorKind::Exists && chosen.is_none() && attempts > 0 => {}
                Err(error) => return Err(error.into()),
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

/// Undoes, in memory, what a close that failed or was dropped has not brought to the storage.
struct Unfinished<'a> {
    context: &'a Context,
    epoch: u32,
}

impl Drop for Unfinished<'_> {
    fn drop(&mut self) {
        let mut state = self.context.state();
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
