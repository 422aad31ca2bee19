//! [`Tree`]: the directory tree of a storage on the disk.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use sessile_core::{Entropy, SessionKey, Timestamp};

use crate::durability::Durability;
use crate::failure::{Context, Failure, Result};
use crate::folder::claim::Claim;
use crate::folder::disk::{Disk, Identity, identify, list};
use crate::folder::instance::{self, Instance};
use crate::folder::layout::{FAN, Layout, hex, leaf_of, stripe_of};
use crate::folder::stage::Staged;

/// The latest date that all file systems know. An earlier date than the right one costs a sweeper a read, no more.
const LAST_DATE: Timestamp = Timestamp::from_millis(u32::MAX as u64 * 1_000);

/// The directory tree of an open storage: makes, syncs and checks its folders, and stages files in it.
pub(crate) struct Tree {
    pub(crate) disk: Disk,
    pub(crate) layout: Layout,
    pub(crate) instance: Instance,
    claim: Claim,
    durability: Durability,
    /// The root, kept open so that its inode number is not reused for another folder.
    root: (File, Identity),
    /// The number of the next temporary file.
    next_number: AtomicU64,
    /// The stripes, and then the leaves of all stripes, that this storage has made or found, and synced.
    made: Box<[AtomicBool]>,
}

impl Tree {
    /// Opens a tree, which is made if it is missing, and removes the temporary files of dead processes.
    pub(crate) fn open(
        root: &Path,
        claim: Claim,
        disk: Disk,
        durability: Durability,
        entropy: &dyn Entropy,
    ) -> Result<Self> {
        let layout = Layout::new(root);
        make_root(&disk, root, durability)?;
        make_top(&disk, &layout)?;
        let opened = File::open(root).context("find the folder")?;
        let identity = Identity::of(&opened.metadata().context("find the folder")?);
        let tree = Self {
            instance: Instance::register(&disk, &layout, entropy)?,
            disk,
            layout,
            claim,
            durability,
            root: (opened, identity),
            next_number: AtomicU64::new(0),
            made: (0..FAN + FAN * FAN).map(|_| AtomicBool::new(false)).collect(),
        };
        tree.verify_claim()?;
        tree.remove_abandoned()?;
        Ok(tree)
    }

    /// Removes the temporary files of dead processes. Files of live processes stay.
    fn remove_abandoned(&self) -> Result<()> {
        for stripe in 0..=u8::MAX {
            let stage = self.layout.stage(stripe);
            let names = match list(&stage) {
                // A folder without permission was not written by this user.
                Err(error) if error.kind() == io::ErrorKind::PermissionDenied => continue,
                names => names.context("list unfinished files")?,
            };
            for name in names {
                let owner = name.to_str().and_then(|name| name.split_once('.'));
                if owner.is_some_and(|(owner, _)| !instance::is_open(&self.layout, owner)) {
                    self.disk
                        .remove(&stage.join(name))
                        .context("remove an unfinished file")?;
                }
            }
        }
        instance::remove_dead(&self.disk, &self.layout)
    }

    /// Writes a temporary file, dated to the time at which its content expires.
    ///
    /// A [stripe guard](crate::folder::stripes::StripeGuard::publish) gives it its final name.
    pub(crate) fn stage(&self, stripe: u8, bytes: &[u8], date: Option<Timestamp>, sync: bool) -> Result<Staged<'_>> {
        let path = self.stage_path(stripe);
        let date = date.map(|date| SystemTime::UNIX_EPOCH + Duration::from_millis(date.min(LAST_DATE).as_millis()));
        match self.disk.write_new(&path, bytes, date, sync && self.durability.syncs()) {
            Ok(()) => Ok(Staged::new(&self.disk, path)),
            Err(error) => Err(self.explain(error, "write a file")),
        }
    }

    /// Returns a fresh path in the `stage` folder of a stripe.
    pub(crate) fn stage_path(&self, stripe: u8) -> PathBuf {
        self.layout.stage(stripe).join(self.temporary_name())
    }

    fn temporary_name(&self) -> String {
        let number = self.next_number.fetch_add(1, Ordering::Relaxed);
        format!("{}.{number}", hex(&self.instance.id))
    }

    /// Converts the error of a call.
    ///
    /// A file or folder of this storage that is missing means that another process has fenced this one off, or that
    /// the whole folder is gone.
    pub(crate) fn explain(&self, error: io::Error, action: &'static str) -> Failure {
        if error.kind() != io::ErrorKind::NotFound {
            return Failure::System { action, source: error };
        }
        if let Err(gone) = self.check() {
            return gone;
        }
        self.forget_made();
        Failure::Revoked
    }

    /// Fails if the folder is gone or has been replaced by another.
    ///
    /// If the file of this instance is missing, as after the folder has been emptied, registers the instance again.
    pub(crate) fn check(&self) -> Result<()> {
        if self.instance.is_registered()? {
            return Ok(());
        }
        if identify(self.layout.root()).context("find the folder")? != Some(self.root.1) {
            let gone = io::Error::new(io::ErrorKind::NotFound, "the folder is gone, or is another");
            return Err(gone).context("find the folder");
        }
        self.forget_made();
        make_top(&self.disk, &self.layout)?;
        self.instance.register_again()?;
        self.verify_claim()
    }

    /// Restores missing files of this instance and refreshes their dates. Called periodically.
    pub(crate) fn maintain(&self) -> Result<()> {
        self.check()?;
        self.instance.refresh_date();
        self.verify_claim()
    }

    fn verify_claim(&self) -> Result<()> {
        self.claim
            .verify(&self.layout, |path, text| self.write_once(path, text))
    }

    /// Returns the text of a file. If the file is missing, writes `text` to it, unless another process is faster.
    fn write_once(&self, path: &Path, text: &str) -> Result<String> {
        match std::fs::read_to_string(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            found => return found.context("read the settings of the folder"),
        }
        let fresh = self.layout.instances().join(self.temporary_name());
        // Synced with any durability: an empty file after a power cut would make the folder unusable.
        self.disk
            .write_new(&fresh, text.as_bytes(), None, true)
            .context("claim the folder")?;
        // Unlike a rename, a link does not replace the file of a faster process.
        let linked = match self.disk.link(&fresh, path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
            linked => linked.context("claim the folder"),
        };
        self.disk.remove(&fresh).context("claim the folder")?;
        linked?;
        self.sync(self.layout.root())?;
        std::fs::read_to_string(path).context("read the settings of the folder")
    }

    fn forget_made(&self) {
        self.made.iter().for_each(|made| made.store(false, Ordering::Relaxed));
    }

    /// Makes the folders of a stripe.
    pub(crate) fn make_stripe(&self, stripe: u8) -> Result<()> {
        let made = &self.made[usize::from(stripe)];
        // Acquire pairs with the release below: a thread that sees the flag also sees the folders synced.
        if made.load(Ordering::Acquire) {
            return Ok(());
        }
        let path = self.layout.stripe(stripe);
        for path in [&path, &self.layout.stage(stripe), &self.layout.leases(stripe)] {
            self.disk.create_dir(path).context("make a folder")?;
        }
        // Existing folders are synced too: the process that made them may not have synced them yet.
        self.sync(&path)?;
        self.sync(self.layout.root())?;
        made.store(true, Ordering::Release);
        Ok(())
    }

    /// Makes the folders in which the record of a key lies.
    pub(crate) fn make_leaf(&self, key: &SessionKey) -> Result<()> {
        let (stripe, leaf) = (stripe_of(key), leaf_of(key));
        self.make_stripe(stripe)?;
        let made = &self.made[FAN + usize::from(stripe) * FAN + usize::from(leaf)];
        if made.load(Ordering::Acquire) {
            return Ok(());
        }
        self.disk
            .create_dir(&self.layout.leaf(stripe, leaf))
            .context("make a folder")?;
        self.sync(&self.layout.stripe(stripe))?;
        made.store(true, Ordering::Release);
        Ok(())
    }

    /// Makes a published change to a key durable, if the [`Durability`] asks for it.
    pub(crate) fn sync_change(&self, key: &SessionKey) -> Result<()> {
        if !self.durability.syncs() {
            return Ok(());
        }
        let action = "sync a folder";
        let synced = self.disk.sync_dir(&self.layout.leaf_of(key));
        synced.map_err(|source| Failure::Uncertain { action, source })
    }

    /// Makes the names in a folder durable before a change relies on them, if the [`Durability`] asks for it.
    pub(crate) fn sync(&self, path: &Path) -> Result<()> {
        if self.durability.syncs() {
            self.disk
                .sync_dir(path)
                .map_err(|error| self.explain(error, "sync a folder"))
        } else {
            Ok(())
        }
    }
}

/// Makes the folders that belong to no stripe.
fn make_top(disk: &Disk, layout: &Layout) -> Result<()> {
    for path in [layout.instances(), layout.quarantine()] {
        disk.create_dir(&path).context("make the folder")?;
    }
    Ok(())
}

/// Makes the root and its missing ancestors.
fn make_root(disk: &Disk, root: &Path, durability: Durability) -> Result<()> {
    let parent = match root.parent() {
        Some(parent) if parent.as_os_str().is_empty() => Path::new("."),
        Some(parent) => parent,
        None => return Ok(()),
    };
    let made = match disk.create_dir(root) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            make_root(disk, parent, durability)?;
            disk.create_dir(root)
        }
        made => made,
    };
    if made.context("make the folder")? && durability.syncs() {
        disk.sync_dir(parent).context("make the folder")?;
    }
    Ok(())
}
