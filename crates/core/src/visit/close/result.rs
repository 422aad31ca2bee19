//! The result of a close, and how the visit takes note of it.

use crate::error::SessionError;
use crate::events;
use crate::id::{SessionId, SessionKey};
use crate::storage::{Meta, Record, StorageError, StorageErrorKind};
use crate::visit::Context;
use crate::visit::close::orphan::Orphan;
use crate::visit::close::plan::{SlowStep, Step};
use crate::visit::limits::renews_memory;
use crate::visit::state::{Closing, State};

/// The achievement of a close.
#[derive(Default)]
pub(in crate::visit) struct CloseResult {
    meta: Option<Meta>,
    /// Whether the payload was written.
    written: bool,
    /// The new id, if there is one, and its key, which is not worked out twice.
    name: Option<(SessionId, SessionKey)>,
    /// The record, if it is a new one that nobody knows of yet.
    orphan: Option<Orphan>,
}

impl CloseResult {
    /// Nothing was written, and the ends of the session were moved if there is metadata.
    pub(in crate::visit) fn moved(meta: Option<Meta>) -> Self {
        Self {
            meta,
            ..Self::default()
        }
    }

    /// The payload was written, with this metadata, under a new id if there is one.
    pub(in crate::visit) fn with(meta: Meta, name: Option<(SessionId, SessionKey)>) -> Self {
        Self {
            meta: Some(meta),
            written: true,
            name,
            orphan: None,
        }
    }
}

/// A record that is being made, and what must be known of it when it is.
pub(in crate::visit) struct NewRecord {
    id: SessionId,
    pub(in crate::visit) key: SessionKey,
    meta: Meta,
    orphan: Orphan,
}

impl NewRecord {
    /// The storage has answered. An id that is taken is an error: of 192 random bits none comes twice, unless the source is
    /// broken.
    pub(in crate::visit) fn settle(self, answer: Result<(), StorageError>) -> Result<CloseResult, SessionError> {
        let orphan = self.orphan.settle(answer)?;
        events::created(&self.key);
        Ok(CloseResult {
            orphan: Some(orphan),
            ..CloseResult::with(self.meta, Some((self.id, self.key)))
        })
    }
}

/// The result of a close that has not failed, to the visit.
pub(in crate::visit) enum Recorded<R> {
    /// It is over. Says whether anything was written.
    Done(bool, R),
    /// A record stands under a key that nobody is effects of, and is to be destroyed.
    Unreported(Unreported),
}

/// A record that was made, or moved, too late: the session was destroyed meanwhile by this very visit, which did not know
/// yet what was under way, or the client can no longer be effects.
pub(in crate::visit) struct Unreported {
    pub(in crate::visit) key: SessionKey,
    orphan: Option<Orphan>,
    error: SessionError,
}

impl Unreported {
    /// Returns why nothing has come of the close, once the record is destroyed.
    pub(in crate::visit) fn into_error(self) -> SessionError {
        if let Some(orphan) = self.orphan {
            orphan.adopt();
        }
        self.error
    }
}

impl Context {
    /// Takes note of how a close has ended, and looks at the state before others can.
    pub(in crate::visit) fn record_close<R>(
        &self,
        closed: Result<CloseResult, SessionError>,
        revert: RevertOnDrop<'_>,
        then: impl FnOnce(&mut State) -> R,
    ) -> Result<Recorded<R>, SessionError> {
        let epoch = revert.epoch;
        let mut closed = closed.inspect_err(|error| self.record_refusal(error, epoch))?;
        std::mem::forget(revert);
        let orphan = closed.orphan.take();
        let key = closed.name.as_ref().map(|(_, key)| *key);
        let mut state = self.state();
        state.closing = Closing::No;
        let is_same = state.epoch == epoch;
        let is_untold = is_same && state.effects.sealed && state.meta().is_none();
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
            return Ok(Recorded::Unreported(Unreported { key, orphan, error }));
        }
        let written = is_same && closed.written;
        if is_same {
            state.apply_close(closed);
        }
        let result = then(&mut state);
        drop(state);
        if let Some(orphan) = orphan {
            orphan.adopt();
        }
        Ok(Recorded::Done(written, result))
    }

    /// The result of an attempt to write without the lock. One that came too late is made again, and under the lock it is
    /// found out what has become of the session.
    pub(in crate::visit) fn replaced(
        &self,
        answer: Result<bool, StorageError>,
        meta: Meta,
    ) -> Result<CloseResult, SessionError> {
        match answer {
            Ok(true) => Ok(CloseResult::with(meta, None)),
            Ok(false) => Err(self.conflict()),
            Err(error) => Err(self.conflict_or(error)),
        }
    }

    /// The attempt has failed, or came too late as the session is no longer there.
    pub(in crate::visit) fn conflict_or(&self, error: StorageError) -> SessionError {
        match error.kind() {
            StorageErrorKind::Gone | StorageErrorKind::Superseded => self.conflict(),
            _ => error.into(),
        }
    }

    /// The attempt came too late. Its error is seen by nobody but a call to close inside an update.
    pub(in crate::visit) fn conflict(&self) -> SessionError {
        self.state().conflicted = true;
        SessionError::LockLost
    }

    /// A record that is to be made, under this id or a new one.
    pub(in crate::visit) fn new_record(&self, record: Record, id: Option<SessionId>) -> (NewRecord, Record) {
        let id = id.unwrap_or_else(|| SessionId::generate(&*self.settings.entropy));
        let key = id.key();
        let made = NewRecord {
            meta: record.meta.clone(),
            orphan: Orphan::new(&self.settings, key),
            id,
            key,
        };
        (made, record)
    }

    /// Remembers, for the client, why a commit was refused.
    fn record_refusal(&self, error: &SessionError, epoch: u32) {
        let key = {
            let mut state = self.state();
            if state.conflicted {
                // It is tried again.
                return;
            }
            // A visit that has destroyed the session meanwhile knows what became of it.
            let is_same = state.epoch == epoch;
            match error {
                SessionError::Gone if is_same => state.effects.gone(),
                SessionError::Superseded if is_same => state.effects.superseded = true,
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
    fn apply_close(&mut self, closed: CloseResult) {
        if let Some((id, key)) = closed.name {
            self.key = Some(key);
            self.id = Some(id);
            self.effects.new_id = true;
            self.effects.aliased = false;
            self.keep_id();
        }
        if closed.written {
            self.effects.renewed |= self.payload().has_new_lifetime();
            self.payload_mut().saved();
            self.effects.written = true;
            self.restarted = false;
            self.seen = true;
        }
        if let Some(meta) = closed.meta {
            let before = self.meta();
            self.effects.renewed |= before.is_some_and(|before| renews_memory(before, meta.last_active));
            self.learn(meta, self.planned_at);
        }
    }
}

/// Undoes, in memory, what a close that failed or was dropped has not brought to the storage.
pub(in crate::visit) struct RevertOnDrop<'a> {
    context: &'a Context,
    epoch: u32,
    /// Whether there was anything to be written.
    writes: bool,
}

impl<'a> RevertOnDrop<'a> {
    pub(in crate::visit) fn of(step: &Step, context: &'a Context, epoch: u32) -> Self {
        let idle = matches!(
            step,
            Step::Nothing | Step::Release { .. } | Step::Slow(SlowStep::Slide { .. })
        );
        Self {
            context,
            epoch,
            writes: !idle,
        }
    }
}

impl Drop for RevertOnDrop<'_> {
    fn drop(&mut self) {
        let mut state = self.context.state();
        state.closing = Closing::No;
        if state.epoch == self.epoch {
            state.undone |= self.writes;
            state.revert();
        }
    }
}
