//! The result of a close, and how the visit takes note of it.

use super::Context;
use super::limits::renews_memory;
use super::orphan::Orphan;
use super::plan::{RareStep, Step};
use super::state::{Closing, State};
use crate::error::SessionError;
use crate::events;
use crate::id::SessionId;
use crate::session_key::SessionKey;
use crate::storage::{Meta, Record, StorageError, StorageErrorKind};

/// The achievement of a close.
#[derive(Default)]
pub(super) struct Closed {
    meta: Option<Meta>,
    /// Whether the payload was written.
    written: bool,
    /// The new id, if there is one, and its key, which is not worked out twice.
    name: Option<(SessionId, SessionKey)>,
    /// The record, if it is a new one that nobody knows of yet.
    orphan: Option<Orphan>,
}

impl Closed {
    /// Nothing was written, and the ends of the session were moved if there is metadata.
    pub(super) fn moved(meta: Option<Meta>) -> Self {
        Self {
            meta,
            ..Self::default()
        }
    }

    /// The payload was written, with this metadata, under a new id if there is one.
    pub(super) fn with(meta: Meta, name: Option<(SessionId, SessionKey)>) -> Self {
        Self {
            meta: Some(meta),
            written: true,
            name,
            orphan: None,
        }
    }
}

/// A record that is being made, and what must be known of it when it is.
pub(super) struct Made {
    id: SessionId,
    pub(super) key: SessionKey,
    meta: Meta,
    orphan: Orphan,
}

impl Made {
    /// The storage has answered. An id that is taken is an error: of 192 random bits none comes twice, unless the source is
    /// broken.
    pub(super) fn settle(self, answer: Result<(), StorageError>) -> Result<Closed, SessionError> {
        let orphan = self.orphan.settle(answer)?;
        events::created(&self.key);
        Ok(Closed {
            orphan: Some(orphan),
            ..Closed::with(self.meta, Some((self.id, self.key)))
        })
    }
}

/// The result of a close that has not failed, to the visit.
pub(super) enum Noted<R> {
    /// It is over. Says whether anything was written.
    Done(bool, R),
    /// A record stands under a key that nobody is told of, and is to be destroyed.
    Unknown(Unknown),
}

/// A record that was made, or moved, too late: the session was destroyed meanwhile by this very visit, which did not know
/// yet what was under way, or the client can no longer be told.
pub(super) struct Unknown {
    pub(super) key: SessionKey,
    orphan: Option<Orphan>,
    error: SessionError,
}

impl Unknown {
    /// Returns why nothing has come of the close, once the record is destroyed.
    pub(super) fn into_error(self) -> SessionError {
        if let Some(orphan) = self.orphan {
            orphan.adopt();
        }
        self.error
    }
}

impl Context {
    /// Takes note of how a close has ended, and looks at the state before others can.
    pub(super) fn take_note<R>(
        &self,
        closed: Result<Closed, SessionError>,
        unfinished: Unfinished<'_>,
        then: impl FnOnce(&mut State) -> R,
    ) -> Result<Noted<R>, SessionError> {
        let epoch = unfinished.epoch;
        let mut closed = closed.inspect_err(|error| self.note_refusal(error, epoch))?;
        std::mem::forget(unfinished);
        let orphan = closed.orphan.take();
        let key = closed.name.as_ref().map(|(_, key)| *key);
        let mut state = self.state();
        state.closing = Closing::No;
        let is_same = state.epoch == epoch;
        let is_untold = is_same && state.told.sealed && state.meta().is_none();
        if let Some(key) = key
            && (!is_same || is_untold)
        {
            let error = match is_same {
                true => SessionError::Sealed,
                false => SessionError::Gone,
            };
            if is_untold {
                state.undone = true;
                state.revert();
            }
            drop(state);
            return Ok(Noted::Unknown(Unknown { key, orphan, error }));
        }
        let written = is_same && closed.written;
        if is_same {
            state.has_closed(closed);
        }
        let result = then(&mut state);
        drop(state);
        if let Some(orphan) = orphan {
            orphan.adopt();
        }
        Ok(Noted::Done(written, result))
    }

    /// The result of an attempt to write without the lock. One that came too late is made again, and under the lock it is
    /// found out what has become of the session.
    pub(super) fn replaced(&self, answer: Result<bool, StorageError>, meta: Meta) -> Result<Closed, SessionError> {
        match answer {
            Ok(true) => Ok(Closed::with(meta, None)),
            Ok(false) => Err(self.contest()),
            Err(error) => Err(self.contest_or(error)),
        }
    }

    /// The attempt has failed, or came too late as the session is no longer there.
    pub(super) fn contest_or(&self, error: StorageError) -> SessionError {
        match error.kind() {
            StorageErrorKind::Gone | StorageErrorKind::Superseded => self.contest(),
            _ => error.into(),
        }
    }

    /// The attempt came too late. Its error is seen by nobody but a call to close inside an update.
    pub(super) fn contest(&self) -> SessionError {
        self.state().contested = true;
        SessionError::LockLost
    }

    /// A record that is to be made, under this id or a new one.
    pub(super) fn new_record(&self, record: Record, id: Option<SessionId>) -> (Made, Record) {
        let id = id.unwrap_or_else(|| SessionId::generate(&*self.engine.entropy));
        let key = id.key();
        let made = Made {
            meta: record.meta.clone(),
            orphan: Orphan::new(&self.engine, key),
            id,
            key,
        };
        (made, record)
    }

    /// Remembers, for the client, why a commit was refused.
    fn note_refusal(&self, error: &SessionError, epoch: u32) {
        let key = {
            let mut state = self.state();
            if state.contested {
                // It is tried again.
                return;
            }
            // A visit that has destroyed the session meanwhile knows what became of it.
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
            self.told.renewed |= self.contents().has_new_lifetime();
            self.contents_mut().saved();
            self.told.written = true;
            self.restarted = false;
            self.seen = true;
        }
        if let Some(meta) = closed.meta {
            let before = self.meta();
            self.told.renewed |= before.is_some_and(|before| renews_memory(before, meta.last_active));
            self.learn(meta, self.planned_at);
        }
    }
}

/// Undoes, in memory, what a close that failed or was dropped has not brought to the storage.
pub(super) struct Unfinished<'a> {
    context: &'a Context,
    epoch: u32,
    /// Whether there was anything to be written.
    writes: bool,
}

impl<'a> Unfinished<'a> {
    pub(super) fn of(step: &Step, context: &'a Context, epoch: u32) -> Self {
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
