//! [`Entry`]: what a task has with it while it works on a visit.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::{Context, Phase};
use crate::session::Engine;

/// A visit, as the tasks that work on it carry it along.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) context: Arc<Context>,
    /// Whether what runs inside is an update of the visit.
    pub(super) updating: bool,
}

impl Entry {
    pub(super) fn new(context: Arc<Context>) -> Self {
        Self {
            context,
            updating: false,
        }
    }

    pub(super) fn updating(context: Arc<Context>) -> Self {
        Self {
            context,
            updating: true,
        }
    }

    pub(super) fn engine(&self) -> &Arc<Engine> {
        &self.context.engine
    }

    /// The work of the visit begins. It begins at once if nobody has asked anything of the session before, nor can have.
    pub(super) fn begin_work(&mut self) {
        let is_untouched = |context: &mut Context| {
            let state = context.state.get_mut();
            state.is_ok_and(|state| state.phase == Phase::Unstarted && !state.told.read)
        };
        let at_once = Arc::get_mut(&mut self.context).is_some_and(is_untouched);
        self.context.at_once.store(at_once, Ordering::Relaxed);
    }

    /// The work of the visit had to wait for something.
    pub(super) fn has_waited(&self) {
        self.context.at_once.store(false, Ordering::Relaxed);
    }
}
