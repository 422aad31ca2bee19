//! Moving corrupt files out of the way, and reporting them.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use sessile_core::SessionKey;

use crate::failure::{Context, CorruptFile, Corruption, Failure, FormatError, Result};
use crate::folder::Folder;
use crate::folder::format::{Kind, encode_header};
use crate::folder::layout::{hex, stripe_of};
use crate::folder::lookup::Part;

/// A corrupt file that was quarantined, as passed to
/// [`on_quarantine`](crate::FileStorageBuilder::on_quarantine).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct QuarantinedFile {
    /// The path of the file in quarantine.
    pub path: PathBuf,
    /// The key of the session to which the file's former name belongs, if it belongs to one.
    pub key: Option<SessionKey>,
    /// The way in which the file is corrupt.
    pub reason: QuarantineReason,
}

/// A callback for quarantined files.
pub(crate) type QuarantineHook = Arc<dyn Fn(&QuarantinedFile) + Send + Sync>;

/// The reason why a file was quarantined. It is part of the file's new name, as [`Display`](fmt::Display) writes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum QuarantineReason {
    /// It was not written by this storage, or belongs to another key.
    Foreign,
    /// It is incomplete, or its bytes have changed.
    Torn,
    /// It is not a regular file.
    Unreadable,
}

impl fmt::Display for QuarantineReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Foreign => "foreign",
            Self::Torn => "torn",
            Self::Unreadable => "unreadable",
        })
    }
}

/// Quarantines corrupt files.
pub(crate) struct Quarantine {
    /// The time for which the session of a corrupt file is reported as corrupt.
    pub(crate) ttl: Duration,
    pub(crate) hook: Option<QuarantineHook>,
}

impl Quarantine {
    /// Moves a corrupt file to quarantine, and returns the failure for the caller that found it.
    ///
    /// A mark stays under the key: as long as it is valid, the session is corrupt, not missing.
    pub(crate) fn isolate(&self, folder: &Folder, file: CorruptFile) -> Failure {
        let reason = match &file.corruption {
            // A later version can read the file.
            Corruption::Format(FormatError::Newer) => return Failure::Corrupt(file),
            Corruption::Format(FormatError::Foreign) => QuarantineReason::Foreign,
            Corruption::Format(FormatError::Torn) => QuarantineReason::Torn,
            Corruption::Unreadable(_) => QuarantineReason::Unreadable,
        };
        match self.replace_by_mark(folder, &file, reason) {
            Ok(Some(path)) => {
                self.report(path.clone(), Some(file.key), reason);
                Failure::Quarantined(file.key, Some(path))
            }
            Ok(None) => Failure::Revoked,
            // The disk is full or read-only: the file stays in place and is reported as corrupt each time.
            Err(_) => Failure::Corrupt(file),
        }
    }

    /// Moves a corrupt file to quarantine and publishes the mark. Returns `None` if the file is no longer corrupt.
    fn replace_by_mark(
        &self,
        folder: &Folder,
        file: &CorruptFile,
        reason: QuarantineReason,
    ) -> Result<Option<PathBuf>> {
        let (tree, key) = (&folder.tree, &file.key);
        let until = folder.clocks.now() + self.ttl;
        let mark = encode_header(key, folder.nonce(), Kind::Quarantined { until });
        tree.make_leaf(key)?;
        let staged = tree.stage(stripe_of(key), &mark, Some(until), true)?;
        let guard = folder.lock_stripe(stripe_of(key), &[&staged])?;
        // Another process may have replaced the file since it was read.
        if !matches!(folder.load(&file.path, key, Part::Whole), Err(Failure::Corrupt(_))) {
            return Ok(None);
        }
        let quarantined = quarantine_path(folder, &file.path, reason);
        // Linked, so that the key never looks unused. A file that cannot be linked, such as a folder, is moved.
        let linked = tree.disk.link(&file.path, &quarantined);
        let moved = linked.or_else(|_| tree.disk.rename(&file.path, &quarantined));
        moved.context("quarantine a file")?;
        let record = tree.layout.record(key);
        guard.publish(staged, &record)?;
        if file.path != record {
            tree.disk.remove(&file.path).context("quarantine a file")?;
        }
        drop(guard);
        tree.sync(&tree.layout.quarantine())?;
        tree.sync(&tree.layout.leaf_of(key))?;
        Ok(Some(quarantined))
    }

    /// Moves a file to quarantine that does not have the name of a record.
    ///
    /// Errors are ignored, because the file affects no session.
    pub(crate) fn isolate_foreign(&self, folder: &Folder, path: &Path) {
        let quarantined = quarantine_path(folder, path, QuarantineReason::Foreign);
        if folder.tree.disk.rename(path, &quarantined).is_ok() {
            self.report(quarantined, None, QuarantineReason::Foreign);
        }
    }

    fn report(&self, path: PathBuf, key: Option<SessionKey>, reason: QuarantineReason) {
        #[cfg(feature = "tracing")]
        tracing::warn!(path = %path.display(), ?key, %reason, "a corrupt session file was quarantined");
        if let Some(hook) = &self.hook {
            let file = QuarantinedFile { path, key, reason };
            // A panic of the hook, which the panic hook has reported, must not end the operation.
            let _ = catch_unwind(AssertUnwindSafe(|| hook(&file)));
        }
    }
}

fn quarantine_path(folder: &Folder, path: &Path, reason: QuarantineReason) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    // Truncate long foreign names to leave room for the suffix.
    let name: String = name.chars().take(80).collect();
    let nonce = hex(&folder.nonce()[..4]);
    folder.tree.layout.quarantine().join(format!("{name}.{reason}.{nonce}"))
}
