//! [`Claim`]: the settings on which all processes that use a folder must agree.
//!
//! Each setting is written to a small file by the first process that opens the folder, atomically, and never changed.
//! A process with another setting is refused.

use std::io;
use std::path::Path;
use std::time::Duration;

use crate::failure::{Context, Result};
use crate::folder::layout::Layout;

/// The contents that this process expects of a folder, and its lease.
pub(crate) struct Claim {
    pub(crate) format: &'static str,
    pub(crate) lease: Duration,
}

impl Claim {
    /// Fails unless the folder has this format and this lease.
    ///
    /// `write_once` returns the text of a file, which it writes if the file is missing.
    pub(crate) fn verify(&self, layout: &Layout, write_once: impl Fn(&Path, &str) -> Result<String>) -> Result<()> {
        let found = write_once(&layout.format(), self.format)?;
        if found != self.format {
            return refuse(format!(
                "the folder holds {:?}, and this version expects {:?}: use another folder, or, if it comes from a later \
                 version, that version",
                found.trim_end(),
                self.format.trim_end(),
            ));
        }
        let path = layout.lease_term();
        let ours = format!("{} ms\n", self.lease.as_millis());
        let found = write_once(&path, &ours)?;
        if found == ours {
            return Ok(());
        }
        let millis = found.strip_suffix(" ms\n").and_then(|millis| millis.parse().ok());
        let theirs = match millis.map(Duration::from_millis) {
            Some(lease) => format!("{lease:?}"),
            None => format!("{found:?}"),
        };
        refuse(format!(
            "the folder is used with a lease of {theirs}, and this lease is {:?}: all processes that use a folder have \
             the same lease; to change it, stop all of them, remove {}, and start them with the new one",
            self.lease,
            path.display(),
        ))
    }
}

fn refuse(reason: String) -> Result<()> {
    Err(io::Error::new(io::ErrorKind::Unsupported, reason)).context("use the folder")
}
