//! [`Entry`]: a visit on its way to its session.

use std::fmt;
use std::mem;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::{Context, Handle};
use crate::session::Engine;
use crate::visit::{Manner, Visit};

/// A visit's context, or what it is made of when somebody first asks for it: most requests leave their session alone,
/// and need none.
#[derive(Debug)]
pub(super) enum Entry {
    Fresh(Fresh),
    Made(Handle),
    /// The same for the inside of an update, to whose lock nested calls are entitled.
    Updating(Handle),
}

/// A visit that nobody has asked about yet.
#[derive(Clone)]
pub(super) struct Fresh {
    pub(super) engine: Arc<Engine>,
    visit: Visit,
}

impl Fresh {
    pub(super) fn new(engine: Arc<Engine>, visit: Visit) -> Self {
        Self { engine, visit }
    }

    pub(super) fn into_handle(self) -> Handle {
        Handle(Context::new(self.engine, self.visit))
    }
}

impl Entry {
    pub(super) fn engine(&self) -> &Arc<Engine> {
        match self {
            Self::Fresh(fresh) => &fresh.engine,
            Self::Made(handle) | Self::Updating(handle) => &handle.0.engine,
        }
    }

    /// The context, if there has been need for one.
    pub(super) fn made(&self) -> Option<&Arc<Context>> {
        match self {
            Self::Fresh(_) => None,
            Self::Made(handle) | Self::Updating(handle) => Some(&handle.0),
        }
    }

    /// The context, which is made if there is none yet.
    pub(super) fn make(&mut self) -> &Arc<Context> {
        if let Self::Fresh(fresh) = self {
            let visit = mem::take(&mut fresh.visit);
            let context = Context::new(Arc::clone(&fresh.engine), visit);
            *self = Self::Made(Handle(context));
        }
        self.made().expect("it was made just above")
    }

    /// The work of the visit begins, and has not had to wait yet. Of a visit that has been at work before, or was
    /// started before its work began, nobody knows how long ago that was.
    pub(super) fn begin_work(&mut self) {
        self.set_at_once(matches!(self, Self::Fresh(_)));
    }

    /// The work of the visit had to wait for something.
    pub(super) fn has_waited(&mut self) {
        self.set_at_once(false);
    }

    fn set_at_once(&mut self, at_once: bool) {
        match self {
            Self::Fresh(fresh) => fresh.visit.manner.set(Manner::AT_ONCE, at_once),
            Self::Made(handle) | Self::Updating(handle) => handle.0.at_once.store(at_once, Ordering::Relaxed),
        }
    }
}

impl fmt::Debug for Fresh {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fresh")
            .field("visit", &self.visit)
            .finish_non_exhaustive()
    }
}
