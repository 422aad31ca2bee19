//! Closing: writing the changes of a visit and releasing its lock in one step.

mod immediate;
mod new_key;
mod orphan;
mod plan;
mod result;

use std::sync::Arc;

use crate::clock::Timestamp;
use crate::error::SessionError;
use crate::id::SessionKey;
use crate::storage::{Meta, lock_if_unchanged};
use crate::telemetry;
use crate::visit::Context;
use crate::visit::close::plan::{Plan, SlowStep, Step, WriteAccess};
use crate::visit::close::result::{CloseResult, Recorded, RevertOnDrop};
use crate::visit::state::{Closing, Phase, State};

impl Context {
    /// Closes the visit, unless there is nothing to close. Reports an earlier failed close whose changes were undone.
    pub(crate) async fn close(self: &Arc<Self>) -> Result<(), SessionError> {
        match self.close_immediate_now() {
            Some(closed) => closed,
            None => Box::pin(self.close_if_open()).await.map(drop),
        }
    }

    /// Does the same and returns whether the payload was written.
    pub(in crate::visit) async fn close_if_open(self: &Arc<Self>) -> Result<bool, SessionError> {
        {
            let state = self.state();
            if state.phase != Phase::Writable && state.closing == Closing::No {
                return state.check_not_undone().map(|()| false);
            }
        }
        let _guard = self.begin_operation().await?;
        self.close_now().await
    }

    /// Closes the visit under the operation guard. Returns whether the payload was written, which moves all sliding
    /// expirations.
    pub(in crate::visit) async fn close_now(self: &Arc<Self>) -> Result<bool, SessionError> {
        if self.may_have_expired_items() {
            Box::pin(self.refresh_last_activity()).await;
        }
        let now = self.settings.storage.clock().now();
        let (step, epoch) = match self.plan_close(now, false)? {
            Plan::Run(step, epoch) => (step, epoch),
            Plan::Nothing | Plan::Wait => return Ok(false),
        };
        // The plan has taken the lock out of the state. If this future is dropped from here on, the lock is released
        // and the changes in memory are reverted: the storage has all of them or none.
        let revert = RevertOnDrop::new(&step, self, epoch);
        let closed = match step {
            Step::Nothing => Ok(CloseResult::default()),
            Step::Commit { mut lock, record } => {
                let meta = record.meta.clone();
                let committed = self.settings.commit(&mut lock, record).await;
                committed.map(|()| CloseResult::written(meta, None)).map_err(Into::into)
            }
            Step::Release { lock } => {
                self.release_or_log(lock).await;
                Ok(CloseResult::default())
            }
            Step::Replace { known, record } => {
                let meta = record.meta.clone();
                let replaced = self.settings.replace(&known, record).await;
                self.on_replaced(replaced, meta)
            }
            Step::Slow(step) => Box::pin(self.run_slow_step(step)).await,
        };
        let shortened = self.shortened_deadline(&closed);
        match self.record_close(closed, revert, |_| ())? {
            Recorded::Done(written, ()) => {
                if let Some((key, deadline)) = shortened {
                    // If that fails, the end is reported later than it could be.
                    let _ = Box::pin(self.settings.watch_earlier(&key, deadline)).await;
                }
                Ok(written)
            }
            Recorded::Unreported(unreported) => {
                // No client will ever send the id of this record.
                self.settings.storage.destroy(&unreported.key).await?;
                Err(unreported.into_error())
            }
        }
    }

    async fn run_slow_step(&self, step: SlowStep) -> Result<CloseResult, SessionError> {
        match step {
            SlowStep::Create { record, id } => self.create(record, id).await,
            SlowStep::Rotate {
                access,
                record,
                id,
                grace,
            } => {
                let lock = match access {
                    WriteAccess::Lock(lock) => lock,
                    // The record was read without the lock: the storage locks it only if it is unchanged.
                    WriteAccess::Known(known) => match lock_if_unchanged(&*self.settings.storage, &known).await {
                        Ok(Some(lock)) => lock,
                        Ok(None) => return Err(self.record_conflict()),
                        Err(error) => return Err(self.record_conflict_or(error)),
                    },
                };
                self.rotate(lock, record, id, grace).await
            }
            SlowStep::Slide { lock, slide } => {
                let (key, known) = self.key_and_meta();
                let mut moved = None;
                if let (Some(key), Some(known)) = (key, known) {
                    let mut meta = known.clone();
                    match self.settings.touch(&key, &mut meta, slide).await {
                        Ok(_) => moved = Some(meta).filter(|meta| *meta != known),
                        // A failed move loses none of the visit's work, so the close succeeds.
                        Err(error) => telemetry::slide_failed(&key, &error.into()),
                    }
                }
                if let Some(lock) = lock {
                    self.release_or_log(lock).await;
                }
                Ok(CloseResult::touched(moved))
            }
        }
    }

    /// Returns the key and the new deadline of a session that ends earlier than its watchlist says. One that was stored
    /// under a new key has been entered with its deadline.
    fn shortened_deadline(&self, closed: &Result<CloseResult, SessionError>) -> Option<(SessionKey, Timestamp)> {
        let closed = closed.as_ref().ok().filter(|_| self.settings.watches)?;
        let meta = closed.meta.as_ref().filter(|_| !closed.has_new_id())?;
        let state = self.state();
        let (key, known) = (state.key?, state.meta()?);
        let deadline = meta.deadline?;
        let is_shorter = known.deadline.is_none_or(|old| deadline < old);
        (is_shorter && known.version != meta.version).then_some((key, deadline))
    }

    /// Returns the key and metadata as this visit knows them.
    pub(crate) fn key_and_meta(&self) -> (Option<SessionKey>, Option<Meta>) {
        let mut state = self.state();
        (state.lookup_key(), state.meta().cloned())
    }
}

impl State {
    /// Returns an error if a close has failed and its changes were undone.
    pub(in crate::visit) fn check_not_undone(&self) -> Result<(), SessionError> {
        match self.undone {
            true => Err(SessionError::Undone),
            false => Ok(()),
        }
    }
}
