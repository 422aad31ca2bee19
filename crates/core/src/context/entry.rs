//! [`Entry`]: what a task has with it while it works on a visit.

use std::sync::Arc;

use super::Context;
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
}
