//! Closing without waiting: the storage is [immediate](crate::ImmediateStorage), the session keeps its id and nothing
//! has to slide.

use std::sync::Arc;

use crate::clock::Timestamp;
use crate::error::SessionError;
use crate::telemetry;
use crate::visit::Context;
use crate::visit::close::plan::{Plan, SlowStep, Step};
use crate::visit::close::result::{CloseResult, Recorded, RevertOnDrop};
use crate::visit::state::State;

impl Context {
    /// Closes like [`close`](Context::close). Returns `None`, having done nothing, if it would have to wait.
    pub(in crate::visit) fn close_immediate_now(self: &Arc<Self>) -> Option<Result<(), SessionError>> {
        self.settings.immediate()?;
        let now = self.settings.storage.clock().now();
        self.close_immediate(now, |_| ())
    }

    /// Does the same at a known time, and calls `then` with the state before any other task can lock it.
    pub(in crate::visit) fn close_immediate<R>(
        self: &Arc<Self>,
        now: Timestamp,
        then: impl FnOnce(&mut State) -> R,
    ) -> Option<Result<R, SessionError>> {
        let _guard = self.try_begin_operation()?;
        self.close_immediate_in_operation(now, then)
    }

    /// Does the same for a caller that holds the operation guard.
    pub(in crate::visit) fn close_immediate_in_operation<R>(
        self: &Arc<Self>,
        now: Timestamp,
        then: impl FnOnce(&mut State) -> R,
    ) -> Option<Result<R, SessionError>> {
        let storage = self.settings.immediate()?;
        let (step, epoch) = match self.plan_close(now, true) {
            Ok(Plan::Run(step, epoch)) => (step, epoch),
            Ok(Plan::Nothing) => return Some(Ok(then(&mut self.state()))),
            Ok(Plan::Wait) => return None,
            Err(error) => return Some(Err(error)),
        };
        let revert = RevertOnDrop::new(&step, self, epoch);
        let closed = match step {
            Step::Nothing => Ok(CloseResult::default()),
            Step::Commit { mut lock, record } => {
                let meta = record.meta.clone();
                let committed = storage.commit(&mut lock, record);
                committed.map(|()| CloseResult::written(meta, None)).map_err(Into::into)
            }
            Step::Release { lock } => {
                let key = *lock.key();
                if let Err(error) = storage.release(lock) {
                    telemetry::release_failed(&key, &error);
                }
                Ok(CloseResult::default())
            }
            Step::Replace { known, record } => {
                let meta = record.meta.clone();
                let replaced = storage.replace(&known, record);
                self.on_replaced(replaced, meta)
            }
            Step::Slow(SlowStep::Create { record, id }) => {
                let made = self.new_record(&record, id);
                let created = storage.create(&made.key, record);
                made.handle_reply(created)
            }
            Step::Slow(SlowStep::Rotate { .. } | SlowStep::Slide { .. }) => {
                unreachable!("a step that has to wait is not planned here")
            }
        };
        Some(match self.record_close(closed, revert, then) {
            Ok(Recorded::Done(_, result)) => Ok(result),
            Ok(Recorded::Unreported(unreported)) => match storage.destroy(&unreported.key) {
                Ok(_) => Err(unreported.into_error()),
                Err(error) => Err(error.into()),
            },
            Err(error) => Err(error),
        })
    }
}
