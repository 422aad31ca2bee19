//! What closing amounts to, decided by what the visit has changed and what time it is.

use std::time::Duration;

use super::Context;
use super::slide::{Slide, has_dead_items};
use super::state::{Closing, Phase, State};
use crate::clock::Timestamp;
use crate::error::SessionError;
use crate::id::SessionId;
use crate::storage::{Lock, Lookup, Meta, Record, Stored};
use crate::window::WindowId;

/// What closing amounts to.
pub(super) enum Step {
    Nothing,
    Commit { lock: Lock, record: Record },
    Release { lock: Lock },
    Rare(RareStep),
}

/// What most visits do not close with. Its future is allocated when it is needed, so that the others need not have room
/// for it.
pub(super) enum RareStep {
    Create {
        record: Record,
        id: Option<SessionId>,
    },
    Rotate {
        lock: Lock,
        record: Record,
        id: SessionId,
        grace: Duration,
    },
    Slide {
        lock: Lock,
        slide: Slide,
    },
}

impl Step {
    pub(super) fn closing(&self) -> Closing {
        match self {
            Self::Rare(RareStep::Create { .. } | RareStep::Rotate { .. }) => Closing::Naming,
            _ => Closing::Plain,
        }
    }
}

impl Context {
    /// Whether something that is to be written with the rest has slid out, as far as this visit knows.
    pub(super) fn doubts_what_slid_out(&self) -> bool {
        if !self.state().has_sliding_items() {
            return false;
        }
        let now = self.engine.storage.clock().now();
        let state = self.state();
        has_dead_items(&state.contents, state.as_of(now), false)
    }

    /// Asks the storage for the last activity: others may have visited the session since this visit has loaded it, and
    /// kept alive what would have slid out.
    pub(super) async fn learn_last_activity(&self) {
        let Some(key) = self.state().key else { return };
        // Without an answer what is known has to do; the commit will hear of it if the session is gone.
        let Ok(Lookup::Found(Stored { record, .. })) = self.engine.storage.read(&key).await else {
            return;
        };
        let now = self.engine.storage.clock().now();
        let mut state = self.state();
        let is_same = state
            .meta
            .as_ref()
            .is_some_and(|known| known.version == record.meta.version);
        if is_same && state.key == Some(key) && state.phase == Phase::Writable {
            state.learn(record.meta, now);
        }
    }

    /// Decides what closing amounts to; `None` if there is nothing to be closed. After an error the lock is given up.
    pub(super) fn plan_close(&self) -> Result<Option<(Step, u32)>, SessionError> {
        let now = self.engine.storage.clock().now();
        let mut fresh_window = None;
        loop {
            let mut state = self.state();
            if state.phase != Phase::Writable {
                return state.nothing_was_undone().map(|()| None);
            }
            if state.needs_window() {
                match fresh_window {
                    Some(window) => state.contents.set_window(Some(window)),
                    None => {
                        drop(state);
                        fresh_window = Some(WindowId::generate(&*self.engine.entropy));
                        continue;
                    }
                }
            }
            state.planned_at = now;
            return match self.plan(&mut state, now) {
                Ok(step) => {
                    // From here on nobody changes anything; what was changed can still be read.
                    state.phase = Phase::Readable;
                    state.closing = step.closing();
                    Ok(Some((step, state.epoch)))
                }
                Err(error) => {
                    let lock = state.give_up_unasked();
                    drop(state);
                    drop(lock);
                    Err(error)
                }
            };
        }
    }

    fn plan(&self, state: &mut State, now: Timestamp) -> Result<Step, SessionError> {
        let changed = state.is_changed();
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
        let record = match changed {
            true => {
                state.contents.leave_window(false);
                Some(state.contents.record(&known, at, &self.engine))
            }
            false => None,
        };
        if let Some(record) = &record {
            self.engine
                .check_size(record.payload.len(), state.contents.loaded_len())?;
        }
        let lock = state.lock.take().ok_or(SessionError::LockLost)?;
        let Some(record) = record else {
            let slide = Slide::due(&state.contents, &known, now, &self.engine);
            let slide = slide.filter(|_| !has_dead_items(&state.contents, at, false));
            return Ok(match slide {
                None => Step::Release { lock },
                Some(slide) => Step::Rare(RareStep::Slide { lock, slide }),
            });
        };
        Ok(match state.next_id.clone() {
            None => Step::Commit { lock, record },
            Some(id) => Step::Rare(RareStep::Rotate {
                lock,
                record,
                id,
                grace: state.grace,
            }),
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
        state.contents.leave_window(false);
        let meta = Meta::new(now).with_deadline(self.engine.deadline(&state.contents, now, now));
        let payload = state.contents.encode(at);
        self.engine.check_size(payload.len(), 0)?;
        Ok(Step::Rare(RareStep::Create {
            record: Record::new(meta, payload),
            id: state.next_id.clone(),
        }))
    }
}

impl State {
    /// Whether there is anything to be written, and anything in it that slides on its own.
    fn has_sliding_items(&self) -> bool {
        self.phase == Phase::Writable
            && self.meta.is_some()
            && self.is_changed()
            && self.contents.items().window.is_some()
    }

    /// Whether there is transient data to be written that belongs to no window yet.
    fn needs_window(&self) -> bool {
        self.contents.window().is_none() && self.is_changed() && self.contents.holds_transient()
    }
}
