//! Starting without waiting: the storage is [immediate](crate::ImmediateStorage) and the lock is free.
//!
//! These plain functions are tried first. The future of a call that has to wait is boxed only then, which keeps the
//! futures of all calls, and of the handlers that contain them, small.

use std::sync::Arc;

use crate::error::SessionError;
use crate::storage::{Locked, Lookup, Stored};
use crate::visit::Context;
use crate::visit::operation::OperationGuard;
use crate::visit::start::load::PostLoad;
use crate::visit::state::{Phase, State};

/// The progress of a start without waiting.
pub(in crate::visit) enum StartProgress<'a> {
    /// The start is complete.
    Done(Result<(), SessionError>),
    /// The start is complete after this work, which holds the operation guard if the visit will write.
    PostLoad(PostLoad, Option<OperationGuard<'a>>),
}

impl<'a> StartProgress<'a> {
    fn after_load(loaded: Result<Option<PostLoad>, SessionError>, guard: Option<OperationGuard<'a>>) -> Self {
        match loaded {
            Ok(None) => Self::Done(Ok(())),
            Ok(Some(post_load)) => Self::PostLoad(post_load, guard),
            Err(error) => Self::Done(Err(error)),
        }
    }
}

impl Context {
    /// Starts for writing like [`start`](Context::start). Returns `None` if it has to wait; the session then merely
    /// counts as read.
    #[inline]
    pub(in crate::visit) fn start_immediate(self: &Arc<Self>) -> Option<StartProgress<'_>> {
        let storage = self.settings.immediate()?;
        let guard = self.try_begin_operation()?;
        let (key, request) = {
            let mut state = self.state();
            if state.phase == Phase::Writable {
                return Some(StartProgress::Done(Ok(())));
            }
            (state.lookup_key(), state.begin_load())
        };
        let Some(key) = key else {
            return Some(StartProgress::Done(self.begin(request.epoch, Phase::Writable)));
        };
        Some(match storage.lock(&key)? {
            Ok((Lookup::Found(Locked { lock, record }), at)) if record.meta.facts.is_session() => {
                let key = *lock.key();
                let loaded = self.on_loaded(key, record, Some(lock), at, request);
                StartProgress::after_load(loaded, Some(guard))
            }
            Ok(_) if self.state().has_other_candidates() => return None,
            Ok((none, _)) => {
                let superseded = matches!(none, Lookup::Superseded).then_some(key);
                StartProgress::Done(self.on_none_found(superseded, request.epoch, Phase::Writable))
            }
            Err(error) => StartProgress::Done(Err(error.into())),
        })
    }

    /// Starts for reading like [`start_readonly`](Context::start_readonly). Returns `None` if it has to wait; the session
    /// then merely counts as read.
    #[inline]
    pub(in crate::visit) fn start_readonly_immediate(self: &Arc<Self>) -> Option<StartProgress<'_>> {
        let storage = self.settings.immediate()?;
        let (key, request) = {
            let mut state = self.state();
            if state.is_started() {
                return Some(StartProgress::Done(Ok(())));
            }
            (state.lookup_key(), state.begin_load())
        };
        let Some(key) = key else {
            return Some(StartProgress::Done(self.begin(request.epoch, Phase::Readable)));
        };
        Some(match storage.read(&key) {
            Ok((Lookup::Found(Stored { key, record, .. }), at)) if record.meta.facts.is_session() => {
                StartProgress::after_load(self.on_loaded(key, record, None, at, request), None)
            }
            Ok(_) if self.state().has_other_candidates() => return None,
            Ok((none, _)) => {
                let superseded = matches!(none, Lookup::Superseded).then_some(key);
                StartProgress::Done(self.on_none_found(superseded, request.epoch, Phase::Readable))
            }
            Err(error) => StartProgress::Done(Err(error.into())),
        })
    }
}

impl State {
    /// Returns whether there are other ids to try if the first id of the visit names no session.
    pub(in crate::visit) fn has_other_candidates(&self) -> bool {
        !self.seen && !self.cold().candidates.is_empty()
    }
}
