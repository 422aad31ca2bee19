//! Closing where nothing has to be waited for: the storage [answers at once](crate::AtOnce), and the visit neither moves to
//! another key nor has anything to slide.

use std::sync::Arc;

use crate::clock::Timestamp;
use crate::error::SessionError;
use crate::events;
use crate::visit::Context;
use crate::visit::close::plan::{Plan, SlowStep, Step};
use crate::visit::close::result::{CloseResult, Recorded, RevertOnDrop};
use crate::visit::state::State;

impl Context {
    /// Closes as [`close`](Context::close) does, if that takes nothing that has to be waited for. `None` if it does;
    /// nothing was done then.
    pub(in crate::visit) fn close_immediate_now(self: &Arc<Self>) -> Option<Result<(), SessionError>> {
        self.settings.storage.at_once()?;
        let now = self.settings.storage.clock().now();
        self.close_immediate(now, |_| ())
    }

    /// The same, at a moment that is known, and looks at the state before others can.
    pub(in crate::visit) fn close_immediate<R>(
        self: &Arc<Self>,
        now: Timestamp,
        then: impl FnOnce(&mut State) -> R,
    ) -> Option<Result<R, SessionError>> {
        let _turn = self.try_begin_operation()?;
        self.close_immediate_in_operation(now, then)
    }

    /// The same, for whoever has the turn.
    pub(in crate::visit) fn close_immediate_in_operation<R>(
        self: &Arc<Self>,
        now: Timestamp,
        then: impl FnOnce(&mut State) -> R,
    ) -> Option<Result<R, SessionError>> {
        let storage = self.settings.storage.at_once()?;
        let (step, epoch) = match self.plan_close(now, true) {
            Ok(Plan::Take(step, epoch)) => (step, epoch),
            Ok(Plan::Nothing) => return Some(Ok(then(&mut self.state()))),
            Ok(Plan::Wait) => return None,
            Err(error) => return Some(Err(error)),
        };
        let revert = RevertOnDrop::of(&step, self, epoch);
        let closed = match step {
            Step::Nothing => Ok(CloseResult::default()),
            Step::Commit { mut lock, record } => {
                let meta = record.meta.clone();
                let committed = storage.commit(&mut lock, record);
                committed.map(|()| CloseResult::with(meta, None)).map_err(Into::into)
            }
            Step::Release { lock } => {
                let key = *lock.key();
                if let Err(error) = storage.release(lock) {
                    events::not_released(&key, &error);
                }
                Ok(CloseResult::default())
            }
            Step::Replace { known, record } => {
                let meta = record.meta.clone();
                let replaced = storage.replace(&known, record);
                self.replaced(replaced, meta)
            }
            Step::Slow(SlowStep::Create { record, id }) => {
                let (made, record) = self.new_record(record, id);
                let created = storage.create(&made.key, record);
                made.settle(created)
            }
            Step::Slow(SlowStep::Rotate { .. } | SlowStep::Slide { .. }) => {
                unreachable!("what has to be waited for is not planned here")
            }
        };
        Some(match self.record_close(closed, revert, then) {
            Ok(Recorded::Done(_, result)) => Ok(result),
            Ok(Recorded::Unreported(unknown)) => match storage.destroy(&unknown.key) {
                Ok(_) => Err(unknown.into_error()),
                Err(error) => Err(error.into()),
            },
            Err(error) => Err(error),
        })
    }
}
