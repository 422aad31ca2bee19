//! Helpers of the tests of this crate.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use sessile_core::{Meta, Record, SessionId, SessionKey, Timestamp};

/// A temporary folder, removed when dropped.
#[derive(Debug)]
pub(crate) struct TempFolder(PathBuf);

impl TempFolder {
    pub(crate) fn new() -> Self {
        Self::within(&std::env::temp_dir())
    }

    pub(crate) fn within(parent: &Path) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        loop {
            let number = COUNT.fetch_add(1, Ordering::Relaxed);
            let path = parent.join(format!("sessile-file-test-{}-{number}", std::process::id()));
            match fs::create_dir(&path) {
                // The folder of a killed test, whose process had the same id.
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                made => {
                    made.expect("a folder for a test");
                    return Self(path);
                }
            }
        }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for TempFolder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Returns the key of the session of this name, the same in every process.
pub(crate) fn key(name: &str) -> SessionKey {
    SessionId::parse(&format!("a-session-called-{name}"))
        .expect("an id")
        .key()
}

pub(crate) fn record(payload: impl Into<Vec<u8>>) -> Record {
    Record::new(Meta::new(Timestamp::from_millis(1)), payload.into())
}

/// Counts the files in a folder and below, except mutexes, which stay.
pub(crate) fn count_files(folder: &Path) -> usize {
    let mut count = 0;
    for entry in fs::read_dir(folder).expect("the folder is there").flatten() {
        let path = entry.path();
        if path.is_dir() {
            count += count_files(&path);
        } else if path.file_name().is_some_and(|name| name != "mutex") {
            count += 1;
        }
    }
    count
}

/// Collects the paths of a folder and of all folders and files in it.
pub(crate) fn all_paths(folder: &Path, paths: &mut Vec<PathBuf>) {
    paths.push(folder.to_owned());
    for entry in fs::read_dir(folder).expect("a folder").flatten() {
        if entry.path().is_dir() {
            all_paths(&entry.path(), paths);
        } else {
            paths.push(entry.path());
        }
    }
}
