//! Setting aside what cannot be understood, and saying so.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use sessile_core::SessionKey;

use crate::failure::{Doing, Failure, Flawed, Result, Why};
use crate::files::Files;
use crate::folder::disk::Disk;
use crate::folder::format::{Flaw, Head, Kind, encode};
use crate::folder::layout::{hex, stripe_of};
use crate::folder::lookup::Part;

/// A file that was set aside: what [`on_set_aside`](crate::FileStorageBuilder::on_set_aside) is told.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SetAside {
    /// Where the file is now.
    pub path: PathBuf,
    /// The session whose file it should have been, if its name was that of one.
    pub key: Option<SessionKey>,
    /// What is wrong with it.
    pub reason: SetAsideReason,
}

/// What is told of each file that is set aside.
pub(crate) type Report = Arc<dyn Fn(&SetAside) + Send + Sync>;

/// Why a file was set aside. The word is part of the file's new name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SetAsideReason {
    /// It was not written by this storage, or belongs elsewhere.
    Foreign,
    /// It is incomplete, or its bytes have changed.
    Torn,
    /// It is no regular file.
    Unreadable,
}

impl fmt::Display for SetAsideReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Foreign => "foreign",
            Self::Torn => "torn",
            Self::Unreadable => "unreadable",
        })
    }
}

impl Files {
    /// Sets a flawed file aside and returns what to tell whoever came across it.
    ///
    /// A mark stays under the key: for as long as it stands, the session is damaged, not missing.
    pub(crate) fn set_aside(&self, flawed: Flawed) -> Failure {
        let reason = match &flawed.why {
            // A later version can read it.
            Why::Bytes(Flaw::Newer) => return Failure::Flawed(flawed),
            Why::Bytes(Flaw::Foreign) => SetAsideReason::Foreign,
            Why::Bytes(Flaw::Torn) => SetAsideReason::Torn,
            Why::Unreadable(_) => SetAsideReason::Unreadable,
        };
        match self.move_aside(&flawed, reason) {
            Ok(Some(path)) => {
                self.report(path.clone(), Some(flawed.key), reason);
                Failure::SetAside(flawed.key, Some(path))
            }
            Ok(None) => Failure::Revoked,
            // The disk is full or may not be written to: the file stays where it is, and so does what is wrong with it.
            Err(_) => Failure::Flawed(flawed),
        }
    }

    /// `None` if there is no longer anything wrong.
    fn move_aside(&self, flawed: &Flawed, reason: SetAsideReason) -> Result<Option<PathBuf>> {
        let folder = &self.folder;
        let key = &flawed.key;
        let until = folder.now() + self.quarantine;
        let kind = Kind::SetAside { until };
        let mark = encode(
            &Head {
                key: *key,
                stamp: folder.nonce(),
                kind,
            },
            &[],
        );
        folder.make_leaf(key)?;
        let staged = folder.stage(stripe_of(key), &mark, Some(until), true)?;
        let held = folder.enter(stripe_of(key)).hold(&[&staged])?;
        if !matches!(folder.load(&flawed.path, key, Part::Whole), Err(Failure::Flawed(_))) {
            return Ok(None);
        }
        let aside = self.aside_path(&flawed.path, reason);
        give_second_name(&folder.disk, &flawed.path, &aside)?;
        let record = folder.layout.record(key);
        held.publish(staged, &record)?;
        if flawed.path != record {
            folder.disk.remove(&flawed.path).doing("set a file aside")?;
        }
        drop(held);
        folder.sync(&folder.layout.aside())?;
        folder.sync(&folder.layout.leaf_of(key))?;
        Ok(Some(aside))
    }

    /// Moves something out of the way that does not even have the name of a record. It is in nobody's way, so it may
    /// stay where it cannot be moved.
    pub(crate) fn remove_foreign(&self, path: &Path) {
        let aside = self.aside_path(path, SetAsideReason::Foreign);
        if self.folder.disk.rename(path, &aside).is_ok() {
            self.report(aside, None, SetAsideReason::Foreign);
        }
    }

    fn aside_path(&self, path: &Path, reason: SetAsideReason) -> PathBuf {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        // A long foreign name must leave room for the ending.
        let name: String = name.chars().take(80).collect();
        let nonce = hex(&self.folder.nonce()[..4]);
        self.folder.layout.aside().join(format!("{name}.{reason}.{nonce}"))
    }

    fn report(&self, path: PathBuf, key: Option<SessionKey>, reason: SetAsideReason) {
        #[cfg(feature = "tracing")]
        tracing::warn!(path = %path.display(), ?key, %reason, "a session file was set aside");
        if let Some(report) = &self.on_set_aside {
            let set_aside = SetAside { path, key, reason };
            // A panic is the affair of the application, and has been told by its hook. The step goes on.
            let _ = catch_unwind(AssertUnwindSafe(|| report(&set_aside)));
        }
    }
}

/// A second name first, so that there is no moment in which the key looks unused. What cannot have two names is moved.
fn give_second_name(disk: &Disk, path: &Path, aside: &Path) -> Result<()> {
    match disk.link(path, aside) {
        Ok(()) => Ok(()),
        Err(_) => disk.rename(path, aside).doing("set a file aside"),
    }
}
