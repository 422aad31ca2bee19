//! The two things that all users of a folder must agree on: what it holds, and how long a lock lasts.
//!
//! Each stands in a small file that the first to open the folder writes, in one step, and nobody changes. A storage
//! that differs is refused.

use std::io;
use std::path::Path;
use std::time::Duration;

use crate::failure::{Doing, Result};
use crate::folder::Folder;
use crate::folder::layout::hex;

impl Folder {
    /// Makes sure that the folder is used for one thing which we understand, and with one lease.
    pub(crate) fn claim(&self) -> Result<()> {
        self.claim_format()?;
        self.claim_lease()
    }

    fn claim_format(&self) -> Result<()> {
        let found = self.agree(&self.layout.format(), self.format)?;
        if found == self.format {
            return Ok(());
        }
        refuse(format!(
            "the folder holds {:?}, and what is known here is {:?}: use another folder, or, if it comes from a later \
             version, that version",
            found.trim_end(),
            self.format.trim_end(),
        ))
    }

    fn claim_lease(&self) -> Result<()> {
        let path = self.layout.lease_term();
        let ours = format!("{} ms\n", self.lease.as_millis());
        let found = self.agree(&path, &ours)?;
        if found == ours {
            return Ok(());
        }
        let millis = found.strip_suffix(" ms\n").and_then(|millis| millis.parse().ok());
        let theirs = match millis.map(Duration::from_millis) {
            Some(lease) => format!("{lease:?}"),
            None => format!("{found:?}"),
        };
        refuse(format!(
            "the folder is used with a lease of {theirs}, and this lease is {:?}: all who use a folder have the same \
             lease; to change it, stop all of them, remove {}, and start them with the new one",
            self.lease,
            path.display(),
        ))
    }

    /// Returns the text of a file that the first storage to come writes.
    fn agree(&self, path: &Path, ours: &str) -> Result<String> {
        match std::fs::read_to_string(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            found => return found.doing("read what the folder is"),
        }
        let id = hex(&self.instance.id());
        let fresh = self.layout.instances().join(format!("{id}.{}", self.next_number()));
        // Synced in any case: it is written once, and nobody could use the folder if it were empty after a power cut.
        self.disk
            .write_new(&fresh, ours.as_bytes(), None, true)
            .doing("claim the folder")?;
        // A link, unlike renaming, leaves the file of another process alone that was quicker.
        let linked = match self.disk.link(&fresh, path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
            linked => linked.doing("claim the folder"),
        };
        self.disk.remove(&fresh).doing("claim the folder")?;
        linked?;
        self.sync(self.layout.root())?;
        std::fs::read_to_string(path).doing("read what the folder is")
    }
}

fn refuse(why: String) -> Result<()> {
    Err(io::Error::new(io::ErrorKind::Unsupported, why)).doing("use the folder")
}
