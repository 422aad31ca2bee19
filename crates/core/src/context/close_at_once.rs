//! Closing where nothing has to be waited for: the storage [answers at once](crate::AtOnce), and the visit neither moves to
//! another key nor has anything to slide.

use std::sync::Arc;

use super::Context;
use super::closed::{Closed, Noted, Unfinished};
use super::plan::{Plan, RareStep, Step};
use super::state::State;
use crate::clock::Timestamp;
use crate::error::SessionError;
use crate::events;

impl Context {
    /// Closes as [`close`](Context::close) does, if that takes nothing that has to be waited for. `None` if it does;
    /// nothing was done then.
    pub(super) fn close_now_at_once(self: &Arc<Self>) -> Option<Result<(), SessionError>> {
        self.engine.storage.at_once()?;
        let now = self.engine.storage.clock().now();
        self.close_at_once(now, |_| ())
    }

    /// The same, at a moment that is known, and looks at the state before others can.
    pub(super) fn close_at_once<R>(
        self: &Arc<Self>,
        now: Timestamp,
        then: impl FnOnce(&mut State) -> R,
    ) -> Option<Result<R, SessionError>> {
        let _turn = self.turn_at_once()?;
        self.close_at_once_in_turn(now, then)
    }

    /// The same, for whoever has the turn.
    pub(super) fn close_at_once_in_turn<R>(
        self: &Arc<Self>,
        now: Timestamp,
        then: impl FnOnce(&mut State) -> R,
    ) -> Option<Result<R, SessionError>> {
        let storage = self.engine.storage.at_once()?;
        let (step, epoch) = match self.plan_close(now, true) {
            Ok(Plan::Take(step, epoch)) => (step, epoch),
            Ok(Plan::Nothing) => return Some(Ok(then(&mut self.state()))),
            Ok(Plan::Wait) => return None,
            Err(error) => return Some(Err(error)),
        };
        let unfinished = Unfinished::of(&step, self, epoch);
        let closed = match step {
            Step::Nothing => Ok(Closed::default()),
            Step::Commit { mut lock, record } => {
                let meta = record.meta.clone();
                let committed = storage.commit(&mut lock, record);
                committed.map(|()| Closed::with(meta, None)).map_err(Into::into)
            }
            Step::Release { lock } => {
                let key = *lock.key();
                if let Err(error) = storage.release(lock) {
                    events::not_released(&key, &error);
                }
                Ok(Closed::default())
            }
            Step::Replace { known, record } => {
                let meta = record.meta.clone();
                let replaced = storage.replace(&known, record);
                self.replaced(replaced, meta)
            }
            Step::Rare(RareStep::Create { record, id }) => {
                let (made, record) = self.new_record(record, id);
                let created = storage.create(&made.key, record);
                made.settle(created)
            }
            Step::Rare(RareStep::Rotate { .. } | RareStep::Slide { .. }) => {
                unreachable!("what has to be waited for is not planned here")
            }
        };
        Some(match self.take_note(closed, unfinished, then) {
            Ok(Noted::Done(_, result)) => Ok(result),
            Ok(Noted::Unknown(unknown)) => match storage.destroy(&unknown.key) {
                Ok(_) => Err(unknown.into_error()),
                Err(error) => Err(error.into()),
            },
            Err(error) => Err(error),
        })
    }
}
