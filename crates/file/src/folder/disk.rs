//! The system calls that change something, one function each.
//!
//! All writing goes through here, so that a test can stand between any two of the calls: stop the process, refuse the
//! call, or keep a list. Outside tests there is nothing between.

use std::ffi::OsString;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::Path;
use std::time::SystemTime;

/// A change that is about to be made.
#[cfg(test)]
#[derive(Debug, Clone, Copy)]
pub(crate) enum Call<'a> {
    Create(&'a Path),
    Write(&'a Path, &'a [u8]),
    Mark,
    Date,
    SyncFile(&'a Path),
    Rename(&'a Path, &'a Path),
    Remove(&'a Path),
    Link(&'a Path, &'a Path),
    CreateDir(&'a Path),
    SyncDir(&'a Path),
}

/// Stands between any two changes.
#[cfg(test)]
pub(crate) trait Probe: Send + Sync {
    /// Is asked before each change; an error is returned in its place.
    fn before(&self, call: Call<'_>) -> io::Result<()>;
}

/// Where the changes are made.
#[derive(Clone, Default)]
pub(crate) struct Disk {
    #[cfg(test)]
    pub(crate) probe: Option<std::sync::Arc<dyn Probe>>,
}

/// Asks the probe, in tests.
macro_rules! about_to {
    ($disk:expr, $call:expr) => {
        #[cfg(test)]
        if let Some(probe) = &$disk.probe {
            use Call::*;
            probe.before($call)?;
        }
    };
}

/// Which file it is, whatever its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Identity(u64, u64);

impl Identity {
    pub(crate) fn of(metadata: &fs::Metadata) -> Self {
        Self(metadata.dev(), metadata.ino())
    }
}

impl Disk {
    /// Writes a new file, which only its owner may read, and removes it again if that fails.
    pub(crate) fn write_new(&self, path: &Path, bytes: &[u8], date: Option<SystemTime>, sync: bool) -> io::Result<()> {
        let mut file = self.create(path)?;
        let written = (|| {
            about_to!(self, Write(path, bytes));
            file.write_all(bytes)?;
            if let Some(date) = date {
                about_to!(self, Date);
                file.set_modified(date)?;
            }
            if sync {
                about_to!(self, SyncFile(path));
                file.sync_all()?;
            }
            Ok(())
        })();
        if written.is_err() {
            // What was refused is the error worth telling; a file that stays is found when its owner is gone.
            let _ = self.remove(path);
        }
        written
    }

    /// Makes an empty file that is not there yet.
    pub(crate) fn create(&self, path: &Path) -> io::Result<File> {
        about_to!(self, Create(path));
        OpenOptions::new()
            .read(true)
            .write(true)
            .create_new(true)
            .mode(0o600)
            .custom_flags(FLAGS)
            .open(path)
    }

    /// Opens a file to lock it, and makes it if need be.
    pub(crate) fn open_lock(&self, path: &Path) -> io::Result<File> {
        let open = |write| {
            let mut options = OpenOptions::new();
            options.read(true).write(write).custom_flags(FLAGS).open(path)
        };
        // A file that may not be written can be locked all the same.
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

    /// Makes an empty file one byte long, which takes no room.
    pub(crate) fn mark(&self, file: &File) -> io::Result<()> {
        about_to!(self, Mark);
        file.set_len(1)
    }

    pub(crate) fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        about_to!(self, Rename(from, to));
        fs::rename(from, to)
    }

    /// Removes a file. One that is not there is no error; the answer says whether it was.
    pub(crate) fn remove(&self, path: &Path) -> io::Result<bool> {
        about_to!(self, Remove(path));
        match fs::remove_file(path) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }

    pub(crate) fn link(&self, from: &Path, to: &Path) -> io::Result<()> {
        about_to!(self, Link(from, to));
        fs::hard_link(from, to)
    }

    /// Makes a folder that only its owner may enter. One that is there already is no error; the answer says whether it
    /// was not.
    pub(crate) fn create_dir(&self, path: &Path) -> io::Result<bool> {
        about_to!(self, CreateDir(path));
        match DirBuilder::new().mode(0o700).create(path) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Makes what was created, renamed and removed in a folder outlast a power cut.
    pub(crate) fn sync_dir(&self, path: &Path) -> io::Result<()> {
        about_to!(self, SyncDir(path));
        File::open(path)?.sync_all()
    }
}

/// Never follow a link out of the folder, and never wait for the other end of a pipe.
const FLAGS: i32 = libc::O_NOFOLLOW | libc::O_NONBLOCK;

/// Opens a file for reading, and says how long it is. What is no regular file is refused.
pub(crate) fn open(path: &Path) -> io::Result<(File, u64)> {
    let file = OpenOptions::new().read(true).custom_flags(FLAGS).open(path)?;
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Err(io::Error::from_raw_os_error(libc::ELOOP));
    }
    Ok((file, metadata.len()))
}

/// Whether it is for what stands under the name that it cannot be opened: a link, a folder, a socket. A file that we may
/// not read is none of these: it may be as it should be, and wait for its owner to be put right.
pub(crate) fn is_unreadable(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::ELOOP | libc::ENXIO))
}

/// Reads up to `limit` bytes, fewer only at the end of the file.
pub(crate) fn read_up_to(file: &File, limit: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::with_capacity(usize::try_from(limit).unwrap_or(0));
    file.take(limit).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// The names in a folder; none if the folder is not there.
pub(crate) fn list(path: &Path) -> io::Result<Vec<OsString>> {
    match fs::read_dir(path) {
        Ok(entries) => entries.map(|entry| entry.map(|entry| entry.file_name())).collect(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

/// Which file a name stands for at present.
pub(crate) fn identify(path: &Path) -> io::Result<Option<Identity>> {
    match fs::symlink_metadata(path) {
        Ok(metadata) => Ok(Some(Identity::of(&metadata))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}
