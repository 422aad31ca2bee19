//! [`Slots`]: the ids of the current sessions, shared by all clients.

use std::fs;
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use sessile_core::SessionId;

use crate::locked;

/// A fixed number of slots with one session each. A reader may get an outdated id, which is intended.
#[derive(Debug)]
pub(super) enum Slots {
    Memory(Mutex<Vec<Option<SessionId>>>),
    Folder(PathBuf),
}

impl Slots {
    pub(super) fn in_memory(count: u64) -> Self {
        Self::Memory(Mutex::new((0..count).map(|_| None).collect()))
    }

    pub(super) fn get(&self, slot: u64) -> Option<SessionId> {
        match self {
            Self::Memory(slots) => locked(slots)[index(slot)].clone(),
            Self::Folder(folder) => SessionId::parse(&fs::read_to_string(folder.join(slot.to_string())).ok()?),
        }
    }

    pub(super) fn set(&self, slot: u64, id: &SessionId) {
        static WRITES: AtomicU64 = AtomicU64::new(0);
        match self {
            Self::Memory(slots) => locked(slots)[index(slot)] = Some(id.clone()),
            Self::Folder(folder) => {
                let number = WRITES.fetch_add(1, Ordering::Relaxed);
                let temporary = folder.join(format!("new-{}-{number}", std::process::id()));
                let written = fs::write(&temporary, id.expose())
                    .and_then(|()| fs::rename(&temporary, folder.join(slot.to_string())));
                written.expect("the folder of the test can be written to");
            }
        }
    }
}

fn index(slot: u64) -> usize {
    usize::try_from(slot).expect("a small number")
}
