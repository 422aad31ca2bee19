//! The result of a close, and how the visit records it.

use crate::error::SessionError;
use crate::events::{EventKind, Refusal};
use crate::id::{SessionId, SessionKey};
use crate::population::Renewal;
use crate::storage::{Meta, Record, StorageError, StorageErrorKind};
use crate::telemetry;
use crate::visit::Context;
use crate::visit::close::orphan::OrphanGuard;
use crate::visit::close::plan::{SlowStep, Step};
use crate::visit::limits::reissues_id;
use crate::visit::state::{Closing, State};

/// The result of a successful close.
#[derive(Default)]
pub(in crate::visit) struct CloseResult {
    pub(super) meta: Option<Meta>,
    /// `true` if the payload was written.
    written: bool,
    /// The new id, if there is one, and its key, which is costly to compute.
    new_id: Option<(SessionId, SessionKey)>,
    /// The guard of a record that was created, until the visit has recorded the result.
    orphan: Option<OrphanGuard>,
}

impl CloseResult {
    /// Returns the result of a close that has written nothing but, with `meta`, has moved the deadline.
    pub(in crate::visit) fn touched(meta: Option<Meta>) -> Self {
        Self {
            meta,
            ..Self::default()
        }
    }

    /// Returns the result of a close that has written the payload, under a new id if there is one.
    pub(in crate::visit) fn written(meta: Meta, new_id: Option<(SessionId, SessionKey)>) -> Self {
        Self {
            meta: Some(meta),
            written: true,
            new_id,
            orphan: None,
        }
    }

    pub(super) fn has_new_id(&self) -> bool {
        self.new_id.is_some()
    }
}

/// A record that is being created, with the facts to record when it exists.
pub(in crate::visit) struct NewRecord {
    id: SessionId,
    pub(in crate::visit) key: SessionKey,
    meta: Meta,
    orphan: OrphanGuard,
}

impl NewRecord {
    /// Gives up the record: it was not even tried to create it.
    pub(in crate::visit) fn never_created(self) {
        self.orphan.disarm();
    }

    /// Handles the reply to the creation. A key that exists already is an error: 192 random bits do not collide, unless
    /// the source of randomness is broken.
    pub(in crate::visit) fn handle_reply(self, reply: Result<(), StorageError>) -> Result<CloseResult, SessionError> {
        let orphan = self.orphan.handle_reply(reply)?;
        telemetry::created(&self.key);
        Ok(CloseResult {
            orphan: Some(orphan),
            ..CloseResult::written(self.meta, Some((self.id, self.key)))
        })
    }
}

/// The outcome of recording a successful close.
pub(in crate::visit) enum Recorded<R> {
    /// The close is complete: whether the payload was written, and the result of the callback.
    Done(bool, R),
    /// The client cannot be told the id of the record, which has to be destroyed.
    Unreported(Unreported),
}

/// A record that was created or moved too late: this visit has destroyed the session meanwhile, without knowing of the
/// running close, or the client can be told no id any more.
pub(in crate::visit) struct Unreported {
    pub(in crate::visit) key: SessionKey,
    orphan: Option<OrphanGuard>,
    error: SessionError,
}

impl Unreported {
    /// Returns the error of the close, once the record is destroyed.
    pub(in crate::visit) fn into_error(self) -> SessionError {
        if let Some(orphan) = self.orphan {
            orphan.disarm();
        }
        self.error
    }
}

impl Context {
    /// Records the result of a close and calls `then` with the state before any other task can lock it.
    pub(in crate::visit) fn record_close<R>(
        &self,
        closed: Result<CloseResult, SessionError>,
        revert: RevertOnDrop<'_>,
        then: impl FnOnce(&mut State) -> R,
    ) -> Result<Recorded<R>, SessionError> {
        let epoch = revert.epoch;
        let mut closed = closed.inspect_err(|error| self.record_refusal(error, epoch))?;
        // Written: the changes stay.
        std::mem::forget(revert);
        let orphan = closed.orphan.take();
        let key = closed.new_id.as_ref().map(|(_, key)| *key);
        let mut state = self.state();
        state.closing = Closing::No;
        let is_same = state.epoch == epoch;
        let renewal = key.filter(|_| is_same).map(|key| Renewal::of(&state, key, &closed));
        let is_unreported = is_same && state.effects.sealed && state.meta().is_none();
        if let Some(key) = key
            && (!is_same || is_unreported)
        {
            let error = match is_same {
                true => SessionError::Sealed,
                false => SessionError::Gone,
            };
            if is_unreported {
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
            orphan.disarm();
        }
        if let Some(renewal) = renewal {
            self.settings.report_renewal(&renewal);
        }
        Ok(Recorded::Done(written, result))
    }

    /// Handles the reply to a replacement without the lock. A conflict is retried, and the attempt under the lock finds
    /// out what has happened to the session.
    pub(in crate::visit) fn on_replaced(
        &self,
        reply: Result<bool, StorageError>,
        meta: Meta,
    ) -> Result<CloseResult, SessionError> {
        match reply {
            Ok(true) => Ok(CloseResult::written(meta, None)),
            Ok(false) => Err(self.record_conflict()),
            Err(error) => Err(self.record_conflict_or(error)),
        }
    }

    /// Records a conflict if the session no longer exists; returns other errors unchanged.
    pub(in crate::visit) fn record_conflict_or(&self, error: StorageError) -> SessionError {
        match error.kind() {
            StorageErrorKind::Gone | StorageErrorKind::Superseded => self.record_conflict(),
            _ => error.into(),
        }
    }

    /// Records a conflict. Only a call to `close` inside a transaction sees the error; the transaction itself tries
    /// again.
    pub(in crate::visit) fn record_conflict(&self) -> SessionError {
        self.state().conflicted = true;
        SessionError::LockLost
    }

    /// Prepares a record that is to be created under this id, or a new one.
    pub(in crate::visit) fn new_record(&self, record: &Record, id: Option<SessionId>) -> NewRecord {
        let id = id.unwrap_or_else(|| SessionId::generate(&*self.settings.entropy));
        let key = id.key();
        NewRecord {
            meta: record.meta.clone(),
            orphan: OrphanGuard::new(&self.settings, key),
            id,
            key,
        }
    }

    /// Records, for the client, why a commit was refused.
    fn record_refusal(&self, error: &SessionError, epoch: u32) {
        let key = {
            let mut state = self.state();
            if state.conflicted {
                // The transaction tries again.
                return;
            }
            // If this visit has destroyed the session meanwhile, it knows better what has become of it.
            let is_same = state.epoch == epoch;
            match error {
                SessionError::Gone if is_same => state.effects.gone(),
                SessionError::Superseded if is_same => state.effects.superseded = true,
                _ => {}
            }
            state.key
        };
        if let Some(key) = &key {
            telemetry::refused(key, error);
            let refusal = match error {
                SessionError::Gone => Refusal::Gone,
                SessionError::Superseded => Refusal::Superseded,
                SessionError::LockLost => Refusal::LockLost,
                _ => return,
            };
            self.settings.emit(EventKind::CommitRefused(refusal), key, None);
        }
    }
}

impl Renewal {
    /// Describes how the session comes by its new key. Called before the state knows of it.
    fn of(state: &State, key: SessionKey, closed: &CloseResult) -> Self {
        Self {
            before: state.meta().and(state.key),
            key,
            old: state.meta().map(|meta| meta.facts.clone()).unwrap_or_default(),
            new: closed.meta.as_ref().map(|meta| meta.facts.clone()).unwrap_or_default(),
        }
    }
}

impl State {
    /// Records what the storage holds now.
    fn apply_close(&mut self, closed: CloseResult) {
        if let Some((id, key)) = closed.new_id {
            self.key = Some(key);
            self.id = Some(id);
            self.effects.new_id = true;
            self.effects.aliased = false;
            self.discard_next_id();
        }
        if closed.written {
            self.effects.reissue_id |= self.payload().has_new_lifetime();
            self.payload_mut().saved();
            self.effects.written = true;
            self.restarted = false;
            self.seen = true;
        }
        if let Some(meta) = closed.meta {
            let before = self.meta();
            self.effects.reissue_id |= before.is_some_and(|before| reissues_id(before, meta.last_active));
            self.update_meta(meta, self.planned_at);
        }
    }
}

/// Reverts the changes in memory of a close that failed or was dropped.
pub(in crate::visit) struct RevertOnDrop<'a> {
    context: &'a Context,
    epoch: u32,
    /// `true` if there was anything to write.
    writes: bool,
}

impl<'a> RevertOnDrop<'a> {
    pub(in crate::visit) fn new(step: &Step, context: &'a Context, epoch: u32) -> Self {
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
