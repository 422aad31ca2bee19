//! [`DebugSnapshot`]: the printable part of a visit's state.

use std::fmt;

use crate::id::SessionId;
use crate::visit::state::{Phase, State};

/// The printable part of a state, without values. It is copied out first, so that the state is not locked while a
/// formatter runs.
pub(in crate::visit) struct DebugSnapshot {
    phase: Phase,
    id: Option<SessionId>,
    locked: bool,
    changed: bool,
}

impl State {
    pub(in crate::visit) fn debug_snapshot(&self) -> DebugSnapshot {
        DebugSnapshot {
            phase: self.phase,
            id: self.id.clone(),
            locked: self.lock().is_some(),
            changed: self.payload().changed,
        }
    }
}

impl fmt::Debug for DebugSnapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("State")
            .field("phase", &self.phase)
            .field("id", &self.id)
            .field("locked", &self.locked)
            .field("changed", &self.changed)
            .finish_non_exhaustive()
    }
}
