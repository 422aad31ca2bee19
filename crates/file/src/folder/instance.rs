//! [`Instance`]: the registration of an open storage, visible to other processes.
//!
//! Each open storage keeps a file locked. The operating system unlocks it when the process ends in any way, so others
//! see at once that a lock holder is dead and that its temporary files are abandoned.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use sessile_core::Entropy;

use crate::failure::{Context, Result};
use crate::folder::disk::{Disk, Identity, identify, list, open};
use crate::folder::format::Nonce;
use crate::folder::layout::{Layout, hex};

/// The registration of this open storage. Dropping it removes the file.
pub(crate) struct Instance {
    pub(crate) id: Nonce,
    path: PathBuf,
    disk: Disk,
    file: Mutex<LockedFile>,
}

/// A file that is locked as long as this value lives.
struct LockedFile {
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
            if let Some(file) = LockedFile::make(disk, &path)? {
                return Ok(Self {
                    id,
                    path,
                    disk: disk.clone(),
                    file: Mutex::new(file),
                });
            }
        }
    }

    fn file(&self) -> MutexGuard<'_, LockedFile> {
        self.file.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns whether other processes can see that this storage is open.
    pub(crate) fn is_registered(&self) -> Result<bool> {
        Ok(identify(&self.path).context("find the folder")? == Some(self.file().identity))
    }

    /// Registers again under the same name, after the file has been removed.
    pub(crate) fn register_again(&self) -> Result<()> {
        let mut file = self.file();
        while identify(&self.path).context("register in the folder")? != Some(file.identity) {
            // Any other file of this name is a copy and not locked.
            self.disk.remove(&self.path).context("register in the folder")?;
            if let Some(made) = LockedFile::make(&self.disk, &self.path)? {
                *file = made;
            }
        }
        Ok(())
    }

    /// Sets the date of the file to now, so that cleaners of old files leave it alone.
    pub(crate) fn refresh_date(&self) {
        // Errors are ignored: if the file is removed, it is made again.
        let _ = self.file().file.set_modified(SystemTime::now());
    }
}

impl LockedFile {
    /// Makes and locks a file.
    ///
    /// Returns `None` if another process removed the file before it was locked, because it looked abandoned.
    fn make(disk: &Disk, path: &Path) -> Result<Option<Self>> {
        let file = disk.create(path).context("register in the folder")?;
        file.lock().context("lock files in this folder")?;
        let identity = Identity::of(&file.metadata().context("register in the folder")?);
        let is_there = identify(path).context("register in the folder")? == Some(identity);
        Ok(is_there.then_some(Self { file, identity }))
    }
}

impl Drop for Instance {
    fn drop(&mut self) {
        // If this fails, the file is unlocked, and the next storage that opens the folder removes it.
        let _ = self.disk.remove(&self.path);
    }
}

/// Returns whether the instance of this name is open. It counts as open if that cannot be determined.
pub(crate) fn is_open(layout: &Layout, id: &str) -> bool {
    match open(&layout.instances().join(id)) {
        // A shared lock: two processes that check at the same time do not mistake each other for the owner.
        Ok((file, _)) => file.try_lock_shared().is_err(),
        Err(error) => error.kind() != io::ErrorKind::NotFound,
    }
}

/// Removes the files of instances that are no longer open.
pub(crate) fn remove_dead(disk: &Disk, layout: &Layout) -> Result<()> {
    for name in list(&layout.instances()).context("list open storages")? {
        let path = layout.instances().join(&name);
        let file;
        let dead = match name.to_str().and_then(|name| name.split_once('.')) {
            // A temporary file of an instance.
            Some((owner, _)) => !is_open(layout, owner),
            // Keep an exclusive lock until the file is removed: its owner may be about to lock it, and must then find
            // that the file is gone.
            None => {
                file = open(&path);
                file.as_ref().is_ok_and(|(file, _)| file.try_lock().is_ok())
            }
        };
        if dead {
            disk.remove(&path).context("remove the files of a dead process")?;
        }
    }
    Ok(())
}
