//! Planning a close, by the changes of the visit and the current time.

use std::time::Duration;

use crate::clock::Timestamp;
use crate::error::SessionError;
use crate::id::SessionId;
use crate::storage::{Facts, Lock, Lookup, Meta, Record, Stored};
use crate::visit::Context;
use crate::visit::sliding::{Slide, has_expired_items};
use crate::visit::state::{Closing, Phase, State};
use crate::window::WindowId;

/// The decision on closing a visit.
#[allow(clippy::large_enum_variant, reason = "it is taken apart where it is returned")]
pub(in crate::visit) enum Plan {
    /// Nothing has to be closed.
    Nothing,
    /// The step to run, and the epoch of the state in which it was planned.
    Run(Step, u32),
    /// Nothing was decided, as the step would have to wait.
    Wait,
}

/// The step that closes a visit.
pub(in crate::visit) enum Step {
    Nothing,
    Commit {
        lock: Lock,
        record: Record,
    },
    Release {
        lock: Lock,
    },
    /// Replaces the record without the lock, if it is unchanged since it was read.
    Replace {
        known: Stored,
        record: Record,
    },
    Slow(SlowStep),
}

/// The rare steps. Their futures are boxed, so that the future of an ordinary close stays small.
pub(in crate::visit) enum SlowStep {
    Create {
        record: Record,
        id: Option<SessionId>,
    },
    Rotate {
        access: WriteAccess,
        record: Record,
        id: SessionId,
        grace: Duration,
    },
    Slide {
        lock: Option<Lock>,
        slide: Slide,
    },
}

/// The permission by which a session is moved to another key.
pub(in crate::visit) enum WriteAccess {
    Lock(Lock),
    /// The permission of a transaction without the lock: the lock is taken for the move if the record is unchanged.
    Known(Stored),
}

impl Step {
    pub(in crate::visit) fn closing(&self) -> Closing {
        match self {
            Self::Slow(SlowStep::Create { .. } | SlowStep::Rotate { .. }) => Closing::AssignsId,
            _ => Closing::Plain,
        }
    }
}

impl Context {
    /// Returns whether an item of a changed session has expired by its sliding window, as far as this visit knows.
    pub(in crate::visit) fn may_have_expired_items(&self) -> bool {
        if !self.state().has_sliding_items() {
            return false;
        }
        let now = self.settings.storage.clock().now();
        let state = self.state();
        has_expired_items(state.payload(), state.as_of(now), false)
    }

    /// Reads the last activity from the storage: other visits may have kept alive an item that has expired by this
    /// visit's data.
    pub(in crate::visit) async fn refresh_last_activity(&self) {
        let Some(key) = self.state().key else { return };
        // If the read fails, proceed with the known data; the commit fails if the session is gone.
        let Ok((Lookup::Found(Stored { record, .. }), now)) = self.settings.read(&key).await else {
            return;
        };
        let mut state = self.state();
        let is_same = state.meta().is_some_and(|known| known.version == record.meta.version);
        if is_same && state.key == Some(key) && state.phase == Phase::Writable {
            state.update_meta(record.meta, now);
        }
    }

    /// Plans the close. After an error the lock is released. With `immediate`, plans nothing that would have to wait.
    pub(in crate::visit) fn plan_close(&self, now: Timestamp, immediate: bool) -> Result<Plan, SessionError> {
        let mut fresh_window = None;
        loop {
            let mut state = self.state();
            if immediate && self.must_wait(&state, now) {
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
                        // The source of randomness is code of the application, so the state is unlocked meanwhile.
                        fresh_window = Some(WindowId::generate(&*self.settings.entropy));
                        continue;
                    }
                }
            }
            state.planned_at = now;
            return match self.plan(&mut state, now) {
                Ok(step) => {
                    // From here on no task can change the session; the changes can still be read.
                    state.phase = Phase::Readable;
                    state.closing = step.closing();
                    Ok(Plan::Run(step, state.epoch))
                }
                Err(error) => {
                    let lock = state.abandon_uncommitted();
                    // Dropping a lock runs code of the storage, so the state is unlocked first.
                    drop(state);
                    drop(lock);
                    Err(error)
                }
            };
        }
    }

    /// Returns whether closing has to wait: another close is running, or it takes more than one
    /// [immediate](crate::ImmediateStorage) call.
    fn must_wait(&self, state: &State, now: Timestamp) -> bool {
        if state.closing != Closing::No || state.next_id().is_some() {
            return true;
        }
        if state.is_changed() {
            // Telling a watchlist takes more than one call.
            let is_watched = self.settings.watches && (state.meta().is_none() || state.payload().has_new_lifetime());
            return state.has_sliding_items() || is_watched;
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
        // Data that was transient before a restart of the browser was removed when it was loaded; only new data is
        // left.
        if changed && has_expired_items(state.payload(), at, false) {
            state.payload_mut().purge(at, false)?;
        }
        let record = match changed {
            true => {
                let payload = state.payload_mut();
                payload.clear_unused_window(false);
                let mut record = payload.next_record(&known, at, &self.settings);
                if let Some(facts) = &state.cold().next_facts {
                    record.meta.facts = facts.clone();
                }
                Some(record)
            }
            false => None,
        };
        if let Some(record) = &record {
            self.settings
                .check_size(record.payload.len(), state.payload().loaded().len())?;
        }
        let unlocked = state.take_stamp();
        let lock = state.take_lock();
        if lock.is_none() && unlocked.is_none() {
            return Err(SessionError::LockLost);
        }
        let Some(record) = record else {
            let slide = Slide::due(state.payload(), &known, now, &self.settings);
            let slide = slide.filter(|_| !has_expired_items(state.payload(), at, false));
            return Ok(match (slide, lock) {
                (Some(slide), lock) => Step::Slow(SlowStep::Slide { lock, slide }),
                (None, Some(lock)) => Step::Release { lock },
                (None, None) => Step::Nothing,
            });
        };
        let access = match lock {
            Some(lock) => WriteAccess::Lock(lock),
            None => WriteAccess::Known(state.as_read(known, unlocked.unwrap_or_default())?),
        };
        Ok(match (state.next_id().cloned(), access) {
            (None, WriteAccess::Lock(lock)) => Step::Commit { lock, record },
            (None, WriteAccess::Known(known)) => Step::Replace { known, record },
            (Some(id), access) => Step::Slow(SlowStep::Rotate {
                access,
                record,
                id,
                grace: state.cold().grace,
            }),
        })
    }

    /// Plans the close of a session that is not stored yet. An empty one is not stored.
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
        payload.clear_unused_window(false);
        let mut meta = Meta::new(now).with_deadline(self.settings.deadline(payload, now, now));
        let payload = payload.encode(at);
        self.settings.check_size(payload.len(), 0)?;
        if let Some(cold) = &state.cold {
            meta.facts = match (&cold.next_facts, &cold.client) {
                (Some(facts), _) => facts.clone(),
                (None, Some(client)) => Facts::NONE.with_client(client),
                (None, None) => Facts::NONE,
            };
        }
        Ok(Step::Slow(SlowStep::Create {
            record: Record::new(meta, payload),
            id: state.next_id().cloned(),
        }))
    }
}

impl State {
    /// Returns the record as a transaction without the lock has read it.
    fn as_read(&self, meta: Meta, stamp: u64) -> Result<Stored, SessionError> {
        let key = self.key.ok_or(SessionError::LockLost)?;
        let record = Record::new(meta, self.payload().loaded().clone());
        Ok(Stored::new(key, record).with_stamp(stamp))
    }

    /// Returns whether the visit has to write a session in which items slide on their own.
    fn has_sliding_items(&self) -> bool {
        self.phase == Phase::Writable
            && self.meta().is_some()
            && self.is_changed()
            && self.payload().items().window.is_some()
    }

    /// Returns whether the visit has to write transient data that belongs to no window yet.
    fn needs_window(&self) -> bool {
        self.payload().window().is_none() && self.is_changed() && self.payload().holds_transient()
    }
}
