//! [`Disk`]: the system calls that change something, one function each.
//!
//! All writes go through this file, so that a test can intercept every call: stop the process, fail the call, or record
//! it. Outside tests nothing is intercepted.

use std::ffi::OsString;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::Path;
use std::time::SystemTime;

/// A system call that is about to be made.
#[cfg(test)]
#[derive(Debug, Clone, Copy)]
pub(crate) enum Call<'a> {
    Create(&'a Path),
    Write(&'a Path, &'a [u8]),
    MarkFenced,
    Date,
    SyncFile(&'a Path),
    Rename(&'a Path, &'a Path),
    Remove(&'a Path),
    Link(&'a Path, &'a Path),
    CreateDir(&'a Path),
    SyncDir(&'a Path),
}

/// Intercepts the calls of a [`Disk`].
#[cfg(test)]
pub(crate) trait Probe: Send + Sync {
    /// Runs before each call. An error is returned in place of the call's result.
    fn before(&self, call: Call<'_>) -> io::Result<()>;
}

/// Makes all changes to the file system.
#[derive(Clone, Default)]
pub(crate) struct Disk {
    #[cfg(test)]
    pub(crate) probe: Option<std::sync::Arc<dyn Probe>>,
}

/// Runs the probe, in tests.
macro_rules! probe {
    ($disk:expr, $call:expr) => {
        #[cfg(test)]
        if let Some(probe) = &$disk.probe {
            use Call::*;
            probe.before($call)?;
        }
    };
}

/// The identity of a file, independent of its name: device and inode number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Identity(u64, u64);

impl Identity {
    pub(crate) fn of(metadata: &fs::Metadata) -> Self {
        Self(metadata.dev(), metadata.ino())
    }
}

impl Disk {
    /// Writes a new file with mode 0600, and removes it again if that fails.
    pub(crate) fn write_new(&self, path: &Path, bytes: &[u8], date: Option<SystemTime>, sync: bool) -> io::Result<()> {
        let mut file = self.create(path)?;
        let written = (|| {
            probe!(self, Write(path, bytes));
            file.write_all(bytes)?;
            if let Some(date) = date {
                probe!(self, Date);
                file.set_modified(date)?;
            }
            if sync {
                probe!(self, SyncFile(path));
                file.sync_all()?;
            }
            Ok(())
        })();
        if written.is_err() {
            // Return the first error. A file that stays is removed once the process that owns it has ended.
            let _ = self.remove(path);
        }
        written
    }

    /// Makes an empty file. Fails if the file exists.
    pub(crate) fn create(&self, path: &Path) -> io::Result<File> {
        probe!(self, Create(path));
        OpenOptions::new()
            .read(true)
            .write(true)
            .create_new(true)
            .mode(0o600)
            .custom_flags(FLAGS)
            .open(path)
    }

    /// Opens a file to lock it, and makes it if it is missing.
    pub(crate) fn open_lock(&self, path: &Path) -> io::Result<File> {
        let open = |write| {
            let mut options = OpenOptions::new();
            options.read(true).write(write).custom_flags(FLAGS).open(path)
        };
        // A read-only file can be locked as well.
        let open = || match open(true) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => open(false),
            opened => opened,
        };
        match open() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => match self.create(path) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => open(),
                made => made,
            },
            opened => opened,
        }
    }

    /// Makes an empty mutex file one byte long, which needs no disk space.
    pub(crate) fn mark_fenced(&self, file: &File) -> io::Result<()> {
        probe!(self, MarkFenced);
        file.set_len(1)
    }

    pub(crate) fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        probe!(self, Rename(from, to));
        fs::rename(from, to)
    }

    /// Removes a file. Returns whether the file existed; a missing file is no error.
    pub(crate) fn remove(&self, path: &Path) -> io::Result<bool> {
        probe!(self, Remove(path));
        match fs::remove_file(path) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }

    pub(crate) fn link(&self, from: &Path, to: &Path) -> io::Result<()> {
        probe!(self, Link(from, to));
        fs::hard_link(from, to)
    }

    /// Makes a folder with mode 0700. Returns whether the folder was missing; an existing folder is no error.
    pub(crate) fn create_dir(&self, path: &Path) -> io::Result<bool> {
        probe!(self, CreateDir(path));
        match DirBuilder::new().mode(0o700).create(path) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Syncs the names in a folder, so that they survive a power cut.
    pub(crate) fn sync_dir(&self, path: &Path) -> io::Result<()> {
        probe!(self, SyncDir(path));
        File::open(path)?.sync_all()
    }
}

/// Do not follow a symbolic link out of the folder, and do not block on a pipe.
const FLAGS: i32 = libc::O_NOFOLLOW | libc::O_NONBLOCK;

/// Opens a regular file for reading, and returns it with its length. Fails for any other kind of file.
pub(crate) fn open(path: &Path) -> io::Result<(File, u64)> {
    let file = OpenOptions::new().read(true).custom_flags(FLAGS).open(path)?;
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Err(io::Error::from_raw_os_error(libc::ELOOP));
    }
    Ok((file, metadata.len()))
}

/// Returns whether a file cannot be opened because it is a link, a folder, a socket or a pipe.
///
/// A regular file without read permission is not unreadable in this sense: it may be intact, and readable again once
/// its owner and mode are restored.
pub(crate) fn is_unreadable(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::ELOOP | libc::ENXIO))
}

/// Reads up to `limit` bytes. Returns fewer only at the end of the file.
pub(crate) fn read_up_to(file: &File, limit: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::with_capacity(usize::try_from(limit).unwrap_or(0));
    file.take(limit).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Returns the names in a folder, or none if the folder is missing.
pub(crate) fn list(path: &Path) -> io::Result<Vec<OsString>> {
    match fs::read_dir(path) {
        Ok(entries) => entries.map(|entry| entry.map(|entry| entry.file_name())).collect(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

/// Returns the identity of the file that a name refers to now.
pub(crate) fn identify(path: &Path) -> io::Result<Option<Identity>> {
    match fs::symlink_metadata(path) {
        Ok(metadata) => Ok(Some(Identity::of(&metadata))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}
