//! What closing amounts to, decided by what the visit has changed and what time it is.

use std::time::Duration;

use crate::clock::Timestamp;
use crate::error::SessionError;
use crate::id::SessionId;
use crate::storage::{Lock, Lookup, Meta, Record, Stored};
use crate::visit::Context;
use crate::visit::sliding::{Slide, has_dead_items};
use crate::visit::state::{Closing, Phase, State};
use crate::window::WindowId;

/// The decision on how a visit is closed.
#[allow(clippy::large_enum_variant, reason = "it is taken apart where it is returned")]
pub(in crate::visit) enum Plan {
    /// There is nothing to be closed.
    Nothing,
    /// This is to be done, for the session that the visit has by this count.
    Take(Step, u32),
    /// Nothing is decided, as something would have to be waited for.
    Wait,
}

/// What closing amounts to.
pub(in crate::visit) enum Step {
    Nothing,
    Commit {
        lock: Lock,
        record: Record,
    },
    Release {
        lock: Lock,
    },
    /// The record is replaced without the lock, if it is still the one that was read.
    Replace {
        known: Stored,
        record: Record,
    },
    Slow(SlowStep),
}

/// What most visits do not close with. Its future is allocated when it is needed, so that the others need not have room
/// for it.
pub(in crate::visit) enum SlowStep {
    Create {
        record: Record,
        id: Option<SessionId>,
    },
    Rotate {
        right: Right,
        record: Record,
        id: SessionId,
        grace: Duration,
    },
    Slide {
        lock: Option<Lock>,
        slide: Slide,
    },
}

/// The right by which a session is moved to another key.
pub(in crate::visit) enum Right {
    Lock(Lock),
    /// That of an update without the lock: the lock is taken for the move, if the session is still as it was read.
    Known(Stored),
}

impl Step {
    pub(in crate::visit) fn closing(&self) -> Closing {
        match self {
            Self::Slow(SlowStep::Create { .. } | SlowStep::Rotate { .. }) => Closing::Naming,
            _ => Closing::Plain,
        }
    }
}

impl Context {
    /// Whether something that is to be written with the rest has slid out, as far as this visit knows.
    pub(in crate::visit) fn doubts_what_slid_out(&self) -> bool {
        if !self.state().has_sliding_items() {
            return false;
        }
        let now = self.settings.storage.clock().now();
        let state = self.state();
        has_dead_items(state.payload(), state.as_of(now), false)
    }

    /// Asks the storage for the last activity: others may have visited the session since this visit has loaded it, and
    /// kept alive what would have slid out.
    pub(in crate::visit) async fn learn_last_activity(&self) {
        let Some(key) = self.state().key else { return };
        // Without an answer what is known has to do; the commit will hear of it if the session is gone.
        let Ok((Lookup::Found(Stored { record, .. }), now)) = self.settings.read(&key).await else {
            return;
        };
        let mut state = self.state();
        let is_same = state.meta().is_some_and(|known| known.version == record.meta.version);
        if is_same && state.key == Some(key) && state.phase == Phase::Writable {
            state.learn(record.meta, now);
        }
    }

    /// Decides what closing amounts to. After an error the lock is given up. `at_once`, nothing is decided that would have
    /// to be waited for.
    pub(in crate::visit) fn plan_close(&self, now: Timestamp, at_once: bool) -> Result<Plan, SessionError> {
        let mut fresh_window = None;
        loop {
            let mut state = self.state();
            if at_once && self.has_to_wait(&state, now) {
                return Ok(Plan::Wait);
            }
            if state.phase != Phase::Writable {
                return state.check_not_undone().map(|()| Plan::Nothing);
            }
            if state.needs_window() {
                match fresh_window {
                    Some(window) => state.payload_mut().set_window(Some(window)),
                    None => {
                        drop(state);
                        fresh_window = Some(WindowId::generate(&*self.settings.entropy));
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
                    Ok(Plan::Take(step, state.epoch))
                }
                Err(error) => {
                    let lock = state.abandon_uncommitted();
                    drop(state);
                    drop(lock);
                    Err(error)
                }
            };
        }
    }

    /// Whether closing takes more than what a storage does [at once](crate::AtOnce), or others have something under way.
    fn has_to_wait(&self, state: &State, now: Timestamp) -> bool {
        if state.closing != Closing::No || state.next_id().is_some() {
            return true;
        }
        if state.is_changed() {
            return state.has_sliding_items();
        }
        state.data().is_due(now, &self.settings)
    }

    fn plan(&self, state: &mut State, now: Timestamp) -> Result<Step, SessionError> {
        let changed = state.is_changed();
        let Some(known) = state.meta().cloned() else {
            return self.plan_new(state, changed, now);
        };
        let at = state.as_of(now);
        if state.next_id().is_some() && state.effects.sealed {
            return Err(SessionError::Sealed);
        }
        // What was transient when the browser was restarted was removed when it was loaded; what is transient now is new.
        if changed && has_dead_items(state.payload(), at, false) {
            state.payload_mut().purge(at, false)?;
        }
        let record = match changed {
            true => {
                let payload = state.payload_mut();
                payload.leave_window(false);
                Some(payload.record(&known, at, &self.settings))
            }
            false => None,
        };
        if let Some(record) = &record {
            self.settings
                .check_size(record.payload.len(), state.payload().loaded_len())?;
        }
        let unlocked = state.take_stamp();
        let lock = state.take_lock();
        if lock.is_none() && unlocked.is_none() {
            return Err(SessionError::LockLost);
        }
        let Some(record) = record else {
            let slide = Slide::due(state.payload(), &known, now, &self.settings);
            let slide = slide.filter(|_| !has_dead_items(state.payload(), at, false));
            return Ok(match (slide, lock) {
                (Some(slide), lock) => Step::Slow(SlowStep::Slide { lock, slide }),
                (None, Some(lock)) => Step::Release { lock },
                (None, None) => Step::Nothing,
            });
        };
        let right = match lock {
            Some(lock) => Right::Lock(lock),
            None => Right::Known(state.as_read(known, unlocked.unwrap_or_default())?),
        };
        Ok(match (state.next_id().cloned(), right) {
            (None, Right::Lock(lock)) => Step::Commit { lock, record },
            (None, Right::Known(known)) => Step::Replace { known, record },
            (Some(id), right) => Step::Slow(SlowStep::Rotate {
                right,
                record,
                id,
                grace: state.cold().grace,
            }),
        })
    }

    /// A session that is nowhere stored yet. As long as there is nothing in it, it stays so.
    fn plan_new(&self, state: &mut State, changed: bool, now: Timestamp) -> Result<Step, SessionError> {
        if !changed {
            return Ok(Step::Nothing);
        }
        if state.effects.superseded {
            return Err(SessionError::Superseded);
        }
        if state.effects.sealed {
            return Err(SessionError::Sealed);
        }
        let at = state.as_of(now);
        let payload = state.payload_mut();
        payload.purge(at, false)?;
        payload.leave_window(false);
        let meta = Meta::new(now).with_deadline(self.settings.deadline(payload, now, now));
        let payload = payload.encode(at);
        self.settings.check_size(payload.len(), 0)?;
        Ok(Step::Slow(SlowStep::Create {
            record: Record::new(meta, payload),
            id: state.next_id().cloned(),
        }))
    }
}

impl State {
    /// The record as an update without the lock has read it.
    fn as_read(&self, meta: Meta, stamp: u64) -> Result<Stored, SessionError> {
        let key = self.key.ok_or(SessionError::LockLost)?;
        let record = Record::new(meta, self.payload().loaded().clone());
        Ok(Stored::new(key, record).with_stamp(stamp))
    }

    /// Whether there is anything to be written, and anything in it that slides on its own.
    fn has_sliding_items(&self) -> bool {
        self.phase == Phase::Writable
            && self.meta().is_some()
            && self.is_changed()
            && self.payload().items().window.is_some()
    }

    /// Whether there is transient data to be written that belongs to no window yet.
    fn needs_window(&self) -> bool {
        self.payload().window().is_none() && self.is_changed() && self.payload().holds_transient()
    }
}
