//! [`Slots`]: how clients tell each other which sessions there are.

use std::fs;
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use sessile_core::SessionId;

use crate::locked;

/// So many sessions at a time, each in its slot. What is read may be out of date, which is part of the game.
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
                let aside = folder.join(format!("aside-{}-{number}", std::process::id()));
                let written =
                    fs::write(&aside, id.expose()).and_then(|()| fs::rename(&aside, folder.join(slot.to_string())));
                written.expect("the folder of the test can be written to");
            }
        }
    }
}

fn index(slot: u64) -> usize {
    usize::try_from(slot).expect("a small number")
}
