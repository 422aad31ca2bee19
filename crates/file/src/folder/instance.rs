//! Which storages are open, in this process and in others.
//!
//! Each has a file that it keeps locked. The operating system unlocks it when the process ends, however it ends: so
//! others can tell at once that a holder is gone, and that what it was writing will never be finished.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use sessile_core::Entropy;

use crate::failure::{Doing, Result};
use crate::folder::disk::{Disk, Identity, identify, list, open};
use crate::folder::format::Nonce;
use crate::folder::layout::{Layout, hex};

/// This open storage.
pub(crate) struct Instance {
    id: Nonce,
    path: PathBuf,
    disk: Disk,
    own: Mutex<Own>,
}

/// The file of this open storage, locked for as long as this lives.
struct Own {
    file: File,
    identity: Identity,
}

impl Instance {
    /// Registers an open storage.
    pub(crate) fn register(disk: &Disk, layout: &Layout, entropy: &dyn Entropy) -> Result<Self> {
        loop {
            let mut id = Nonce::default();
            entropy.fill(&mut id);
            let path = layout.instances().join(hex(&id));
            if let Some(own) = Own::make(disk, &path)? {
                return Ok(Self {
                    id,
                    path,
                    disk: disk.clone(),
                    own: Mutex::new(own),
                });
            }
        }
    }

    pub(crate) const fn id(&self) -> Nonce {
        self.id
    }

    fn own(&self) -> MutexGuard<'_, Own> {
        self.own.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether others can see that this storage is open.
    pub(crate) fn is_registered(&self) -> Result<bool> {
        Ok(identify(&self.path).doing("find the folder")? == Some(self.own().identity))
    }

    /// Registers once more under the same name, after the file has been removed.
    pub(crate) fn register_again(&self) -> Result<()> {
        let mut own = self.own();
        while identify(&self.path).doing("register in the folder")? != Some(own.identity) {
            // The file that stands there instead is a copy, and not locked.
            self.disk.remove(&self.path).doing("register in the folder")?;
            if let Some(made) = Own::make(&self.disk, &self.path)? {
                *own = made;
            }
        }
        Ok(())
    }

    /// Dates the file anew, so that whatever removes old files does not take it for one.
    pub(crate) fn date(&self) {
        // It is a precaution. If the file is removed all the same it is made again.
        let _ = self.own().file.set_modified(SystemTime::now());
    }
}

impl Own {
    /// `None` if the file was taken, before it was locked, for that of a dead process, and removed.
    fn make(disk: &Disk, path: &Path) -> Result<Option<Self>> {
        let file = disk.create(path).doing("register in the folder")?;
        file.lock().doing("lock files in this folder")?;
        let identity = Identity::of(&file.metadata().doing("register in the folder")?);
        let is_there = identify(path).doing("register in the folder")? == Some(identity);
        Ok(is_there.then_some(Self { file, identity }))
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
        let file;
        let dead = match name.to_str().and_then(|name| name.split_once('.')) {
            // Something that an instance was writing.
            Some((owner, _)) => !is_open(layout, owner),
            // Exclusively, and until it is removed: its owner may be just about to lock it, and must then find that it is
            // gone.
            None => {
                file = open(&path);
                file.as_ref().is_ok_and(|(file, _)| file.try_lock().is_ok())
            }
        };
        if dead {
            disk.remove(&path).doing("remove what a dead process left")?;
        }
    }
    Ok(())
}
