//! Layers in the way of one request that would overwrite each other's ids, or are one layer twice.
//!
//! Neither shows in a single answer, and both cost visitors their sessions, so a layer looks for them in the first
//! requests it sees: it leaves the names it takes in the request, for layers further in to find.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use http::{Extensions, Request};

use crate::config::InUse;
use crate::events;

/// How many requests a layer looks at.
const WATCHED: u32 = 16;

/// Instead of a count: the layer takes what another takes.
const CLASHES: u32 = u32::MAX;

/// The watch of one layer.
#[derive(Default)]
pub(crate) struct Watch {
    /// How many requests it has looked at.
    looked_at: AtomicU32,
}

/// What layers further out take for themselves.
#[derive(Clone)]
struct Taken(Arc<[String]>);

impl Watch {
    /// Looks at a request on its way in, and returns whether it has to be refused. `is_nested` says whether the session
    /// has a visit to it already.
    #[inline]
    pub(crate) fn refuses<B>(
        &self,
        carriers: &[InUse],
        request: &mut Request<B>,
        is_nested: impl FnOnce() -> bool,
    ) -> bool {
        match self.looked_at.load(Ordering::Relaxed) {
            CLASHES => true,
            count if count >= WATCHED => false,
            _ => self.look(carriers, request.extensions_mut(), is_nested()),
        }
    }

    #[cold]
    fn look(&self, carriers: &[InUse], extensions: &mut Extensions, is_nested: bool) -> bool {
        if is_nested {
            events::layer_twice();
            // Once said is enough. That the layer takes what another takes stays true.
            self.looked_at.fetch_max(WATCHED, Ordering::Relaxed);
            return false;
        }
        let taken = extensions.get::<Taken>().map_or(&[][..], |taken| &taken.0);
        let own: Vec<_> = carriers.iter().flat_map(|in_use| in_use.carrier.takes()).collect();
        if let Some(name) = own.iter().find(|name| taken.contains(name)) {
            events::clash(name);
            self.looked_at.store(CLASHES, Ordering::Relaxed);
            return true;
        }
        let taken = taken.iter().cloned().chain(own).collect();
        extensions.insert(Taken(taken));
        let count = |count: u32| (count < WATCHED).then_some(count + 1);
        let _ = self.looked_at.fetch_update(Ordering::Relaxed, Ordering::Relaxed, count);
        false
    }
}

/// A layer that was set up anew looks anew.
impl Clone for Watch {
    fn clone(&self) -> Self {
        Self::default()
    }
}

impl fmt::Debug for Watch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Watch")
    }
}
