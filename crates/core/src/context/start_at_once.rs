//! Starting where nothing has to be waited for: the storage [answers at once](crate::AtOnce), and nobody holds the lock.
//!
//! It is tried first, by plain functions. The future of a call that has to wait is allocated when it turns out that it
//! has to, so that the futures of all calls are small: handlers have them inside.

use std::sync::Arc;

use super::Context;
use super::loading::Chore;
use super::state::{Phase, State};
use super::turn::Turn;
use crate::error::SessionError;
use crate::storage::{Locked, Lookup, Stored};

/// How far a start has come without waiting.
pub(super) enum Begun<'a> {
    /// It is over.
    Done(Result<(), SessionError>),
    /// It is over when the chore is, which is done in the visit's turn if the visit is to write.
    Chore(Chore, Option<Turn<'a>>),
    /// Nothing was done, as something has to be waited for.
    Wait,
}

impl From<Result<Option<Chore>, SessionError>> for Begun<'_> {
    fn from(received: Result<Option<Chore>, SessionError>) -> Self {
        match received {
            Ok(None) => Self::Done(Ok(())),
            Ok(Some(chore)) => Self::Chore(chore, None),
            Err(error) => Self::Done(Err(error)),
        }
    }
}

impl<'a> Begun<'a> {
    fn in_turn(self, turn: Turn<'a>) -> Self {
        match self {
            Self::Chore(chore, _) => Self::Chore(chore, Some(turn)),
            begun => begun,
        }
    }
}

impl Context {
    /// Starts for writing, as [`start`](Context::start) does.
    #[inline]
    pub(super) fn start_at_once(self: &Arc<Self>) -> Begun<'_> {
        let Some(storage) = self.engine.storage.at_once() else {
            return Begun::Wait;
        };
        let Some(turn) = self.turn_at_once() else {
            return Begun::Wait;
        };
        let (key, asked) = {
            let mut state = self.state();
            if state.phase == Phase::Writable {
                return Begun::Done(Ok(()));
            }
            (state.lookup_key(), state.ask())
        };
        let Some(key) = key else {
            return Begun::Done(self.begin(asked.epoch, Phase::Writable));
        };
        match storage.lock(&key) {
            None => Begun::Wait,
            Some(Ok((Lookup::Found(Locked { lock, record }), at))) => {
                let key = *lock.key();
                let received = self.receive(key, record, Some(lock), at, asked);
                Begun::from(received).in_turn(turn)
            }
            Some(Ok(_)) if self.state().has_others() => Begun::Wait,
            Some(Ok((none, _))) => {
                let superseded = matches!(none, Lookup::Superseded).then_some(key);
                Begun::Done(self.none_found(superseded, asked.epoch, Phase::Writable))
            }
            Some(Err(error)) => Begun::Done(Err(error.into())),
        }
    }

    /// Starts for reading, as [`start_readonly`](Context::start_readonly) does.
    #[inline]
    pub(super) fn start_readonly_at_once(self: &Arc<Self>) -> Begun<'_> {
        let Some(storage) = self.engine.storage.at_once() else {
            return Begun::Wait;
        };
        let (key, asked) = {
            let mut state = self.state();
            if state.is_started() {
                return Begun::Done(Ok(()));
            }
            (state.lookup_key(), state.ask())
        };
        let Some(key) = key else {
            return Begun::Done(self.begin(asked.epoch, Phase::Readable));
        };
        match storage.read(&key) {
            Ok((Lookup::Found(Stored { key, record, .. }), at)) => self.receive(key, record, None, at, asked).into(),
            Ok(_) if self.state().has_others() => Begun::Wait,
            Ok((none, _)) => {
                let superseded = matches!(none, Lookup::Superseded).then_some(key);
                Begun::Done(self.none_found(superseded, asked.epoch, Phase::Readable))
            }
            Err(error) => Begun::Done(Err(error.into())),
        }
    }
}

impl State {
    /// Whether there are other ids to try when the first of the visit names no session.
    pub(super) fn has_others(&self) -> bool {
        !self.seen && !self.rare().candidates.is_empty()
    }
}
