//! [`Staged`]: a file that is written and has no final name yet.

use std::path::PathBuf;

use crate::folder::disk::Disk;

/// A complete file in a `stage` folder. Dropping it removes the file, unless the file has been published.
pub(crate) struct Staged<'a> {
    disk: &'a Disk,
    pub(crate) path: PathBuf,
}

impl<'a> Staged<'a> {
    pub(crate) const fn new(disk: &'a Disk, path: PathBuf) -> Self {
        Self { disk, path }
    }

    /// Disarms the guard after the file has been renamed.
    pub(crate) fn disarm(mut self) {
        self.path = PathBuf::new();
    }
}

impl Drop for Staged<'_> {
    fn drop(&mut self) {
        if !self.path.as_os_str().is_empty() {
            let _ = self.disk.remove(&self.path);
        }
    }
}
