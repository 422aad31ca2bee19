//! The part of the client: it keeps the id of its session, as a browser keeps a cookie.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use sessile_core::SessionId;

/// The file that stands for a cookie.
#[derive(Debug)]
pub(crate) struct Wallet(PathBuf);

impl Wallet {
    pub(crate) fn in_folder(folder: &Path) -> Self {
        Self(folder.join("cookie"))
    }

    /// The id, if there is one. Anything that cannot be an id counts as none.
    pub(crate) fn id(&self) -> io::Result<Option<SessionId>> {
        match fs::read_to_string(&self.0) {
            Ok(text) => Ok(SessionId::parse(&text)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    pub(crate) fn put(&self, id: &SessionId) -> io::Result<()> {
        fs::write(&self.0, id.expose())
    }

    pub(crate) fn empty(&self) -> io::Result<()> {
        match fs::remove_file(&self.0) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }
}
