//! Detects layers that would overwrite each other's ids, and layers that a request passes twice.
//!
//! Neither mistake shows in a single response, and both cost visitors their sessions. Each layer therefore checks the
//! first requests it sees: it leaves the names that its carriers reserve in the request, where layers further in find
//! them.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use http::{Extensions, Request};

use crate::carriers::CarrierList;
use crate::events;

/// The number of requests that a layer checks.
const CHECKED_REQUESTS: u32 = 16;

/// Replaces the number of checked requests once a collision was found.
const COLLISION: u32 = u32::MAX;

/// The check of one layer.
#[derive(Default)]
pub(crate) struct CollisionCheck {
    /// The number of requests checked so far, or [`COLLISION`].
    checked: AtomicU32,
}

/// The names that layers further out have reserved, in the extensions of a request.
#[derive(Clone)]
struct ReservedNames(Arc<[String]>);

impl CollisionCheck {
    /// Checks a request on its way in, and returns whether it must be rejected. `is_nested` returns whether the task
    /// already has a visit to the same session.
    #[inline]
    pub(crate) fn rejects<B>(
        &self,
        carriers: &CarrierList,
        request: &mut Request<B>,
        is_nested: impl FnOnce() -> bool,
    ) -> bool {
        match self.checked.load(Ordering::Relaxed) {
            COLLISION => true,
            count if count >= CHECKED_REQUESTS => false,
            _ => self.check(carriers, request.extensions_mut(), is_nested()),
        }
    }

    #[cold]
    fn check(&self, carriers: &CarrierList, extensions: &mut Extensions, is_nested: bool) -> bool {
        if is_nested {
            events::duplicate_layer();
            // Report a duplicate once. `fetch_max` keeps a collision, which another task may have found.
            self.checked.fetch_max(CHECKED_REQUESTS, Ordering::Relaxed);
            return false;
        }
        let reserved = extensions.get::<ReservedNames>().map_or(&[][..], |names| &names.0);
        let own = carriers.reserved_names();
        if let Some(name) = own.iter().find(|name| reserved.contains(name)) {
            events::name_collision(name);
            self.checked.store(COLLISION, Ordering::Relaxed);
            return true;
        }
        let reserved = reserved.iter().cloned().chain(own).collect();
        extensions.insert(ReservedNames(reserved));
        let count = |count: u32| (count < CHECKED_REQUESTS).then_some(count + 1);
        let _ = self.checked.fetch_update(Ordering::Relaxed, Ordering::Relaxed, count);
        false
    }
}

/// A clone starts over, as it belongs to a layer with other settings.
impl Clone for CollisionCheck {
    fn clone(&self) -> Self {
        Self::default()
    }
}
