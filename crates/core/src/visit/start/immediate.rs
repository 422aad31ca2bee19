//! Starting where nothing has to be waited for: the storage [answers at once](crate::AtOnce), and nobody holds the lock.
//!
//! It is tried first, by plain functions. The future of a call that has to wait is allocated when it turns out that it
//! has to, so that the futures of all calls are small: handlers have them inside.

use std::sync::Arc;

use crate::error::SessionError;
use crate::storage::{Locked, Lookup, Stored};
use crate::visit::Context;
use crate::visit::operation::OperationGuard;
use crate::visit::start::load::PostLoad;
use crate::visit::state::{Phase, State};

/// How far a start has come without waiting.
pub(in crate::visit) enum StartProgress<'a> {
    /// It is over.
    Done(Result<(), SessionError>),
    /// It is over when the post_load is, which is done in the visit's turn if the visit is to write.
    PostLoad(PostLoad, Option<OperationGuard<'a>>),
    /// Nothing was done, as something has to be waited for.
    Wait,
}

impl From<Result<Option<PostLoad>, SessionError>> for StartProgress<'_> {
    fn from(received: Result<Option<PostLoad>, SessionError>) -> Self {
        match received {
            Ok(None) => Self::Done(Ok(())),
            Ok(Some(post_load)) => Self::PostLoad(post_load, None),
            Err(error) => Self::Done(Err(error)),
        }
    }
}

impl<'a> StartProgress<'a> {
    fn with_guard(self, turn: OperationGuard<'a>) -> Self {
        match self {
            Self::PostLoad(post_load, _) => Self::PostLoad(post_load, Some(turn)),
            begun => begun,
        }
    }
}

impl Context {
    /// Starts for writing, as [`start`](Context::start) does.
    #[inline]
    pub(in crate::visit) fn start_immediate(self: &Arc<Self>) -> StartProgress<'_> {
        let Some(storage) = self.settings.storage.at_once() else {
            return StartProgress::Wait;
        };
        let Some(turn) = self.try_begin_operation() else {
            return StartProgress::Wait;
        };
        let (key, asked) = {
            let mut state = self.state();
            if state.phase == Phase::Writable {
                return StartProgress::Done(Ok(()));
            }
            (state.lookup_key(), state.begin_load())
        };
        let Some(key) = key else {
            return StartProgress::Done(self.begin(asked.epoch, Phase::Writable));
        };
        match storage.lock(&key) {
            None => StartProgress::Wait,
            Some(Ok((Lookup::Found(Locked { lock, record }), at))) => {
                let key = *lock.key();
                let received = self.on_loaded(key, record, Some(lock), at, asked);
                StartProgress::from(received).with_guard(turn)
            }
            Some(Ok(_)) if self.state().has_others() => StartProgress::Wait,
            Some(Ok((none, _))) => {
                let superseded = matches!(none, Lookup::Superseded).then_some(key);
                StartProgress::Done(self.none_found(superseded, asked.epoch, Phase::Writable))
            }
            Some(Err(error)) => StartProgress::Done(Err(error.into())),
        }
    }

    /// Starts for reading, as [`start_readonly`](Context::start_readonly) does.
    #[inline]
    pub(in crate::visit) fn start_readonly_immediate(self: &Arc<Self>) -> StartProgress<'_> {
        let Some(storage) = self.settings.storage.at_once() else {
            return StartProgress::Wait;
        };
        let (key, asked) = {
            let mut state = self.state();
            if state.is_started() {
                return StartProgress::Done(Ok(()));
            }
            (state.lookup_key(), state.begin_load())
        };
        let Some(key) = key else {
            return StartProgress::Done(self.begin(asked.epoch, Phase::Readable));
        };
        match storage.read(&key) {
            Ok((Lookup::Found(Stored { key, record, .. }), at)) => self.on_loaded(key, record, None, at, asked).into(),
            Ok(_) if self.state().has_others() => StartProgress::Wait,
            Ok((none, _)) => {
                let superseded = matches!(none, Lookup::Superseded).then_some(key);
                StartProgress::Done(self.none_found(superseded, asked.epoch, Phase::Readable))
            }
            Err(error) => StartProgress::Done(Err(error.into())),
        }
    }
}

impl State {
    /// Whether there are other ids to try when the first of the visit names no session.
    pub(in crate::visit) fn has_others(&self) -> bool {
        !self.seen && !self.cold().candidates.is_empty()
    }
}
