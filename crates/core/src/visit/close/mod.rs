//! Closing: writing what a visit has changed, and giving up its lock, in one step.

mod immediate;
mod orphan;
mod plan;
mod result;

use std::sync::Arc;

use crate::error::SessionError;
use crate::events;
use crate::id::SessionKey;
use crate::storage::{Meta, lock_as_known};
use crate::visit::Context;
use crate::visit::close::plan::{Plan, Right, SlowStep, Step};
use crate::visit::close::result::{CloseResult, Recorded, RevertOnDrop};
use crate::visit::state::{Closing, Phase, State};

impl Context {
    /// Closes, unless there is nothing to be closed. What a close that failed before has undone is not taken for stored.
    pub(crate) async fn close(self: &Arc<Self>) -> Result<(), SessionError> {
        match self.close_immediate_now() {
            Some(closed) => closed,
            None => Box::pin(self.close_if_open()).await.map(drop),
        }
    }

    /// The same; says whether anything was written.
    pub(in crate::visit) async fn close_if_open(self: &Arc<Self>) -> Result<bool, SessionError> {
        {
            let state = self.state();
            if state.phase != Phase::Writable && state.closing == Closing::No {
                return state.check_not_undone().map(|()| false);
            }
        }
        let _turn = self.begin_operation().await?;
        self.close_now().await
    }

    /// Closes; says whether anything was written, with which everything that slides has moved.
    pub(in crate::visit) async fn close_now(self: &Arc<Self>) -> Result<bool, SessionError> {
        if self.doubts_what_slid_out() {
            Box::pin(self.learn_last_activity()).await;
        }
        let now = self.settings.storage.clock().now();
        let (step, epoch) = match self.plan_close(now, false)? {
            Plan::Take(step, epoch) => (step, epoch),
            Plan::Nothing | Plan::Wait => return Ok(false),
        };
        let revert = RevertOnDrop::of(&step, self, epoch);
        let closed = match step {
            Step::Nothing => Ok(CloseResult::default()),
            Step::Commit { mut lock, record } => {
                let meta = record.meta.clone();
                let committed = self.settings.commit(&mut lock, record).await;
                committed.map(|()| CloseResult::with(meta, None)).map_err(Into::into)
            }
            Step::Release { lock } => {
                self.give_back(lock).await;
                Ok(CloseResult::default())
            }
            Step::Replace { known, record } => {
                let meta = record.meta.clone();
                let replaced = self.settings.replace(&known, record).await;
                self.replaced(replaced, meta)
            }
            Step::Slow(step) => Box::pin(self.take(step)).await,
        };
        match self.record_close(closed, revert, |_| ())? {
            Recorded::Done(written, ()) => Ok(written),
            Recorded::Unreported(unknown) => {
                self.settings.storage.destroy(&unknown.key).await?;
                Err(unknown.into_error())
            }
        }
    }

    async fn take(&self, step: SlowStep) -> Result<CloseResult, SessionError> {
        let storage = &self.settings.storage;
        match step {
            SlowStep::Create { record, id } => {
                let (made, record) = self.new_record(record, id);
                let created = self.settings.create(&made.key, record).await;
                made.settle(created)
            }
            SlowStep::Rotate {
                right,
                record,
                id,
                grace,
            } => {
                let mut lock = match right {
                    Right::Lock(lock) => lock,
                    Right::Known(known) => match lock_as_known(&**storage, &known).await {
                        Ok(Some(lock)) => lock,
                        Ok(None) => return Err(self.conflict()),
                        Err(error) => return Err(self.conflict_or(error)),
                    },
                };
                let old = *lock.key();
                let new = id.key();
                let meta = record.meta.clone();
                storage.rotate(&mut lock, &new, record, grace).await?;
                events::rotated(&old, &new);
                Ok(CloseResult::with(meta, Some((id, new))))
            }
            SlowStep::Slide { lock, slide } => {
                let (key, known) = self.known();
                let mut moved = None;
                if let (Some(key), Some(known)) = (key, known) {
                    let mut meta = known.clone();
                    match self.settings.touch(&key, &mut meta, slide).await {
                        Ok(_) => moved = Some(meta).filter(|meta| *meta != known),
                        // Nothing of what the visit did is lost with it.
                        Err(error) => events::not_moved(&key, &error.into()),
                    }
                }
                if let Some(lock) = lock {
                    self.give_back(lock).await;
                }
                Ok(CloseResult::moved(moved))
            }
        }
    }
}

impl State {
    /// An error if a close has failed and what it was to write was undone.
    pub(in crate::visit) fn check_not_undone(&self) -> Result<(), SessionError> {
        match self.undone {
            true => Err(SessionError::Undone),
            false => Ok(()),
        }
    }
}

impl Context {
    /// The key and metadata as this visit knows them.
    pub(crate) fn known(&self) -> (Option<SessionKey>, Option<Meta>) {
        let mut state = self.state();
        (state.lookup_key(), state.meta().cloned())
    }
}
