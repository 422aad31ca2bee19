//! Which storages are open, in this process and in others.
//!
//! Each has a file that it keeps locked. The operating system unlocks it when the process ends, however it ends: so
//! others can tell at once that a holder is gone, and that what it was writing will never be finished.

use std::fs::{self, File};
use std::io;
use std::path::PathBuf;

use sessile_core::Entropy;

use crate::disk::{Disk, Identity, identify, list, open};
use crate::failure::{Doing, Result};
use crate::format::Nonce;
use crate::layout::{Layout, hex};

/// This open storage.
pub(crate) struct Instance {
    id: Nonce,
    path: PathBuf,
    disk: Disk,
    /// Locked for as long as this lives.
    _file: File,
}

impl Instance {
    /// Registers an open storage.
    pub(crate) fn register(disk: &Disk, layout: &Layout, entropy: &dyn Entropy) -> Result<Self> {
        loop {
            let mut id = Nonce::default();
            entropy.fill(&mut id);
            let path = layout.instances().join(hex(&id));
            let file = disk.create(&path).doing("register in the folder")?;
            file.lock().doing("lock files in this folder")?;
            // Whoever tidies up may have taken the file, before it was locked, for that of a dead process.
            let metadata = file.metadata().doing("register in the folder")?;
            if identify(&path).doing("register in the folder")? == Some(Identity::of(&metadata)) {
                return Ok(Self {
                    id,
                    path,
                    disk: disk.clone(),
                    _file: file,
                });
            }
        }
    }

    pub(crate) const fn id(&self) -> Nonce {
        self.id
    }

    /// Fails when the folder is no longer there, or is another.
    pub(crate) fn check_folder(&self) -> Result<()> {
        fs::symlink_metadata(&self.path).doing("find the folder").map(drop)
    }
}

impl Drop for Instance {
    fn drop(&mut self) {
        // If it stays, it is unlocked and will be tidied up.
        let _ = self.disk.remove(&self.path);
    }
}

/// Whether the storage of this name is still open. In doubt it is.
pub(crate) fn is_open(layout: &Layout, id: &str) -> bool {
    match open(&layout.instances().join(id)) {
        // Shared, so that two who ask at a time do not take each other for the owner.
        Ok((file, _)) => file.try_lock_shared().is_err(),
        Err(error) => error.kind() != io::ErrorKind::NotFound,
    }
}

/// Removes the files of storages that are no longer open.
pub(crate) fn remove_dead(disk: &Disk, layout: &Layout) -> Result<()> {
    for name in list(&layout.instances()).doing("list open storages")? {
        let path = layout.instances().join(&name);
        let dead = match name.to_str().and_then(|name| name.split_once('.')) {
            // Something that an instance was writing.
            Some((owner, _)) => !is_open(layout, owner),
            // Exclusively: its owner may be just about to lock it, and must then find that it is gone.
            None => open(&path).is_ok_and(|(file, _)| file.try_lock().is_ok()),
        };
        if dead {
            disk.remove(&path).doing("remove what a dead process left")?;
        }
    }
    Ok(())
}
