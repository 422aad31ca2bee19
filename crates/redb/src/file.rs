//! Opens the file of a database.

use std::fs::{File, OpenOptions};
use std::io;
use std::path::Path;

use redb::{Database, DatabaseError};

use crate::failure::Failure;

/// Opens the database in this file, and creates it if it does not exist.
pub(crate) fn open(path: &Path) -> Result<Database, Failure> {
    let file = private(OpenOptions::new().read(true).write(true).create(true).truncate(false)).open(path)?;
    // A synced file is lost in a power cut if its name in the folder is not synced as well.
    sync_folder_of(path)?;
    match Database::builder().create_file(file) {
        Err(error @ DatabaseError::DatabaseAlreadyOpen) => Err(Failure::AlreadyOpen(path.to_owned(), error.into())),
        opened => Ok(opened?),
    }
}

/// Restricts a new file to its owner: it holds the data of clients.
#[cfg(unix)]
fn private(options: &mut OpenOptions) -> &mut OpenOptions {
    std::os::unix::fs::OpenOptionsExt::mode(options, 0o600)
}

#[cfg(not(unix))]
fn private(options: &mut OpenOptions) -> &mut OpenOptions {
    options
}

#[cfg(unix)]
fn sync_folder_of(path: &Path) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
}

/// Other platforms have no call that syncs a folder, and need none.
#[cfg(not(unix))]
fn sync_folder_of(_: &Path) -> io::Result<()> {
    Ok(())
}
